"""Where modules and names went: an old import path leads to the new one, with a warning that names
it, or says what to use instead.

The finder stands last in `sys.meta_path`, behind Python's own: it is asked where an import fails.
A module that is still there, but has lost names, has a line `moved_names(__name__)`.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from opcode import opmap
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from .errors import AttributeMistake, FastnnError, ImportMistake

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:
    # importlib.abc loads what takes 5 ms: tempfile, shutil, bz2, ...
    Loader = MetaPathFinder = object

__all__ = ["GONE", "MODULES", "NAMES", "answer_for", "missing", "moved_names", "watch"]

_BENCH = ("bars", "ladder", "levels", "libraries", "limits", "memory", "networks", "onnx_graphs", "overhead", "race",
          "results", "scaling", "sweep", "torch_ops", "workloads")

# old module -> new module
MODULES = {
    "fastnn.ops.registry": "fastnn.op",
    "fastnn.optim.schedule": "fastnn.optim.lr_scheduler",
    "fastnn.data.bundled": "fastnn.data.sets.digits",
    "fastnn.data.toy": "fastnn.data.sets.toy",
    "fastnn.training.history": "fastnn.training.callbacks.history",
    "fastnn.training.progress": "fastnn.training.callbacks.progress",
    "fastnn.viz.html": "fastnn.report.html",
    "fastnn.viz.page": "fastnn.report.page",
    "fastnn.viz.sections": "fastnn.report.sections",
    "fastnn.cli.console": "fastnn.console",
    "fastnn.cli.png": "fastnn.io.png",
    "fastnn.cli.bench_worker": "fastnn.bench.worker",
    "fastnn.cli.picture": "fastnn.io.pictures",
    "fastnn.models.digits": "fastnn.models.vision.digits",
    "fastnn.models.lenet": "fastnn.models.vision.lenet",
    **{f"fastnn.cli.{name}": f"fastnn.bench.{name}" for name in _BENCH},
}

# a module's path in PyTorch, were torch fastnn -> the module; without a warning, no path is old
OF_PYTORCH = {
    "fastnn.nn": "fastnn", "fastnn.nn.functional": "fastnn.functional", "fastnn.nn.init": "fastnn.init",
    "fastnn.nn.modules": "fastnn.layers", "fastnn.nn.parameter": "fastnn", "fastnn.nn.utils": "fastnn.utils",
    "fastnn.utils.data": "fastnn.data",
}


def _into(module: str, *names: str) -> dict[str, str]:
    """These names, which the new module has unchanged."""
    return {name: f"{module}.{name}" for name in names}


# old module -> {name: where it is now}
NAMES = {
    "fastnn.config": {
        **_into("fastnn.random", "generator", "next_dropout_key", "random_state", "seed", "set_random_state"),
        **_into("fastnn.about", "processor", "show_config"), "config": "fastnn.about.describe",
    },
    "fastnn.backend": _into("fastnn.testing.replace", "use_kernel"),
    "fastnn.data.dataset": _into("fastnn.data.splits", "Subset", "random_split"),
    "fastnn.io": {
        **_into("fastnn.io.files", "Path"), **_into("fastnn.io.atomic", "atomic_write"),
        **_into("fastnn.io.tree", "Malformed", "flatten", "unflatten"),
        **_into("fastnn.errors", "DTypeError", "FileError"),
    },
    "fastnn.kernels": _into("fastnn.arrays", "ALIGNED_FROM", "LINE", "copied", "empty", "full"),
    "fastnn.layers.container": _into("fastnn.layers.fusion", "fusible"),
    "fastnn.ops.extremes": {"place": "fastnn.ops.extremes.position"},
    "fastnn.ops.shape": {
        **_into("fastnn.ops.shape_op", "array_check"),
        **_into("fastnn.ops.permute", "PERMUTE", "movedim", "permute", "swapaxes", "transpose"),
        **_into("fastnn.ops.repeat", "EXPAND", "TILE", "broadcast_tensors", "broadcast_to", "expand", "repeat", "tile"),
        **_into("fastnn.ops.join", "CAT", "STACK", "cat", "concatenate", "stack"),
        **_into("fastnn.ops.split", "SPLIT", "UNBIND", "chunk", "split", "unbind"),
        **_into("fastnn.ops.pad", "PAD", "pad"),
        **_into("fastnn.ops.flip", "FLIP", "ROLL", "flip", "roll"),
        **_into("fastnn.ops.triangle", "TRIANGLE", "tril", "triu"),
        **_into("fastnn.ops.clone", "CLONE", "TO", "clone", "contiguous"),
    },
    "fastnn.training.loop": _into("fastnn.training.evaluation", "evaluate", "predict"),
    "fastnn.training.progress": _into("fastnn.console", "is_notebook"),
    "fastnn.viz": _into("fastnn.viz.learning_curves", "curve_charts"),
    "fastnn.viz.images": {"png": "fastnn.io.png.write_png"},
    "fastnn.viz.page": {"page": "fastnn.report.page.frame"},
    "fastnn.cli": _into("fastnn.cli.parser", "Parser", "positive", "training_options"),
    "fastnn.cli.bench": {
        **_into("fastnn.bench.choice", "GROUPS"), **_into("fastnn.bench.screen", "NAME_WIDTH", "say_missing"),
        "report": "fastnn.bench.screen.show_summary",
    },
    "fastnn.cli.check": _into("fastnn.testing.verdicts", "laws_for"),
    "fastnn.cli.doctor": _into("fastnn.about", "DISTRIBUTIONS", "EXTRAS", "compiler_here", "machine_memory",
                               "memory_limit", "numpy_blas", "threads_and_why", "version_of"),
    "fastnn.cli.ladder": {"command": "fastnn.cli.bench.measure_ladders", "turn": "fastnn.bench.ladder.time_of"},
    "fastnn.cli.memory": {"command": "fastnn.cli.bench.measure_memory"},
    "fastnn.cli.optable": {
        **_into("fastnn.optable.files", "ROOT", "files_of", "header_of", "kernel_files", "record_module",
                "wrappers_of"),
        "print_op": "fastnn.cli.optable.show_op", "print_table": "fastnn.cli.optable.show_table",
    },
    "fastnn.cli.overhead": {"command": "fastnn.cli.bench.measure_overhead"},
    "fastnn.cli.picture": {**_into("fastnn.models.vision.preprocessing", "grey"),
                           "placement": "fastnn.models.vision.preprocessing.area_weights"},
    "fastnn.cli.png": {"BadPicture": "fastnn.errors.FileError"},
    "fastnn.cli.predict": _into("fastnn.models.recognition", "probabilities"),
    "fastnn.cli.results": {"tell": "fastnn.cli.bench.finish"},
    "fastnn.cli.scaling": {"command": "fastnn.cli.bench.measure_scaling"},
    "fastnn.cli.sweep": {"TURN": "fastnn.bench.sweep.SECONDS", "command": "fastnn.cli.bench.measure_sweep"},
    "fastnn.cli.tour": {
        "ROUNDS": "fastnn.bench.highlights.ROUNDS", "TURN": "fastnn.bench.highlights.SECONDS",
        "SPEED": "fastnn.bench.highlights.HIGHLIGHTS", "Race": "fastnn.bench.highlights.Highlights",
        "describe_machine": "fastnn.about.machine", "speed": "fastnn.cli.tour.compete",
        "activations": "fastnn.report.classifier.activations",
        "probabilities": "fastnn.models.recognition.probabilities",
    },
    "fastnn.cli.train": {**_into("fastnn.models.recipes", "RECIPES", "Recipe", "Run", "enlarged", "nudged"),
                         "run": "fastnn.models.recipes.train"},
    "fastnn.cli.workloads": {
        **_into("fastnn.bench.contest", "floats"),
        **_into("fastnn.bench.kernel_list", "attention", "conv", "conv1d", "conv_transpose", "gemm", "labelled",
                "pointwise", "pool", "product", "recurrent"),
    },
    "fastnn.testing.gradcheck": _into("fastnn.testing.derivatives", "inner", "op_gradcheck", "random_cotangent"),
}

# old module, or old module and name -> what to say: what it did is done in another way now
GONE = {
    "fastnn.viz.report": "fastnn.viz.report is the function nn.viz.report(model, data) now; "
                         "Report and its parts are in fastnn.report",
    **{f"fastnn.{name}": f"fastnn.{name} has gone; {instead}" for name, instead in {
        "cli.bench.Screen": "use fastnn.bench.screen.RaceTable(rivals, limits), which prints its head at once",
        "cli.bench.rivals_here": "use fastnn.bench.choice.choose_rivals('torch,numpy')",
        "cli.bench.run": "use fastnn.bench.speed.measure(workloads, rivals, threads, rounds, seconds)",
        "cli.networks.gpt_flops": "fastnn.models.get_record('gpt-4x128').multiply_adds is exact",
        "cli.networks.lenet": "use fastnn.models.LeNet5(), or fastnn.bench.networks.NETWORKS['lenet'].build(library)",
        "cli.networks.resnet18": "use fastnn.models.resnet18(), or "
                                 "fastnn.bench.networks.NETWORKS['resnet18'].build(library)",
        "cli.optable.arguments": "use fastnn.optable.call_of(op)",
        "cli.optable.head_of": "use fastnn.optable.text_of(op)",
        "cli.optable.print_costs": "use fastnn.optable.costs_of(op)",
        "cli.optable.print_markdown": "use fastnn.optable.markdown(), which returns the text",
        "cli.optable.shapes": "use fastnn.optable.samples_of(op)",
        "cli.picture.MARGIN": "the margin is part of fastnn.models.Ink(size, margin)",
        "cli.picture.to_digit": "use fastnn.models.Ink(size, margin)(picture)",
        "cli.png.undo_average": "use fastnn.io.png.unfilter, which undoes all filters",
        "cli.png.undo_paeth": "use fastnn.io.png.unfilter, which undoes all filters",
        "cli.predict.say_one": "use fastnn.cli.predict.show(seen, draw)",
        "cli.summary.find_model": "use fastnn.models.get_model(name) or fastnn.models.load(file)",
        "cli.summary.input_shape": "use fastnn.cli.summary.shape_of(text)",
        "cli.tour.as_picture": "use fastnn.io.pictures.black_on_white(ink, times)",
        "cli.tour.make_report": "use fastnn.report.digits.digits_report(run)",
        "cli.tour.speed_entry": "use fastnn.bench.highlights.Highlights.microseconds()",
        "cli.tour.speed_row": "use fastnn.bench.screen.show_highlights(race, missing)",
        "cli.train.CLASSES": "use fastnn.models.get_record('digits').classes",
        "cli.train.arrays": "use fastnn.models.recipes.Recipe.arrays(split)",
        "cli.train.save": "use fastnn.models.recipes.Run.save(path)",
        "layers.container.FUSIONS": "use fastnn.layers.fusion.FUSIONS, by the first layer and then by the second",
        "methods.plain_index": "x[key] takes tensors in the key as they are",
        "ops.batch_norm.cut": "use np.maximum(y, 0)",
        "ops.softmax.errors": "use fastnn.ops.softmax.errors_of(name, function)",
        "training.nonfinite.check": "use np.isfinite(loss.item())",
    }.items()},
}


def _warn(text: str, category: type[Warning]) -> None:
    """The warning, at the line that uses the old path: the first that is neither ours nor
    importlib's.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith((__name__, "importlib")):
        frame = frame.f_back
    if frame is not None:
        warnings.warn_explicit(text, category, frame.f_code.co_filename, frame.f_lineno, frame.f_globals["__name__"],
                               frame.f_globals.setdefault("__warningregistry__", {}))


def _warn_moved(old: str, new: str) -> None:
    _warn(f"{old} has moved to {new}; the old path will go in fastnn 0.2", DeprecationWarning)


class _Alias(Loader):
    """Puts the new module under the old name. It answers for names that it had there, too."""

    def __init__(self, new: str):
        self.new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an ordinary module first."""

    def exec_module(self, module: ModuleType) -> None:
        new = sys.modules[module.__name__] = importlib.import_module(self.new)
        if "__getattr__" not in vars(new):
            vars(new)["__getattr__"] = _finder(module.__name__)


def _tell_what_it_may_mean(name: str) -> None:
    """ModuleNotFoundError for a module that PyTorch has, or where something is near."""
    room, _, last = name.rpartition(".")
    if room != "fastnn" or last.startswith("_"):
        return
    from .names import advice
    told = advice(last, room)
    if told:
        raise ModuleNotFoundError(f"No module named {name!r}. {told}", name=name)


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name in GONE:
            raise ModuleNotFoundError(GONE[name], name=name)
        if name in OF_PYTORCH:
            return ModuleSpec(name, _Alias(OF_PYTORCH[name]))
        new = MODULES.get(name)
        if new is None:
            _tell_what_it_may_mean(name)
            return None
        _warn_moved(name, new)
        return ModuleSpec(name, _Alias(new))


def watch() -> None:
    """Let old import paths and PyTorch's work. Called once, by `import fastnn`."""
    sys.meta_path.append(_Finder())
    for path, module in OF_PYTORCH.items():
        if module in sys.modules:
            # or Python would look for fastnn.nn.functional beside fastnn, and load it a second time
            sys.modules[path] = sys.modules[module]


def moved_names(module: str) -> Callable[[str], Any]:
    """Give a module a `__getattr__` for what was `module.name`, an object or a module; returns it.

    It is not assigned where type checkers see it: they would take it that any name is there.
    """
    find = _finder(module)
    vars(sys.modules[module])["__getattr__"] = find
    return find


def _finder(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module."""
    def find(name: str) -> Any:
        old = f"{module}.{name}"
        if old in MODULES or old in OF_PYTORCH:
            return importlib.import_module(old)
        if new := NAMES.get(module, {}).get(name):
            _warn_moved(old, new)
            place, _, attribute = new.rpartition(".")
            return getattr(importlib.import_module(place), attribute)
        if old in GONE:
            # `from module import name` tells no more than that it failed
            _warn(GONE[old], FutureWarning)
            raise AttributeError(GONE[old])
        raise missing(module, name)
    return find


def missing(module: str, name: str) -> FastnnError:
    """The error for `module.name`, or for `from module import name`, to be raised by the module's
    __getattr__.
    """
    def find() -> str:
        from .names import advice
        return advice(name, module)

    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name in ("__getattr__", "find"):
        frame = frame.f_back
    if frame is not None and frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]:
        return ImportMistake(f"cannot import name {name!r} from {module!r}", hint=find())
    return AttributeMistake(f"module {module!r} has no attribute {name!r}", find=find)


def answer_for(*modules: ModuleType) -> None:
    """Give these modules, which have lost no names, a `__getattr__` that says what is near. Here,
    so that type checkers know what is in them and what is not.
    """
    for module in modules:
        vars(module).setdefault("__getattr__", _finder(module.__name__))
