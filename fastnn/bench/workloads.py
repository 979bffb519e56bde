"""Everything that `bench` and benchmarks/ can measure, by name: "conv2d/resnet.64c56/forward",
"lenet/step".

Three groups: `ops` are the `bench` cases of the records of ops, `kernels` those of kernel_list.py,
`networks` those of networks.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import OPS, Op, Sample
from .contest import BACKWARD, FORWARD, STEP, Contest, NotOffered, Workload, expression, numpy_expression
from .kernel_list import KERNELS, Kernel, draw
from .libraries import Fastnn, fill
from .networks import NETWORKS, Network

__all__ = ["catalogue"]

STEPS_COMPARED = 3          # training steps whose losses must agree


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
            # our batch norm gives the statistics too
            compared = 1 if op.name in ("batch_norm", "batch_norm_relu") else None
            run = expression(library, lambda *xs: function(*xs, **attrs), inputs, direction, case, differentiable,
                             compared)
        if op.name == "dropout":
            exact = run.results
            return Contest(run.call, lambda: dropout_facts(inputs[0], exact()[0]), library, run.gradients)
        return run

    def cost() -> tuple[float, float]:
        sizes = make().sizes
        # a gradient for each of two operands, as a rule of thumb
        factor = 1 if direction == FORWARD else 3
        return (factor*float(op.flops(**sizes)) if op.flops else 0.0,
                factor*float(op.bytes(**sizes)) if op.bytes else 0.0)
    return Workload(f"{op.name}/{case}/{direction}", "ops", contest, cost, 0.02 if op.name == "dropout" else 1e-4)


# ---- kernels -------------------------------------------------------------------------------------
def kernel_workload(name: str, kernel: Kernel, direction: str) -> Workload:
    def contest(library: Any) -> Contest:
        if library.name == "onnxruntime":
            raise NotOffered("ONNX Runtime runs whole networks")
        if library.name == "numpy":
            if kernel.numpy is None:
                raise NotOffered(f"no NumPy expression for {name}")
            return numpy_expression(library, kernel.numpy, kernel.inputs(), direction)
        return expression(library, kernel.function(library), kernel.inputs(), direction, name)
    cost = kernel.flops, kernel.bytes
    if direction == BACKWARD:
        cost = 3*kernel.flops, kernel.both_bytes or 3*kernel.bytes
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
                    return [library.array(network.scores(model, x))]
            return Contest(lambda: network.scores(model, x), output, library, gradients=False)
        optimizer = library.adam(model.parameters())

        def step() -> Any:
            loss = library.F.cross_entropy(network.scores(model, x), target)
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
    passes = 3 if what == STEP else 1               # a gradient for each of two operands
    return Workload(f"{name}/{what}", "networks", contest, lambda: (passes*batch*network.flops, 0.0), tolerance=1e-3)


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

