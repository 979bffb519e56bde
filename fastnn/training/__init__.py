"""Training: `nn.fit`, `nn.evaluate`, `nn.predict`, the History that a run leaves, and the callbacks
that a run is made of.

loop.py is the loop, state.py what callbacks see of it, callbacks/ what happens at its points, and
checkpoint.py how a run is kept and taken up again.
"""

from typing import Any

from ..moved import moved_names
from .callbacks import Callback, Checkpoint, Clipping, History, Patience, Progress, Schedule
from .evaluation import evaluate, predict
from .loop import fit
from .state import State

__all__ = ["Callback", "Checkpoint", "Clipping", "History", "Patience", "Progress", "Schedule", "State", "evaluate",
           "fit", "predict"]


moved_names(__name__)
