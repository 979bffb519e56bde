"""The laws of the ends of the range: infinities, NaN, huge and tiny numbers, at every level; and
that they notice what they are for.
"""

import contextlib
import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from sabotage import caught

import fastnn as nn
from fastnn.op import OPS, Sample
from fastnn.optim.rule import RULES
from fastnn.testing import laws

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample.name}") for op in OPS.values() for sample in op.samples()]
# ops whose function has another name
FUNCTIONS = {"pow_tensor": "pow", "rnn": "rnn_relu", "rnn_cell": "rnn_tanh_cell",
             "batch_norm_inference_relu": "batch_norm_relu"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("op, sample", CASES)
def test_laws(op, sample, dtype):
    for law in laws.LAWS_OF_ENDS.values():
        law(op, sample, dtype)


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.keeps_nan or op.saturates], ids=lambda op: op.name)
def test_where_nan_is_kept_the_docstring_says_so(op):
    assert "NaN" in getattr(nn.functional, FUNCTIONS.get(op.name, op.name)).__doc__


def plain_product(x):
    with np.errstate(invalid="ignore", over="ignore"):
        return x * (1 / (1 + np.exp(-x))), (x,)


def test_zero_times_infinity_is_noticed():
    """x s(x) as it was written before: NaN at -infinity."""
    silu = OPS["silu"]
    assert caught(laws.ends_are_the_definition, dataclasses.replace(silu, forward=plain_product))
    assert caught(laws.limits_are_reached, dataclasses.replace(silu, forward=plain_product))
    both = dataclasses.replace(silu, forward=plain_product, ref_forward=plain_product)
    assert not caught(laws.ends_are_the_definition, both)
    assert caught(laws.limits_are_reached, both)


def test_a_slope_that_is_lost_at_infinity_is_noticed():
    softsign = OPS["softsign"]

    def backward(dy, saved):
        x, = saved
        with np.errstate(all="ignore"):
            return (dy * (1 / (1 + np.abs(x)) - x * np.sign(x) / (1 + np.abs(x))**2),)
    assert caught(laws.limits_are_reached, dataclasses.replace(softsign, backward=backward))
    assert caught(laws.ends_are_the_definition, dataclasses.replace(softsign, backward=backward))


def test_a_definition_that_makes_a_number_of_nan_is_noticed():
    relu = OPS["relu"]

    def forward(x):
        return np.where(x > 0, x, 0), (x,)
    assert not caught(laws.nan_passes, relu)
    assert caught(laws.nan_passes, dataclasses.replace(relu, ref_forward=forward))
    assert not caught(laws.nan_passes, dataclasses.replace(relu, ref_forward=forward, drops_nan=("x",)))


def test_where_nan_becomes_a_number_pytorch_says_so(torch):
    drops = [op.name for op in OPS.values() if op.drops_nan]
    assert drops == ["heaviside"]
    assert torch.heaviside(torch.tensor(np.nan), torch.tensor(0.5)).item() == 0


def test_a_fault_at_one_level_is_noticed():
    silu = OPS["silu"]

    def forward(x):
        return plain_product(x) if nn.isa() == "portable" else silu.kernels[0](x)
    for law in (laws.ends_are_the_definition, laws.limits_are_reached):
        assert caught(law, dataclasses.replace(silu, forward=forward))


def test_padding_that_meets_an_infinite_weight_is_noticed():
    conv1d = OPS["conv1d"]

    def forward(x, w, b, padding, **attrs):
        padded = np.pad(x, ((0, 0), (0, 0), padding))
        return conv1d.ref_forward(padded, w, b, padding=(0, 0), **attrs)[0], (x, w, b is not None)
    assert caught(laws.ends_are_the_definition, dataclasses.replace(conv1d, forward=forward))


def test_a_slope_of_0_that_is_multiplied_with_an_infinite_gradient_is_noticed():
    relu = OPS["relu"]
    assert caught(laws.ends_are_the_definition,
                  dataclasses.replace(relu, backward=lambda dy, saved: (dy * (saved[0] > 0),)))


def test_squares_that_overflow_are_noticed():
    def norm(x, *, p, dim, keepdim):
        with np.errstate(all="ignore"):
            y = np.sqrt((x * x).sum(axis=dim, keepdims=keepdim))
        return np.asarray(y), (x, np.asarray(y))
    assert caught(laws.ends_are_the_definition, dataclasses.replace(OPS["norm"], forward=norm, backward=None))


def test_weights_whose_sum_leaves_the_range_are_noticed():
    nll = OPS["nll_loss"]

    def forward(x, target, weight=None, *, ignore_index=-100, reduction="mean"):
        a = -weight[target] * x[np.arange(len(x)), target]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(a.sum() / weight[target].sum(), x.dtype), (x, target, weight)
    x, target, weight = next(sample for sample in nll.samples() if sample.name == "weighted").inputs
    several = Sample("weighted", (np.repeat(x, 9, 0), np.repeat(np.maximum(target, 0), 9), weight), {},
                     {"n": 9 * x.size, "C": x.shape[1]})
    plain = dataclasses.replace(nll, forward=forward, backward=None, ref_backward=None)
    laws.forward_is_the_definition(plain, several, np.float32)
    with pytest.raises(AssertionError, match="weights times"):
        laws.weights_of_any_size(plain, several, np.float32)


PAIRS = np.array([0.0, -0.0, 1.0, -1.0, 3.0, -2.5, 0.5, 1e20, -1e20, 1e30, -1e30, 1e-20, -1e-20, 1e-30, np.inf, -np.inf,
                  np.nan])


def elementwise():
    """(op, sample) of the ops that make one number of two, at each place."""
    for op in OPS.values():
        for sample in op.samples() if len(op.inputs) == 2 and op.kernels[1] else []:
            shapes = {np.shape(a) for a in sample.inputs}
            if len(shapes) == 1 and all(np.asarray(a).dtype.kind == "f" for a in sample.inputs):
                try:
                    y = op.definition[0](*sample.inputs, **sample.attrs)[0]
                except NotImplementedError:         # an unwritten definition fails above
                    break
                if {np.shape(y)} == shapes and op.name not in ("matmul", "einsum"):
                    yield op, sample
                    break


def both_ways(way, a, b, dy, attrs):
    """y, da and db."""
    with np.errstate(all="ignore"):
        y, saved = way[0](a, b, **attrs)
        return [y, *way[1](np.full_like(y, dy), saved, **attrs)]


@pytest.mark.parametrize("dy", [1.0, 1e20, np.nan])
@pytest.mark.parametrize("op, sample", [pytest.param(*found, id=found[0].name) for found in elementwise()])
def test_two_ends_meet(op, sample, dy):
    """Every pair of the ends: kernels and definition in float32 are the definition in float64."""
    a, b = [m.reshape(-1).astype("f4") for m in np.meshgrid(PAIRS, PAIRS)]
    exact = both_ways(op.definition, a.astype("f8"), b.astype("f8"), np.float32(dy), sample.attrs)
    slopes = both_ways(op.definition, a.astype("f8"), b.astype("f8"), 1.0, sample.attrs)
    vanishes = [False if y is None else (y != 0) & (np.abs(y) < 2e-38) for y in slopes]
    overflows = np.any([np.isfinite(y) & (np.abs(y) > 3e38) for y in exact if y is not None], axis=0)
    for level in nn.config.isas():
        with nn.use_isa(level):
            for way in (op.kernels, op.definition):
                found = both_ways(way, a, b, dy, sample.attrs)
                for name, got, wanted, gone in zip(["y", "da", "db"], found, exact, vanishes):
                    if wanted is not None and got is not None:
                        # float32 has y and this slope; where another result overflows, 0 stays 0
                        there = ~(vanishes[0] | gone) & (~overflows | (wanted == 0) | (dy == 1))
                        with np.errstate(over="ignore"):
                            wanted = wanted.astype("f4")
                        np.testing.assert_allclose(got[there], wanted[there], 1e-5, 2e-38, err_msg=f"{name} at {level}")


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_nothing_warns_at_the_ends(op, backend):
    """NaN and infinity are results, in both backends: with warnings as errors, too."""
    with nn.use_backend(backend), warnings.catch_warnings():
        warnings.simplefilter("error")
        for sample, end in itertools.product(list(op.samples())[:8], (np.inf, -np.inf, 1e30, np.nan, 0.0)):
            inputs = [nn.tensor(np.array(a), requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a
                      for a in sample.cast("f4")]
            for t in inputs:
                if isinstance(t, nn.Tensor) and t.requires_grad:
                    t.data.reshape(-1)[::max(1, t.data.size // 3)] = end
            with contextlib.suppress(nn.FastnnError):
                y = nn.autograd.apply(op, *inputs, **sample.attrs)
                made = [t for t in (y if isinstance(y, tuple) else (y,)) if t.requires_grad]
                for dy in (1.0, end):
                    nn.autograd.backward(made, [np.full(t.shape, dy, t.dtype) for t in made], retain_graph=True)


def test_a_definition_that_runs_warns_no_more_than_a_kernel():
    """Neither of ops and optimisers nor of what clips."""
    x = nn.tensor([1e30, np.inf], requires_grad=True)
    with nn.use_backend("reference"), np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        (x * x - x * np.inf).exp().sum().backward()
        nn.optim.clip_grad_norm_([x], 1.0)
        for rule in RULES:
            p = nn.Parameter(np.float32([[1e30, 1.0], [np.inf, 0.0]]))
            p.grad = nn.tensor(np.float32([[1e30, np.inf], [np.nan, 1e-30]]))
            rule([p], lr=1e30).step()
