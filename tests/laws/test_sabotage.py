"""The laws must notice: each is shown to fail on an op that is broken on purpose. A test that
cannot fail proves nothing.

The first part breaks every op of the registry in the ways in which released libraries were broken;
the second breaks one op for each law.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sabotage import caught

import fastnn as nn
from fastnn.op import OPS
from fastnn.testing import laws

WITH_GRADIENT = [op for op in OPS.values() if op.ref_backward is not None]
LINEAR = [op for op in OPS.values() if op.linear_in]


def gives_floats(op):
    """Whether some output is of floating point; an unwritten definition is to fail in its tests."""
    try:
        return any(a.dtype.kind == "f" and a.size for s in op.samples()
                   for a in laws.as_tuple(op.ref_forward(*s.cast(np.float64), **s.attrs)[0]))
    except NotImplementedError:
        return True


FLOAT_OUTPUT = [op for op in OPS.values() if gives_floats(op)]


def name(op):
    return op.name


def change_gradients(backward, bug):
    def broken(dy, saved, **attrs):
        return tuple(None if g is None else bug(g) for g in backward(dy, saved, **attrs))
    return broken


def change_output(forward, bug):
    def broken(*inputs, **attrs):
        y, saved = forward(*inputs, **attrs)
        return (tuple(bug(a) if a.dtype.kind == "f" else a for a in y) if isinstance(y, tuple) else bug(y)), saved
    return broken


def first_slice_forgotten(g):
    g = np.array(g)
    if g.ndim:
        g[:1] = 0
    return g if g.ndim else 0 * g


def shifted(g):
    return np.roll(g, 1) if g.size > 1 and np.ptp(g) else 0 * g


GRADIENT_BUGS = {
    "all zero": lambda g: 0 * g,
    "off by a thousandth": lambda g: 1.001 * g,
    "first slice forgotten": first_slice_forgotten,
    "values shifted": shifted,
}


@pytest.mark.parametrize("bug", GRADIENT_BUGS)
@pytest.mark.parametrize("op", WITH_GRADIENT, ids=name)
def test_a_wrong_definition_is_noticed(op, bug):
    broken = dataclasses.replace(op, ref_backward=change_gradients(op.ref_backward, GRADIENT_BUGS[bug]))
    assert caught(laws.definition_gradient_is_the_derivative, broken)


@pytest.mark.parametrize("bug", GRADIENT_BUGS)
@pytest.mark.parametrize("op", WITH_GRADIENT, ids=name)
def test_a_wrong_gradient_kernel_is_noticed(op, bug):
    broken = dataclasses.replace(op, backward=change_gradients(op.kernels[1], GRADIENT_BUGS[bug]))
    assert caught(laws.backward_is_the_definition, broken)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("op", FLOAT_OUTPUT, ids=name)
def test_a_wrong_forward_kernel_is_noticed(op, dtype):
    broken = dataclasses.replace(op, forward=change_output(op.kernels[0], lambda y: (y * y.dtype.type(1.001))))
    assert caught(laws.forward_is_the_definition, broken, dtype)


@pytest.mark.parametrize("op", LINEAR, ids=name)
def test_inexact_whole_numbers_are_noticed(op):
    broken = dataclasses.replace(op, forward=change_output(op.kernels[0], lambda y: y * (1 + 1e-12)))
    assert caught(laws.exact_on_integers, broken)


@pytest.mark.parametrize("op", [op for op in LINEAR if op.ref_backward is not None], ids=name)
def test_a_gradient_that_is_not_the_adjoint_is_noticed(op):
    broken = dataclasses.replace(op, backward=change_gradients(op.kernels[1], shifted))
    assert caught(laws.adjoint_identity, broken)


# ---- one broken op for each of the other laws ----------------------------------------------------
RELU = OPS["relu"]


def test_an_unwritten_element_is_noticed():
    memory = {}

    def forgets_the_first(x):
        # the same memory for each call, as recycled buffers are
        y = memory.setdefault((x.shape, x.dtype), np.zeros(x.shape, x.dtype))
        y.reshape(-1)[1:] = np.maximum(x, 0).reshape(-1)[1:]
        return y, (y.copy(),)
    assert caught(laws.outputs_are_overwritten, dataclasses.replace(RELU, forward=forgets_the_first))


def test_reading_memory_in_its_own_order_is_noticed():
    def ignores_strides(x):
        y = np.maximum(x, 0).ravel(order="K").reshape(x.shape)
        return y, (y,)
    assert caught(laws.layouts_do_not_matter, dataclasses.replace(RELU, forward=ignores_strides))


def test_numpys_other_rounding_of_strided_powers_is_no_fault():
    def power(x):
        return np.asarray(x**3), (x,)

    def truncated(x):
        return np.asarray(x.astype(np.float16) if x.strides and x.strides[0] < 0 else x).astype(x.dtype), (x,)
    sample = nn.ops.Sample("blocks", (np.random.default_rng(0).standard_normal((2, 16411)),))
    op = dataclasses.replace(RELU, forward=None, backward=None, ref_backward=None, samples=lambda: [sample])
    assert not caught(laws.layouts_do_not_matter, dataclasses.replace(op, ref_forward=power))
    assert caught(laws.layouts_do_not_matter, dataclasses.replace(op, ref_forward=truncated))


def test_flushed_denormals_are_noticed():
    def flushes(x):
        y = np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, np.maximum(x, 0)).astype(x.dtype)
        return y, (y,)
    assert caught(laws.denormals_are_kept, dataclasses.replace(RELU, forward=flushes), np.float32)


def test_changed_inputs_are_noticed():
    def clamps_in_place(x):
        np.maximum(x, 0, out=x)
        return x.copy(), (x.copy(),)
    assert caught(laws.inputs_are_unchanged, dataclasses.replace(RELU, forward=clamps_in_place))


def test_a_changed_upstream_gradient_is_noticed():
    def scales_dy(dy, saved):
        dy *= 2
        return (dy / 2 * (saved[0] > 0),)
    assert caught(laws.inputs_are_unchanged, dataclasses.replace(RELU, backward=scales_dy))


def test_changed_saved_arrays_are_noticed():
    def spoils_saved(dy, saved):
        y, = saved
        dx = dy * (y > 0)
        y[...] = 0
        return (dx,)
    broken = dataclasses.replace(RELU, forward=lambda x: (np.maximum(x, 0), (np.maximum(x, 0),)), backward=spoils_saved)
    assert caught(laws.inputs_are_unchanged, broken)


def test_bits_that_depend_on_threads_are_noticed():
    def as_many_roundings_as_threads(x):
        y = np.maximum(x, 0) * (1 + 2.0 ** -40 * nn.get_num_threads())
        return y, (y,)
    assert caught(laws.same_bits_for_any_threads, dataclasses.replace(RELU, forward=as_many_roundings_as_threads))


def test_an_error_that_goes_by_the_largest_element_is_noticed():
    def through_a_sum(x):                   # as a transform would: a sum of all, less the others
        y = np.maximum(x, 0)
        y = (y.sum(dtype=y.dtype) - (y.sum(dtype=y.dtype) - y)).astype(x.dtype)
        return y, (y,)
    assert caught(laws.errors_stay_in_their_window, dataclasses.replace(RELU, forward=through_a_sum))


def test_unwanted_gradients_are_noticed():
    def computes_everything(dy, saved, needs=None):
        return (dy, dy)

    def adds(a, b):
        return a + b, ()
    sample = nn.ops.Sample("odd", (np.ones((2, 3)), np.ones((2, 3))))
    op = dataclasses.replace(RELU, name="add", inputs=("a", "b"), forward=adds, backward=computes_everything,
                             samples=lambda: [sample])
    assert caught(laws.wanted_gradients_only, op)


def test_a_result_that_depends_on_saving_is_noticed():
    def rounds_otherwise(x, save=True):
        y = np.maximum(x, 0) * (1 if save else 1 + 2.0 ** -40)
        return y, (y,) if save else ()
    assert caught(laws.nothing_kept_same_result, dataclasses.replace(RELU, forward=rounds_otherwise))


def test_saving_in_vain_is_noticed():
    def saves_always(x, save=True):
        return np.maximum(x, 0), (x,)
    assert caught(laws.nothing_kept_same_result, dataclasses.replace(RELU, forward=saves_always))


def test_a_vanishing_numeric_derivative_is_an_error():
    # softmax summed over its axis is constant: with a cotangent of ones every gradient would pass
    flat = dataclasses.replace(RELU, ref_forward=lambda x: (0 * x, ()), ref_backward=lambda dy, saved: (0 * dy,))
    assert caught(laws.definition_gradient_is_the_derivative, flat)


def test_every_law_is_broken_somewhere_in_this_file():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f"laws.{law}" in text for law in laws.LAWS)
