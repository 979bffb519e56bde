"""Where modules went: an old import path leads to the new one, with a warning that names it.

Nothing here runs unless an import fails: the finder stands last in `sys.meta_path`, behind Python's
own.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:
    Loader = MetaPathFinder = object                # importlib.abc loads what takes 5 ms: tempfile, shutil, bz2, ...

__all__ = ["GONE", "MODULES", "NAMES", "moved_name", "watch"]

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

# old module -> what to say: what it did is done in another way now
GONE = {
    "fastnn.viz.report": "fastnn.viz.report is the function nn.viz.report(model, data) now; "
                         "Report and its parts are in fastnn.report",
}

# old module -> {name: (new module, new name)}
NAMES = {
    "fastnn.config": {
        "seed": ("fastnn.random", "seed"), "generator": ("fastnn.random", "generator"),
        "next_dropout_key": ("fastnn.random", "next_dropout_key"), "random_state": ("fastnn.random", "random_state"),
        "set_random_state": ("fastnn.random", "set_random_state"), "processor": ("fastnn.about", "processor"),
        "config": ("fastnn.about", "describe"), "show_config": ("fastnn.about", "show_config"),
    },
    "fastnn.backend": {"use_kernel": ("fastnn.testing.replace", "use_kernel")},
    "fastnn.data.dataset": {name: ("fastnn.data.splits", name) for name in ("Subset", "random_split")},
    "fastnn.kernels": {name: ("fastnn.arrays", name) for name in ("ALIGNED_FROM", "LINE", "copied", "empty", "full")},
    "fastnn.training.loop": {name: ("fastnn.training.evaluation", name) for name in ("evaluate", "predict")},
}


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} has moved to {new}; the old path will go in fastnn 0.2", DeprecationWarning, stacklevel=4)


class _Alias(Loader):
    """Puts the new module under the old name."""

    def __init__(self, new: str):
        self.new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an ordinary module first."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.new)


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name in GONE:
            raise ModuleNotFoundError(GONE[name], name=name)
        new = MODULES.get(name)
        if new is None:
            return None
        _warn(name, new)
        return ModuleSpec(name, _Alias(new))


def watch() -> None:
    """Let old import paths work. Called once, by `import fastnn`."""
    sys.meta_path.append(_Finder())


def moved_name(module: str, name: str) -> Any:
    """For a module's `__getattr__`: what was `module.name`, an object or a module.

    Raises
    ------
    AttributeError
        If there never was such a name.
    """
    if f"{module}.{name}" in MODULES:
        return importlib.import_module(f"{module}.{name}")
    if name not in NAMES.get(module, {}):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    new, attribute = NAMES[module][name]
    _warn(f"{module}.{name}", f"{new}.{attribute}")
    return getattr(importlib.import_module(new), attribute)
