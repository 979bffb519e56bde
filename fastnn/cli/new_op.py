"""`python -m fastnn new-op`: the skeleton of an op; fastnn/optable/skeleton.py writes it."""

from __future__ import annotations

from argparse import Namespace

from ..console import UserError, heading, say
from ..moved import moved_names
from ..optable.skeleton import kernel_skeleton, op_skeleton

__all__ = ["command"]


def command(args: Namespace) -> int:
    name = args.name
    if not args.kernel and not args.family:
        raise UserError(f"new-op {name}: --family says to which file of fastnn/ops it goes, such as activation; "
                        "--kernel adds the kernel of an op that has its definition")
    draft = kernel_skeleton(name, args.folder) if args.kernel else op_skeleton(
        name, args.family, tuple(args.inputs.split(",")), dict(args.attr), args.page, with_torch=not args.no_torch)
    new = [path for path in draft.files if not (draft.root/path).exists()]
    draft.write()
    heading("written")
    for path in sorted(draft.files):
        say(f"  {path}{'  (new)' if path in new else ''}")
    heading("next")
    for line in KERNEL_NEXT if args.kernel else OP_NEXT:
        say(f"  {line.format(name=name)}")
    return 0


OP_NEXT = ("fill what says ... or raises NotImplementedError; git diff shows all of it",
           "fastnn/ops/slopes.py                             its slope, for create_graph; not of a linear op",
           "make laws OP={name}                               until it is green: the definition, checked",
           "python -m fastnn new-op {name} --kernel           then the kernel",
           "make readme                                       the table of ops; and a line in CHANGELOG.md")
KERNEL_NEXT = ("write the bodies, which give NaN so far, and the contracts, which say ...; git diff shows them",
               "make build laws levels OP={name}                  until it is green at every level",
               "make selftest                                     the same in C, against plain loops")


moved_names(__name__)
