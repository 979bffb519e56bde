"""`python -m fastnn train`: the digits' network or LeNet-5 on the bundled digits, saved with what
`predict` needs.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..console import paint, say
from ..models import recipes
from ..moved import moved_names

__all__ = ["command"]


def command(args: Namespace) -> int:
    run = recipes.train(args.recipe, seed=args.seed, epochs=args.epochs, checkpoint=args.checkpoint)
    if run.history.interrupted and not len(run.history):
        return 130
    path = Path(args.out)/f"{args.recipe}.npz"
    run.save(path)
    say(f"{paint(f'{100*run.accuracy:.1f} %', 'bold')} of {len(run.test[1])} held-out digits read correctly; "
        f"{run.parameters:,} parameters, {run.seconds:.1f} s")
    say(f"saved {path}; python -m fastnn predict {path} IMAGE tells what it sees in a picture")
    return 130 if run.history.interrupted else 0


moved_names(__name__)
