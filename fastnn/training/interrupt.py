"""Ctrl-C between steps instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from typing import Any

__all__ = ["CalmInterrupt"]


class CalmInterrupt:
    """Inside, the first Ctrl-C only sets `requested`, to be looked at between two steps; a second
    one interrupts at once.

    Signals can be taken in the main thread alone; in any other thread nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> CalmInterrupt:
        self.before: Any = None
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self.before = signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, number: int, frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *_: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
