"""Everything that `bench` and benchmarks/ can measure, by name: "conv2d/resnet.64c56/forward",
"lenet/step".

A workload makes a Contest for a contestant: a call to be timed, and the numbers that it computes,
which are compared with the other contestants' before anything is timed. Inputs are drawn from
seeds, so processes need not send each other any.

Three groups: `ops` are the `bench` cases of the records, `kernels` the fixed list below, `networks`
those of networks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..op import OPS, Op, Sample, seeded
from .libraries import Fastnn, NotOffered, fill
from .networks import NETWORKS, Network

__all__ = ["BACKWARD", "FORWARD", "STEP", "Contest", "Workload", "catalogue"]

FORWARD, BACKWARD, STEP = "forward", "forward+backward", "step"
STEPS_COMPARED = 3          # training steps whose losses must agree


@dataclass(frozen=True)
class Contest:
    """One workload as one contestant runs it."""

    call: Callable[[], Any]                         # what is timed
    results: Callable[[], list[np.ndarray]]         # what it computes: compared with the others' before timing
    library: Any
    gradients: bool = True                          # whether `call` needs the tape

    def repeat(self, number: int) -> None:
        call = self.call
        if self.gradients or self.library.name == "numpy":
            for _ in range(number):
                call()
        else:
            with self.library.without_gradients():
                for _ in range(number):
                    call()


@dataclass(frozen=True)
class Workload:
    """Something to measure.

    contest   contest(library) -> Contest; NotOffered where the library has nothing of the kind
    cost      () -> (flops, bytes) of one call: a multiply-add counts as two, bytes are the least
              that must move; 0 is unknown
    tolerance largest difference between two contestants' results, as a share of the largest value
    """

    name: str
    group: str
    contest: Callable[[Any], Contest]
    cost: Callable[[], tuple[float, float]]
    tolerance: float = 1e-4

    @property
    def direction(self) -> str:
        return self.name.rsplit("/", 1)[1]

    @property
    def subject(self) -> str:
        """What it is about: the op, kernel or network."""
        return self.name.split("/", 1)[0]


# ---- expressions: a function of arrays, forward or forward+backward ------------------------------
def floats(values: Sequence[Any]) -> list[bool]:
    return [isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in values]


def expression(library: Any, function: Callable[..., Any], inputs: Sequence[Any], direction: str, seed: str,
               differentiable: Sequence[bool] | None = None, compared: int | None = None) -> Contest:
    """function(*tensors), with the gradients of the differentiable inputs where the direction asks
    for them.

    compared: only so many of the outputs are looked at, and get an upstream gradient; default: all.
    """
    backward = direction == BACKWARD
    wanted = [is_float and backward and (differentiable is None or differentiable[i]) for i,
              is_float in enumerate(floats(inputs))]
    leaves = [library.tensor(a, requires_grad=w) if isinstance(a, np.ndarray) else a for a, w in zip(inputs, wanted)]

    def outputs() -> list[Any]:
        y = function(*leaves)
        return [y] if not isinstance(y, (tuple, list)) else list(y[:compared])

    def results() -> list[np.ndarray]:
        if not backward:
            with library.without_gradients():
                return [library.array(y) for y in outputs()]
        ys = step()
        return [library.array(y) for y in ys] + [library.array(leaf.grad) for leaf, w in zip(leaves, wanted) if w]

    if not backward:
        return Contest(lambda: function(*leaves), results, library, gradients=False)

    with library.without_gradients():
        shapes = [(library.array(y).shape, library.array(y).dtype) for y in outputs()]
    rng = seeded(seed)
    cotangents = [library.tensor(rng.standard_normal(shape).astype(dtype)) if dtype.kind == "f" else None for shape,
                  dtype in shapes]

    def step() -> list[Any]:
        for leaf, w in zip(leaves, wanted):
            if w:
                leaf.grad = None                    # fresh gradients every time
        ys = outputs()
        with_gradient = [(y, g) for y, g in zip(ys, cotangents) if g is not None and y.requires_grad]
        library.backward([y for y, _ in with_gradient], [g for _, g in with_gradient])
        return ys
    return Contest(step, results, library)


def numpy_expression(library: Any, function: Callable[..., Any], inputs: Sequence[Any], direction: str) -> Contest:
    if direction != FORWARD:
        raise NotOffered("NumPy has no gradients")

    def results() -> list[np.ndarray]:
        y = function(*inputs)
        return [np.asarray(a) for a in (y if isinstance(y, (tuple, list)) else [y])]
    return Contest(lambda: function(*inputs), results, library, gradients=False)


# ---- the records' cases --------------------------------------------------------------------------
def dropout_facts(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Which elements drop out is each library's own affair; how many, and what the others become,
    is not.
    """
    kept = y != 0
    return [np.array([kept.mean(), (y[kept]/x[kept]).mean()])]


def op_workload(op: Op, case: str, make: Callable[[], Sample], direction: str) -> Workload:
    def contest(library: Any) -> Contest:
        sample = make()
        inputs, attrs = sample.cast(np.float32), dict(sample.attrs)
        if library.name == "onnxruntime":
            raise NotOffered("ONNX Runtime runs whole networks")
        if library.name == "numpy":
            if op.fast_numpy is None:
                raise NotOffered(f"no NumPy expression for {op.name}")
            fast = op.fast_numpy
            run = numpy_expression(library, lambda *xs: fast(*xs, **attrs), inputs, direction)
        else:
            function = library.op(op.name)
            differentiable = [op.differentiable is None or name in op.differentiable for name in op.inputs]
            run = expression(library, lambda *xs: function(*xs, **attrs), inputs, direction, case, differentiable,
                             # ours gives the statistics too
                             1 if op.name in ("batch_norm", "batch_norm_relu") else None)
        if op.name == "dropout":
            exact = run.results
            return Contest(run.call, lambda: dropout_facts(inputs[0], exact()[0]), library, run.gradients)
        return run

    def cost() -> tuple[float, float]:
        sizes = make().sizes
        factor = 1 if direction == FORWARD else 3           # a gradient for each of two operands, as a rule of thumb
        return (factor*float(op.flops(**sizes)) if op.flops else 0.0, factor*float(op.bytes(**sizes)) if op.bytes
                else 0.0)
    return Workload(f"{op.name}/{case}/{direction}", "ops", contest, cost, 0.02 if op.name == "dropout" else 1e-4)


# ---- the fixed list of kernels -------------------------------------------------------------------
def draw(name: str, *shapes: tuple[int, ...]) -> list[Any]:
    rng = seeded(name)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def labelled(name: str, rows: int, classes: int) -> list[Any]:
    return [*draw(name, (rows, classes)), seeded(name).integers(0, classes, rows)]


@dataclass(frozen=True)
class Kernel:
    """function(library) -> callable on tensors; inputs() -> arrays; numpy: the same on arrays, if
    NumPy can.

    flops, bytes: of the forward; both_bytes: of forward and backward together (0: three times the
    forward's, as for the flops: a product for each of two operands' gradients). Bytes are counted
    once a pass: what a pass must read, and what it must write.
    """

    function: Callable[[Any], Callable[..., Any]]
    inputs: Callable[[], list[Any]]
    flops: float = 0
    bytes: float = 0
    numpy: Callable[..., Any] | None = None
    both_bytes: float = 0
    directions: tuple[str, ...] = (FORWARD, BACKWARD)


def conv(N: int, C: int, H: int, K: int, R: int, stride: int = 1, padding: int = 0, groups: int = 1) -> Kernel:
    P = (H + 2*padding - R)//stride + 1
    return Kernel(lambda lib: lambda x, w: lib.F.conv2d(x, w, None, stride, padding, 1, groups),
                  lambda: draw(f"conv {C} {H} {K} {R}", (N, C, H, H), (K, C//groups, R, R)),
                  2.0*N*K*P*P*(C//groups)*R*R, 4.0*(N*C*H*H + K*C//groups*R*R + N*K*P*P))


def conv1d(N: int, C: int, L: int, K: int, S: int, padding: int = 0, dilation: int = 1, groups: int = 1) -> Kernel:
    Q = L + 2*padding - dilation*(S - 1)
    return Kernel(lambda lib: lambda x, w: lib.F.conv1d(x, w, None, 1, padding, dilation, groups),
                  lambda: draw(f"conv1d {C} {L} {K} {S}", (N, C, L), (K, C//groups, S)),
                  2.0*N*K*Q*(C//groups)*S, 4.0*(N*C*L + K*C//groups*S + N*K*Q))


def conv_transpose(N: int, K: int, P: int, C: int, R: int, stride: int, padding: int = 0) -> Kernel:
    H = (P - 1)*stride - 2*padding + R
    return Kernel(lambda lib: lambda x, w, b: lib.F.conv_transpose2d(x, w, b, stride, padding),
                  lambda: draw(f"conv_transpose {K} {P} {C} {R}", (N, K, P, P), (K, C, R, R), (C,)),
                  2.0*N*K*P*P*C*R*R, 4.0*(N*K*P*P + K*C*R*R + N*C*H*H))


def gemm(n: int) -> Kernel:
    return Kernel(lambda lib: lambda a, b: a @ b, lambda: draw(f"gemm {n}", (n, n), (n, n)), 2.0*n**3, 12.0*n**2,
                  np.matmul)


def product(m: int, k: int, n: int) -> Kernel:
    """(m, k) times (k, n): tall, thin, or a vector."""
    return Kernel(lambda lib: lambda a, b: a @ b, lambda: draw(f"gemm {m} {k} {n}", (m, k), (k, n)), 2.0*m*k*n,
                  4.0*(m*k + k*n + m*n), np.matmul)


def attention(B: int, heads: int, T: int, d: int, causal: bool) -> Kernel:
    shape = (B, heads, T, d)
    return Kernel(lambda lib: lambda q, k, v: lib.F.scaled_dot_product_attention(q, k, v, is_causal=causal),
                  lambda: draw(f"attention {B} {T}", shape, shape, shape), 4.0*B*heads*T*T*d/(2 if causal else 1),
                  16.0*B*heads*T*d)


def recurrent(name: str, gates: int, T: int, B: int, I: int, H: int) -> Kernel:
    def function(lib: Any) -> Callable[..., Any]:
        layer = getattr(lib.nn, name)(I, H)
        fill(lib, layer, name.lower())
        return lambda x: layer(x)[0]
    return Kernel(function, lambda: draw(f"{name.lower()} {T} {B}", (T, B, I)), 2.0*gates*T*B*H*(I + H),
                  4.0*(T*B*(I + H) + gates*H*(I + H)))


def pointwise(call: Callable[[Any, Any], Any], *shape: int, numpy: Callable[..., Any] | None = None) -> Kernel:
    """Forward reads x and writes y; backward reads dy and what was kept, x or y, and writes dx."""
    n = int(np.prod(shape))
    return Kernel(lambda lib: lambda x: call(lib.F, x), lambda: draw(f"pointwise {n}", shape), 0, 8*n, numpy, 20*n)


def pool(call: Callable[[Any, Any], Any], *shape: int, share: int = 4) -> Kernel:
    """y and dy are one `share`-th of x, which backward need not read."""
    n = int(np.prod(shape))
    moved = 4*(n + n//share)
    return Kernel(lambda lib: lambda x: call(lib.F, x), lambda: draw(f"pointwise {n}", shape), 0, moved, None, 2*moved)


KERNELS: dict[str, Kernel] = {
    **{f"gemm-{n}": gemm(n) for n in (32, 64, 128, 131, 256, 512, 1024, 2048)},
    **{f"gemm-{m}x{k}x{n}": product(m, k, n) for m, k, n in ((1, 1024, 1024), (8, 1024, 1024), (4096, 64, 64),
                                                             (64, 4096, 64), (64, 64, 4096), (1024, 1024, 1))},
    "gemm-64x128x64x128": Kernel(lambda lib: lambda a, b: a @ b, lambda: draw("bmm", (64, 128, 64), (64, 64, 128)),
                                 2.0*64*128*64*128, 4.0*64*(2*128*64 + 128*128), np.matmul),
    "conv3x3-64c56": conv(8, 64, 56, 64, 3, padding=1),
    "conv3x3-128c28": conv(8, 128, 28, 128, 3, padding=1),
    "conv3x3-256c14": conv(8, 256, 14, 256, 3, padding=1),
    "conv3x3-512c7": conv(8, 512, 7, 512, 3, padding=1),
    "conv7x7s2-3c224": conv(8, 3, 224, 64, 7, stride=2, padding=3),
    "conv1x1-256c56": conv(8, 256, 56, 64, 1),
    "depthwise3x3-128c28": conv(8, 128, 28, 128, 3, padding=1, groups=128),
    "conv1x1s2-256c56": conv(8, 256, 56, 512, 1, stride=2),
    "depthwise3x3s2-144c56": conv(8, 144, 56, 144, 3, stride=2, padding=1, groups=144),
    "depthwise5x5-240c28": conv(8, 240, 28, 240, 5, padding=2, groups=240),
    "conv1d-64c1024": conv1d(8, 64, 1024, 128, 3, padding=2, dilation=2),
    "conv1d-depthwise31-256c512": conv1d(8, 256, 512, 256, 31, padding=15, groups=256),
    "convtranspose4x4s2-128c16": conv_transpose(16, 128, 16, 64, 4, 2, 1),
    "convtranspose2x2s2-128c28": conv_transpose(4, 128, 28, 64, 2, 2),
    "lenet-conv1": conv(64, 1, 28, 6, 5, padding=2),
    "lenet-conv2": conv(64, 6, 14, 16, 5),
    "maxpool2x2-64c56": pool(lambda F, x: F.max_pool2d(x, 2), 32, 64, 56, 56),
    "avgpool2x2-64c56": pool(lambda F, x: F.avg_pool2d(x, 2), 32, 64, 56, 56),
    "maxpool3x3s2-64c112": pool(lambda F, x: F.max_pool2d(x, 3, 2, 1), 8, 64, 112, 112),
    "globalavgpool-512c7": pool(lambda F, x: F.adaptive_avg_pool2d(x, 1), 32, 512, 7, 7, share=49),
    **{f"{name.lower()}-{case}": recurrent(name, gates, *sizes)
       for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))
       for case, sizes in (("T64-B32-I128-H256", (64, 32, 128, 256)), ("T128-B1-H128", (128, 1, 128, 128)),
                           ("T32-B64-H512", (32, 64, 512, 512)))},
    "attention-8x8x256x64-causal": attention(8, 8, 256, 64, True),
    "attention-8x8x256x64": attention(8, 8, 256, 64, False),
    "attention-1x8x1024x64-causal": attention(1, 8, 1024, 64, True),
    "layernorm-2048x512": pointwise(lambda F, x: F.layer_norm(x, (512,)), 2048, 512),
    "rmsnorm-2048x512": pointwise(lambda F, x: F.rms_norm(x, (512,)), 2048, 512),
    "groupnorm-32x256c28": pointwise(lambda F, x: F.group_norm(x, 32), 16, 256, 28, 28),
    "softmax-2048x512": pointwise(lambda F, x: F.softmax(x, dim=-1), 2048, 512),
    "gelu-2048x512": pointwise(lambda F, x: F.gelu(x), 2048, 512),
    "relu-2048x512": pointwise(lambda F, x: F.relu(x), 2048, 512, numpy=lambda x: np.maximum(x, 0)),
    "tanh-2048x512": pointwise(lambda F, x: F.tanh(x), 2048, 512, numpy=np.tanh),
    "crossentropy-2048x512": Kernel(lambda lib: lambda x, t: lib.F.cross_entropy(x, t),
                                    lambda: labelled("ce", 2048, 512), 0, 4.0*2048*512),
    "batchnorm-64c56": pointwise(lambda F, x: F.batch_norm(x, None, None, None, None, True), 32, 64, 56, 56),
}


def kernel_workload(name: str, kernel: Kernel, direction: str) -> Workload:
    def contest(library: Any) -> Contest:
        if library.name == "onnxruntime":
            raise NotOffered("ONNX Runtime runs whole networks")
        if library.name == "numpy":
            if kernel.numpy is None:
                raise NotOffered(f"no NumPy expression for {name}")
            return numpy_expression(library, kernel.numpy, kernel.inputs(), direction)
        return expression(library, kernel.function(library), kernel.inputs(), direction, name)
    cost = (kernel.flops, kernel.bytes) if direction == FORWARD else (3*kernel.flops,
                                                                      kernel.both_bytes or 3*kernel.bytes)
    return Workload(f"{name}/{direction}", "kernels", contest, lambda: cost)


def optimizer_workload(name: str, make: Callable[[Any, Any], Any], bytes_each: int) -> Workload:
    """One step over 11 million parameters in 60 tensors, about a ResNet-18's."""
    count, size = 60, 186_624

    def contest(library: Any) -> Contest:
        arrays = draw(name, (count, size), (count, size))
        parameters = [library.tensor(a, requires_grad=True) for a in arrays[0]]
        for p, g in zip(parameters, arrays[1]):
            p.grad = library.tensor(g)
        optimizer = make(library, parameters)

        def results() -> list[np.ndarray]:
            optimizer.step()
            return [library.array(p) for p in parameters[:3]]
        return Contest(optimizer.step, results, library)

    def with_optimizer(library: Any) -> Contest:
        if not hasattr(library, "optim"):
            raise NotOffered("no optimisers")
        return contest(library)
    return Workload(f"{name}/{STEP}", "kernels", with_optimizer, lambda: (0.0, float(bytes_each*count*size)))


# ---- networks ------------------------------------------------------------------------------------
def network_workload(name: str, network: Network, what: str) -> Workload:
    """what: "step" (forward, loss, backward, Adam), "inference" of the batch, or "one" sample."""
    batch = 1 if what == "one" else network.batch

    def contest(library: Any) -> Contest:
        if library.name == "numpy":
            raise NotOffered("NumPy has no layers")
        if library.name == "onnxruntime":
            if what == STEP:
                raise NotOffered("ONNX Runtime does not train")
            return onnx_contest(library)
        model = network.build(library)
        fill(library, model, name)
        x, target = (library.tensor(a) for a in network.data(name, batch))
        if what != STEP:
            model.eval()

            def output() -> list[np.ndarray]:
                with library.without_gradients():
                    return [library.array(model(x))]
            return Contest(lambda: model(x), output, library, gradients=False)
        optimizer = library.adam(model.parameters())

        def step() -> Any:
            loss = library.F.cross_entropy(model(x), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss
        return Contest(step, lambda: [np.array([step().item() for _ in range(STEPS_COMPARED)])], library)

    def onnx_contest(library: Any) -> Contest:
        ours = Fastnn()
        model = network.build(ours)
        fill(ours, model, name)
        run = library.network(name, {key: np.asarray(a) for key, a in model.state_dict().items()}, batch)
        x = network.data(name, batch)[0]
        return Contest(lambda: run(x), lambda: [run(x)], library)
    return Workload(f"{name}/{what}", "networks", contest, lambda: ((3 if what == STEP else 1)*batch*network.flops,
                                                                    0.0),
                    tolerance=1e-3)


# ---- all of them ---------------------------------------------------------------------------------
def catalogue() -> dict[str, Workload]:
    """Every workload by name. Nothing is computed or allocated before a contest is made."""
    found: list[Workload] = []
    for op in OPS.values():
        directions = (FORWARD,) if op.ref_backward is None else (FORWARD, BACKWARD)
        found += [op_workload(op, case, make, d) for case, make in op.bench.items() for d in directions]
    for name, kernel in KERNELS.items():
        found += [kernel_workload(name, kernel, d) for d in kernel.directions]
    found += [optimizer_workload("adam-11M", lambda lib, ps: lib.adam(ps), 28),
              optimizer_workload("sgd-momentum-11M", lambda lib, ps: lib.optim.SGD(ps, lr=0.01, momentum=0.9), 20)]
    for name, network in NETWORKS.items():
        found += [network_workload(name, network, what) for what in (STEP, "inference", "one")]
    return {workload.name: workload for workload in found}

