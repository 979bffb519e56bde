"""The training loop: `nn.fit`, `nn.evaluate`, `nn.predict`, and the History that a run leaves."""

from .history import History
from .loop import evaluate, fit, predict

__all__ = ["History", "evaluate", "fit", "predict"]
