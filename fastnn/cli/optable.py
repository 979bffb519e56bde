"""`python -m fastnn ops`: the table of ops; `ops conv2d`: everything that the record of one op
knows. fastnn/optable does the work.
"""

from __future__ import annotations

from argparse import Namespace

from .. import optable
from ..console import heading, say, table
from ..moved import moved_names
from ..op import OPS, Op

__all__ = ["command"]


def command(args: Namespace) -> int:
    if args.markdown:
        say(optable.markdown())
    elif args.op is None:
        show_table()
    else:
        for op in optable.find_ops([args.op]):
            show_op(op)
    return 0


def show_table() -> None:
    width = max(map(len, OPS))
    for family, ops in optable.families().items():
        heading(family)
        for op in ops:
            say(f"  {op.name:<{width}}  {'C    ' if op.forward else 'NumPy'}  {op.formula}")
    say()
    say(f"{len(OPS)} ops, and what each runs in. "
        "`python -m fastnn ops NAME` shows the files, costs and samples of one.")


def show_op(op: Op) -> None:
    heading(f"{op.name} ({op.family})")
    say(f"  {op.formula}")
    if text := optable.text_of(op):
        say()
        for line in text:
            say(f"  {line}".rstrip())
    say()
    say(table(["", ""], optable.facts_of(op).items(), "ll").split("\n", 1)[1])
    if costs := optable.costs_of(op):
        heading("cost of one forward, in float32")
        rows = [[cost.case, cost.inputs, f"{cost.flops/1e6:,.1f}", f"{cost.bytes/1e6:,.1f}",
                 f"{cost.flops/cost.bytes:.1f}" if cost.bytes else "-"] for cost in costs]
        say(table(["case", "inputs", "Mflop", "MB moved", "flop per byte"], rows, "llrrr"))
    samples = optable.samples_of(op)
    heading(f"samples: {len(samples)} tiny calls that every law is tried on")
    for sample in samples:
        say(f"  {sample}")
    if op.errors:
        heading("errors: what it refuses")
        rows = [[bad.what, bad.raises.__name__, ", ".join(bad.words)] for bad in op.errors]
        say(table(["call", "raises", "the message names"], rows, "lll"))
    say()


moved_names(__name__)
