"""The training loop: `nn.fit`, `nn.evaluate`, `nn.predict`, and the History that a run leaves."""

from .fit import evaluate, fit, predict
from .history import History

__all__ = ["History", "evaluate", "fit", "predict"]
