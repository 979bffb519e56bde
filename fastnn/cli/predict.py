"""`python -m fastnn predict MODEL IMAGE...`: what a trained network sees in pictures, and how sure
it is.
"""

from __future__ import annotations

from argparse import Namespace

from ..console import paint, say
from ..io.pictures import ascii_picture
from ..models.recognition import Seen, recognise
from ..moved import moved_names

__all__ = ["command"]

DRAWN = 10              # with more pictures than this, a line for each is enough
WIDEST = 40             # pixels along a side that fit a terminal


def command(args: Namespace) -> int:
    found = recognise(args.model, args.images)
    for seen in found:
        show(seen, draw=len(found) <= DRAWN)
    return 0


def show(seen: Seen, draw: bool) -> None:
    """A line; of a small grey image a drawing, with what it may be beside it."""
    best = seen.best()
    (first, share), *others = best
    if not draw or len(seen.image) > 1 or max(seen.image.shape) > WIDEST:
        rest = ", ".join(f"{name} {100*share:.1f} %" for name, share in others)
        say(f"{seen.name}: {first}, {100*share:.1f} % sure ({rest})")
        return
    say()
    say(f"{seen.name}: {paint(first, 'bold')}, {100*share:.1f} % sure")
    drawing = ascii_picture(seen.image[0])
    notes = ["", *(f"{name}  {100*share:5.1f} %" for name, share in best)]
    notes += [""]*(len(drawing) - len(notes))
    for line, note in zip(drawing, notes):
        say(f"  |{line}|   {note}".rstrip())


moved_names(__name__)
