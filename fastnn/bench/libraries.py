"""fastnn, PyTorch, NumPy and ONNX Runtime behind one small face, so that a workload is written once
and every contestant runs it.

Layers and functions have the same names in fastnn and in PyTorch; what differs (tensors, gradients,
optimisers) is here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..op import seeded
from .contest import NotOffered

__all__ = ["LIBRARIES", "NAMES", "PACKAGES", "Fastnn", "Numpy", "OnnxRuntime", "Torch", "fill"]


class Fastnn:
    """What a workload needs of fastnn."""

    name = "fastnn"

    def __init__(self, threads: int | None = None):
        import fastnn
        if threads:
            fastnn.set_num_threads(threads)
        self.nn: Any = fastnn
        self.F: Any = fastnn.functional
        self.optim: Any = fastnn.optim
        self.version = f"fastnn {fastnn.__version__} ({fastnn.isa()})"
        self.threads = fastnn.get_num_threads()

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        """A leaf in memory of the library's own, as `torch.tensor` makes it; `nn.tensor` alone
        would share what NumPy allocated.
        """
        leaf = self.nn.empty(*array.shape, dtype=array.dtype, requires_grad=requires_grad)
        np.copyto(leaf.data, array)
        return leaf

    def without_gradients(self) -> AbstractContextManager[Any]:
        return self.nn.no_grad()

    def backward(self, outputs: Sequence[Any], gradients: Sequence[Any]) -> None:
        self.nn.autograd.backward(outputs, gradients)

    def array(self, t: Any) -> np.ndarray:
        return t.data

    def assign(self, parameter: Any, array: np.ndarray) -> None:
        np.copyto(parameter.data, array)

    def adam(self, parameters: Any) -> Any:
        return self.optim.Adam(parameters, lr=1e-3)

    def op(self, name: str) -> Callable[..., Any]:
        """The op of a record, with the record's inputs and attributes."""
        from ..autograd import apply
        from ..op import OPS
        return lambda *inputs, **attrs: apply(OPS[name], *inputs, **attrs)


class Torch:
    """What a workload needs of PyTorch."""

    name = "torch"

    def __init__(self, threads: int | None = None):
        import torch
        if threads:
            torch.set_num_threads(threads)
        self.torch = torch
        self.nn: Any = torch.nn
        self.F: Any = torch.nn.functional
        self.optim: Any = torch.optim
        self.version = f"PyTorch {torch.__version__}"
        self.threads = torch.get_num_threads()

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        return self.torch.tensor(array, requires_grad=requires_grad)

    def without_gradients(self) -> AbstractContextManager[Any]:
        return self.torch.inference_mode()

    def backward(self, outputs: Sequence[Any], gradients: Sequence[Any]) -> None:
        self.torch.autograd.backward(list(outputs), list(gradients))

    def array(self, t: Any) -> np.ndarray:
        return t.detach().numpy()

    def assign(self, parameter: Any, array: np.ndarray) -> None:
        with self.torch.no_grad():
            parameter.copy_(self.torch.from_numpy(array))

    def adam(self, parameters: Any) -> Any:
        """The fused form: PyTorch's fastest on a CPU."""
        return self.optim.Adam(parameters, lr=1e-3, fused=True)

    def op(self, name: str) -> Callable[..., Any]:
        from .torch_ops import torch_op
        return torch_op(self.torch, name)


class Numpy:
    """NumPy runs expressions on arrays; it has no gradients, layers or optimisers."""

    name = "numpy"

    def __init__(self, threads: int | None = None):
        self.version = f"NumPy {np.__version__}"
        self.threads = threads or int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1
        if threads:
            try:
                import threadpoolctl
                threadpoolctl.threadpool_limits(threads)
            except ImportError:
                pass                    # a process of its own gets the number from its environment


class OnnxRuntime:
    """ONNX Runtime runs the inference of whole networks, as graphs that onnx_graphs.py makes of our
    weights.
    """

    name = "onnxruntime"

    def __init__(self, threads: int | None = None):
        import onnx  # noqa: F401
        import onnxruntime
        self.runtime = onnxruntime
        self.version = f"ONNX Runtime {onnxruntime.__version__}"
        self.threads = threads or os.cpu_count() or 1

    def network(self, name: str, state: dict[str, np.ndarray], batch: int) -> Callable[[np.ndarray], np.ndarray]:
        """A function of the input that runs the network with these weights; NotOffered where there
        is no graph of it.
        """
        from .onnx_graphs import GRAPHS, model_bytes
        if name not in GRAPHS:
            raise NotOffered(f"no ONNX graph of {name}")
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        session: Any = self.runtime.InferenceSession(model_bytes(name, state, batch), options,
                                                     providers=["CPUExecutionProvider"])
        return lambda x: session.run(None, {"x": x})[0]


LIBRARIES: dict[str, type[Any]] = {"fastnn": Fastnn, "numpy": Numpy, "torch": Torch, "onnxruntime": OnnxRuntime}
NAMES = {"fastnn": "fastnn", "numpy": "NumPy", "torch": "PyTorch", "onnxruntime": "ONNX Runtime"}
# what a rival needs to take part
PACKAGES = {"numpy": ("numpy",), "torch": ("torch",), "onnxruntime": ("onnxruntime", "onnx")}


def fill(library: Any, module: Any, seed: str) -> None:
    """The same parameters in every library: drawn from (seed, name of the parameter), with a spread
    of 1/sqrt(inputs).
    """
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        draw = seeded(f"{seed}.{name}").standard_normal(shape)
        scale = 1/np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
        offset = 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0          # of a norm
        library.assign(parameter, (offset + scale*draw).astype(np.float32))
