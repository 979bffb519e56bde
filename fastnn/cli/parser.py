"""The arguments of `python -m fastnn`, and main, which runs the command that they name."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]


class Parser(argparse.ArgumentParser):
    """argparse, with its complaints in one line, and with what may be meant."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it, after a look at words that are no option of any command."""
        given = sys.argv[1:] if args is None else list(args)
        known = self.options()
        for word in given[:given.index("--")] if "--" in given else given:
            option = word.partition("=")[0]
            if option.startswith("--") and option not in known:
                self.error(f"there is no option {option}{meant(option, known)}")
        return super().parse_args(given, namespace)

    def options(self) -> list[str]:
        """All options, of the commands too."""
        found = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [option for sub in action.choices.values() for option in sub.options()]
        return list(dict.fromkeys(found))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            raise argparse.ArgumentError(action, f"there is no {value!r}"
                                         + (meant(value, known) or f", but {', '.join(known)}"))

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def meant(word: str, known: Iterable[str]) -> str:
    """For a complaint: what a word may be instead."""
    from ..names import near
    close = near(word, known)
    return f"; did you mean {close[0]}?" if close else ""


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text}")
    return value


def from_zero(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, got {text}")
    return value


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value


def attribute(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a name and a number, as in lambd=0.5, got {text}") from None


def parser() -> argparse.ArgumentParser:
    installed = os.path.basename(sys.argv[0]) in ("fastnn", "fastnn.exe")
    top = Parser(prog="fastnn" if installed else "python -m fastnn",
                 description="Without a command: check every kernel on this machine, train a network "
                 "that reads handwriting, compare speed, and write a report.", allow_abbrev=False)
    from .. import __version__
    top.add_argument("--version", action="version", version=f"fastnn {__version__}")
    top.set_defaults(module="tour")
    training_options(top, out="fastnn-run", epochs=10)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def command(name: str, about: str, module: str | None = None) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        sub.set_defaults(module=module or name)
        return sub

    sub = command("check", "compare the kernels with their NumPy definitions")
    sub.add_argument("ops", nargs="*", metavar="OP", help="an op or a family; default: all")
    sub.add_argument("--all-laws", action="store_true",
                     help="also finite differences, exactness, layouts, memory, threads, ...")
    sub.add_argument("--dtype", choices=("float32", "float64", "both"), default="both")

    sub = command("bench", "measure speed, against PyTorch and NumPy")
    sub.add_argument("names", nargs="*", metavar="NAME",
                     help="an op, a family, a network, or one of the groups ops, kernels, networks; "
                     "default: kernels and networks; or one of memory [NETWORK ...], scaling [NAME ...], overhead, "
                     "sweep: peak memory of training steps, several threads over one, cost of tape and layers, "
                     "odd sizes")
    sub.add_argument("--against", default="torch,numpy",
                     help="rivals, with commas between them: torch, numpy, onnxruntime (inference of "
                     "networks); '' for none (default: torch,numpy)")
    sub.add_argument("--threads", type=positive, help="for every contestant (default: what fastnn would use)")
    sub.add_argument("--backward", action="store_true", help="only forward+backward and training steps")
    sub.add_argument("--rounds", type=positive, default=7, help="how often each contestant is timed (default: 7)")
    sub.add_argument("--seconds", type=seconds, default=0.05, help="how long it runs each time (default: 0.05)")
    sub.add_argument("--isa", metavar="LEVEL",
                     help="hold everybody to an instruction set, e.g. avx2 (default: FASTNN_ISA, or the best)")
    sub.add_argument("--save", metavar="DIR",
                     help="write Markdown and JSON there, named after processor, instruction set and threads")
    sub.add_argument("--json", action="store_true", help="print JSON instead of a table")
    sub.add_argument("--ladder", action="store_true",
                     help="instead, the steps from the plain loops to the kernel: gemm, conv2d, pooling, softmax, "
                     "lstm, attention (docs/kernels)")
    sub.add_argument("--markdown", action="store_true", help="with --ladder: the table in Markdown")

    sub = command("train", "train a network on the bundled digits and save it")
    sub.add_argument("recipe", nargs="?", choices=("digits", "lenet"), default="digits")
    training_options(sub, out=None, epochs=None)
    sub.add_argument("--checkpoint", metavar="FILE",
                     help="written after each epoch; training resumes from it if it exists")

    sub = command("predict", "say what is in a picture")
    sub.add_argument("model", metavar="MODEL",
                     help="a file that `train` or `python -m fastnn` wrote, e.g. fastnn-run/digits.npz")
    sub.add_argument("images", nargs="+", metavar="IMAGE", help="a picture, or an array in a .npy or .npz file")

    sub = command("summary", "layers, shapes, parameters and costs of a network")
    sub.add_argument("model", metavar="MODEL",
                     help="a model file, or the name of a network: digits, lenet, resnet18, gpt2, ...")
    sub.add_argument("--input", metavar="SHAPE", help="shape of one sample, e.g. 1,28,28 (default: the network's own)")

    sub = command("ops", "the table of ops; with a name, everything about one", module="optable")
    sub.add_argument("op", nargs="?", metavar="OP")
    sub.add_argument("--markdown", action="store_true", help="the table in Markdown")

    sub = command("new-op", "in a checkout, write the skeleton of an op: definition, record, tests; then its kernel",
                  module="new_op")
    sub.add_argument("name", metavar="NAME", help="of the function, as PyTorch calls it")
    sub.add_argument("--family", metavar="F", default="",
                     help="the file of fastnn/ops that it goes to, such as activation; a new name begins one")
    sub.add_argument("--inputs", metavar="NAMES", default="x", help="with commas between them (default: x)")
    sub.add_argument("--attr", metavar="NAME=NUMBER", action="append", type=attribute, default=[],
                     help="an attribute and its default, such as lambd=0.5; once for each")
    sub.add_argument("--page", metavar="PAGE", default="", help="for a new family: its page in docs/api")
    sub.add_argument("--no-torch", action="store_true",
                     help="no comparison with PyTorch; there is none either where it has no such function")
    sub.add_argument("--kernel", action="store_true",
                     help="instead, the kernel of an op that has its definition: row, body, wrapper, case")
    sub.add_argument("--folder", metavar="FOLDER", default="",
                     help="for the first kernel of a family: where in csrc it stands")

    command("doctor", "what fastnn found on this machine, and what is missing")
    return top


def training_options(sub: argparse.ArgumentParser, out: str | None, epochs: int | None) -> None:
    sub.add_argument("--out", metavar="DIR", default=out or "fastnn-run", help="where files go (default: fastnn-run)")
    sub.add_argument("--seed", type=from_zero, default=0, help="of weights and order (default: 0)")
    sub.add_argument("--epochs", type=positive, default=epochs, help="rounds through the digits (default: 10)")


def check_folder(folder: str) -> None:
    """Raise what writing into this folder would raise, before there is anything to write."""
    from ..console import UserError
    nearest = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UserError(f"cannot write into {folder}: {nearest} is "
                        + ("not writable" if nearest.is_dir() else "a file, not a folder"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 a check failed, 2 a mistake in what was
    asked, 130 interrupted.
    """
    from ..console import UserError, complain
    from ..errors import FastnnError
    args = parser().parse_args(argv)
    module = importlib.import_module(f".{args.module}", __package__)
    try:
        for folder in filter(None, (getattr(args, "out", None), getattr(args, "save", None))):
            check_folder(folder)
        code = int(module.command(args))
        sys.stdout.flush()
        return code
    except BrokenPipeError:     # the reader of our output went away (`| head`): nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, FastnnError, ImportError) as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        folder, name = os.path.split(error.filename if isinstance(error.filename, str) else "")
        if isinstance(error, FileNotFoundError) and os.path.isdir(folder or "."):
            message += meant(name, os.listdir(folder or "."))
    except MemoryError as error:
        message = str(error) or "there is not enough memory"
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    complain("fastnn: " + "\n".join(line.rstrip() for line in message.strip().splitlines()))
    return 2
