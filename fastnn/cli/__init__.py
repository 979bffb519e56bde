"""The command line: `python -m fastnn`, and its commands.

parser.py reads the arguments. Each command is a thin module of its own, imported when it is used:
it calls the room that does the work, and prints what comes back.
"""

from ..moved import moved_names
from .parser import main

__all__ = ["main"]


moved_names(__name__)
