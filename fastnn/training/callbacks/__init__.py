"""Callbacks: what happens at the points of a training run.

What `fit` does beside forward, loss, backward and step is a callback, one file each: the history,
the line of progress, patience, checkpoints, learning-rate schedules, clipping. A callback of yours
gets the same points and the same state: `nn.fit(..., callbacks=[Mine()])`.
"""

from .base import POINTS, Callback, Points
from .checkpoint import Checkpoint
from .clipping import Clipping
from .history import History
from .on_epoch import OnEpoch
from .patience import Patience
from .progress import LiveProgress, Progress, progress_line
from .schedule import Schedule, StepSchedule, schedule

__all__ = ["POINTS", "Callback", "Checkpoint", "Clipping", "History", "LiveProgress", "OnEpoch", "Patience", "Points",
           "Progress", "Schedule", "StepSchedule", "progress_line", "schedule"]
