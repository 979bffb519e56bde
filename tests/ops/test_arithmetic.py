"""Arithmetic beyond the laws: hand-worked numbers, broadcasting, types, operators in place, PyTorch
as second opinion.
"""

import itertools
import operator

import numpy as np
import pytest
from second_opinion import both, close, compare

import fastnn as nn

F = nn.functional
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])


def gradients(function, *arrays, dy=None):
    """Gradients of sum(dy * function(...)) with respect to all arrays."""
    tensors = [nn.tensor(np.asarray(a, np.float64), requires_grad=True) for a in arrays]
    y = function(*tensors)
    y.backward(np.ones(y.shape) if dy is None else dy)
    return [t.grad.tolist() for t in tensors]


# ---- numbers worked by hand ----------------------------------------------------------------------
@both_backends
def test_by_hand(backend):
    with nn.use_backend(backend):
        a, b = [2.0, -3.0], [4.0, 0.5]
        assert gradients(operator.mul, a, b) == [[4, 0.5], [2, -3]]
        assert gradients(operator.truediv, a, b) == [[0.25, 2], [-2 / 16, 3 / 0.25]]
        assert gradients(operator.sub, a, b) == [[1, 1], [-1, -1]]
        assert gradients(lambda x: x**3, a) == [[12, 27]]
        assert gradients(lambda x: 2**x, [0.0, 3.0])[0] == pytest.approx([np.log(2), 8 * np.log(2)])
        # a column times a row: each is repeated, so its gradient is a sum
        assert gradients(operator.mul, [[1.0], [2.0]], [3.0, 5.0]) == [[[8], [8]], [3, 3]]
        assert gradients(operator.add, [[1.0], [2.0]], [3.0, 5.0, 7.0]) == [[[3], [3]], [2, 2, 2]]
        assert gradients(lambda x: x % 3, [-1.0, 7.0]) == [[1, 1]]
        # 7 - 2 floor(7 / 2): the slope is -3
        assert gradients(lambda x: 7.0 % x, [2.0]) == [[-3]]


@both_backends
def test_slopes_at_special_points(backend):
    with nn.use_backend(backend), np.errstate(all="ignore"):
        # equals share
        assert gradients(F.maximum, [1.0, 2, 3], [3.0, 2, 1]) == [[0, 0.5, 1], [1, 0.5, 0]]
        assert gradients(F.minimum, [1.0, 2, 3], [3.0, 2, 1]) == [[1, 0.5, 0], [0, 0.5, 1]]
        assert gradients(F.abs, [-2.0, 0, 2]) == [[-1, 0, 1]]
        assert gradients(lambda x: x.clamp(-1, 1), [-2.0, -1, 0, 1, 2]) == [[0, 1, 1, 1, 0]]
        assert gradients(lambda x: x.clamp(min=0), [-2.0, 0, 2]) == [[0, 1, 1]]
        assert gradients(lambda x: x**0, [0.0, 5.0]) == [[0, 0]]
        assert gradients(lambda x: x**1, [0.0, 5.0]) == [[1, 1]]
        assert gradients(lambda x: x**2, [0.0]) == [[0]]
        assert gradients(F.pow, [0.0, 2.0], [0.0, 0.0])[0] == [0, 0]
        assert gradients(F.pow, [0.0, -0.0], [0.0, -0.0])[1] == [0, 0]      # as in PyTorch
        assert gradients(F.pow, [0.0], [2.0]) == [[0], [0]]                 # 0^b is 0 for all b > 0
        assert gradients(F.sqrt, [0.0]) == [[np.inf]]


@both_types
@both_backends
def test_nan_and_infinity(backend, dtype):
    nan, inf = np.nan, np.inf
    a = nn.tensor(np.array([nan, 1, inf, 0, -inf, nan], dtype))
    b = nn.tensor(np.array([1, nan, inf, 0, inf, nan], dtype))
    with nn.use_backend(backend), np.errstate(all="ignore"):
        for ours, theirs in ((F.maximum, np.maximum), (F.minimum, np.minimum), (F.add, np.add), (F.sub, np.subtract),
                             (F.mul, np.multiply), (F.div, np.divide), (F.pow, np.power)):
            np.testing.assert_array_equal(ours(a, b).data, theirs(a.data, b.data), err_msg=theirs.__name__)
        np.testing.assert_array_equal(a.clamp(-1, 1).data, np.clip(a.data, -1, 1))


# ---- broadcasting --------------------------------------------------------------------------------
SHAPES = [((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 4), (3, 1)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)),
          ((2, 3, 4), (2, 1, 1)),
          ((2, 1, 4), (3, 1)), ((2, 1, 4, 1), (5, 1, 6)), ((), (3,)), ((1, 1), (3,)), ((0, 3), (3,)), ((2, 0), (1,)),
          ((1,), ()), ((), ())]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, F.maximum,
             F.minimum]


@both_types
@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_pytorch_agrees(torch, shapes, op, dtype):
    rng = np.random.default_rng(0)
    theirs = {F.maximum: torch.maximum, F.minimum: torch.minimum}.get(op, op)
    compare(op, theirs, [rng.uniform(0.5, 2.5, shape) for shape in shapes], dtype, each=True)


def test_every_way_of_broadcasting():
    """All pairs of shapes of up to three dimensions of size 1, 2 or 3: fit or raise as NumPy does,
    with exact values and gradients.
    """
    shapes = [s for n in range(4) for s in itertools.product((1, 2, 3), repeat=n)]
    rng = np.random.default_rng(0)
    fitted = 0
    for s, t in itertools.product(shapes, repeat=2):
        a, b = np.asarray(rng.integers(-4, 5, s), np.float32), np.asarray(rng.integers(-4, 5, t), np.float32)
        try:
            want = a * b
        except ValueError:
            with pytest.raises(nn.ShapeError):
                nn.tensor(a) * nn.tensor(b)
            continue
        x, w = nn.tensor(a, requires_grad=True), nn.tensor(b, requires_grad=True)
        y = x * w
        np.testing.assert_array_equal(y.data, want, err_msg=f"{s} * {t}")
        dy = np.asarray(rng.integers(-4, 5, y.shape), np.float32)
        y.backward(dy)
        full_a, full_b = np.broadcast_arrays(a, b)
        for t_, other in ((x, full_b), (w, full_a)):
            g = dy * other
            g = g.sum(axis=tuple(range(g.ndim - t_.ndim)))
            g = g.sum(axis=tuple(d for d in range(t_.ndim) if t_.shape[d] == 1), keepdims=True)
            np.testing.assert_array_equal(t_.grad.data, g, err_msg=f"gradient in {s} * {t}")
        fitted += 1
    # 7 of 9 pairs of sizes fit: the sum over ranks m, n of 7^min(m, n) 3^|m - n|
    assert fitted == 940


def test_shapes_that_do_not_fit():
    for op in (*OPERATORS, operator.lt, operator.eq, F.logical_and):
        with pytest.raises(nn.ShapeError, match=r"broadcast.*\(2, 3\) and \(4,\)"):
            op(nn.ones(2, 3), nn.ones(4))


# ---- types ---------------------------------------------------------------------------------------
DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


def operand(dtype, ndim):
    return np.asarray(np.ones((2,) * ndim), dtype)


@pytest.mark.parametrize("op", [operator.add, operator.mul, operator.truediv], ids=lambda op: op.__name__)
def test_types_are_those_of_pytorch(torch, op):
    numbers = [2, 2.5, True]
    for (s, m), (t, n) in itertools.product(itertools.product(DTYPES, (0, 1)), repeat=2):
        ours = op(nn.tensor(operand(s, m)), nn.tensor(operand(t, n)))
        theirs = op(torch.tensor(operand(s, m)), torch.tensor(operand(t, n)))
        close(ours, theirs, f"{s} {m}-d {op.__name__} {t} {n}-d", roundings=0)
    for s, number, first in itertools.product(DTYPES, numbers, (False, True)):
        a, b = nn.tensor(operand(s, 1)), torch.tensor(operand(s, 1))
        ours, theirs = (op(number, a), op(number, b)) if first else (op(a, number), op(b, number))
        close(ours, theirs, f"{s} {op.__name__} {number}, number first: {first}", roundings=0)


def test_mixed_floats_have_gradients_of_their_own_type():
    a = nn.tensor(np.ones(2, np.float32), requires_grad=True)
    b = nn.tensor(np.full(2, 3.0), requires_grad=True)
    y = a * b
    y.sum().backward()
    assert (y.dtype, a.grad.dtype, b.grad.dtype) == (np.float64, np.float32, np.float64)
    assert a.grad.tolist() == [3, 3] and b.grad.tolist() == [1, 1]
    assert (a * nn.tensor(np.array(3.0))).dtype == np.float32  # a tensor without dimensions is weak
    assert (nn.tensor([1, 2]) * a).dtype == np.float32         # integers beside floats


@both_backends
def test_arrays_and_numpy_numbers_as_operands(backend):
    array, t = np.array([1.0, 2.0], np.float32), nn.tensor([4.0, 8.0])
    with nn.use_backend(backend):
        for left, right, want in ((array, t, 5), (t, array, 5), (np.float32(1), t, 5), (np.float64(1), t, 5),
                                  (t, np.int64(1), 5), (1, t, 5)):
            y = left + right
            assert type(y) is nn.Tensor and y.dtype == np.float32 and y[0].item() == want
        for y in (array - t, array * t, array / t, array**t, array < t, array == t):
            assert type(y) is nn.Tensor
        for y, want in ((array - t, [-3, -6]), (array / t, [0.25, 0.25]), (array**t, [1, 256]), (2 - t, [-2, -6]),
                        (2 / t, [0.5, 0.25]), (2**t, [16, 256]), (7 % t, [3, 7])):
            assert y.tolist() == want
        before = array
        # the array is left alone, and the name goes to a tensor
        array += nn.tensor([1.0, 1.0])
        assert type(array) is nn.Tensor and array.tolist() == [2, 3] and before.tolist() == [1, 2]


def test_strangers_are_refused():
    for other in ("2", [1.0], None, object()):
        with pytest.raises(TypeError):
            nn.ones(1) + other
        with pytest.raises(TypeError):
            other - nn.ones(1)
        with pytest.raises(TypeError):
            operator.lt(nn.ones(1), other)
    with pytest.raises(nn.DTypeError, match=r"sqrt.*bool"):
        nn.tensor([True]).sqrt()


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "log2", "log10", "erf", "sqrt", "rsqrt", "reciprocal",
                                  "sin", "cos", "sigmoid", "tanh"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_functions_of_integers_like_torch(torch, name, dtype):
    """As float32, and without a gradient."""
    x = np.array([[1, 2], [3, 7]]).astype(dtype)
    got = getattr(F, name)(nn.tensor(x))
    close(got, getattr(torch, name)(torch.tensor(x)), name, each=True)
    assert not got.requires_grad and nn.equal(getattr(nn.tensor(x), name)(), got)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "div floor", "div trunc"])
def test_integer_division(torch, name):
    a, b = np.array([7, -7, 7, -7, 0]), np.array([2, 2, -2, -2, 3])
    function, mode = [*name.split(), None][:2]
    attrs = {"rounding_mode": mode} if mode else {}
    for dtype in (np.int64, np.float32):
        ours = getattr(F, function)(nn.tensor(a.astype(dtype)), nn.tensor(b.astype(dtype)), **attrs)
        theirs = getattr(torch, function)(torch.tensor(a.astype(dtype)), torch.tensor(b.astype(dtype)), **attrs)
        close(ours, theirs, name, roundings=0)
    assert (nn.tensor([7, -7]) // 2).tolist() == [3, -4] and (nn.tensor([7, -7]) % 2).tolist() == [1, 1]
    with pytest.raises(nn.RangeError, match="rounding_mode"):
        F.div(nn.ones(1), 2, rounding_mode="up")


# ---- comparisons and logic -----------------------------------------------------------------------
def test_comparisons():
    x = nn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for op in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        for other in (2, 2.0, nn.tensor([3.0, 2.0, 1.0]), np.array([3.0, 2.0, 1.0]), nn.tensor([3, 2, 1])):
            y = op(x, other)
            assert y.dtype == np.bool_ and not y.requires_grad
            np.testing.assert_array_equal(y.data, op(x.data, np.asarray(other)))
    assert (0 < x).tolist() == [True] * 3 and (2 > x).tolist() == [True, False, False]
    assert (x == None) is False and (x != None) is True and (x == "x") is False  # noqa: E711
    assert x in [x] and 2 in x and 5 not in x
    assert len({x, x}) == 1                         # hashed by identity, as dictionary keys must be


def test_logic():
    a, b = nn.tensor([True, True, False, False]), nn.tensor([True, False, True, False])
    assert (a & b).tolist() == [True, False, False, False] and (a | b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == [False, True, True, False] and (~a).tolist() == [False, False, True, True]
    assert (nn.tensor([6, 5]) & 3).tolist() == [2, 1] and (1 | nn.tensor([4])).tolist() == [5]
    assert (~nn.tensor([0])).tolist() == [-1]
    assert F.logical_and(nn.tensor([0.0, 2.0]), nn.tensor([1, 1])).tolist() == [False, True]
    assert F.logical_not(nn.tensor([0.0, 2.0])).tolist() == [True, False]
    assert F.logical_xor(a, b).tolist() == (a ^ b).tolist() and F.logical_or(a, b).tolist() == (a | b).tolist()
    for op in (operator.and_, operator.or_, operator.xor):
        with pytest.raises(nn.DTypeError, match=r"float32.*brackets"):
            op(nn.ones(1), a)


def test_numbers_that_are_not():
    x = nn.tensor([1.0, np.inf, -np.inf, np.nan])
    assert x.isnan().tolist() == [False, False, False, True] and x.isinf().tolist() == [False, True, True, False]
    assert x.isfinite().tolist() == [True, False, False, False]
    assert F.allclose(nn.tensor([1.0]), nn.tensor([1.0 + 1e-6])) and not F.allclose(nn.tensor([1.0]), nn.tensor([1.1]))
    assert F.equal(nn.ones(2), nn.ones(2)) and not F.equal(nn.ones(2), nn.ones(1))


def test_rounding():
    x = nn.tensor([-1.5, -0.5, 0.5, 1.5, 2.25], requires_grad=True)
    for y, want in ((x.floor(), [-2, -1, 0, 1, 2]), (x.ceil(), [-1, 0, 1, 2, 3]), (x.trunc(), [-1, 0, 0, 1, 2]),
                    (x.round(), [-2, 0, 0, 2, 2]),
                    (x.sign(), [-1, -1, 1, 1, 1]), (x.round(decimals=1), [-1.5, -0.5, 0.5, 1.5, 2.2])):
        assert y.tolist() == pytest.approx(want) and y.requires_grad and y.dtype == np.float32
    straight_through = x + (x.round() - x).detach()
    straight_through.sum().backward()
    assert straight_through.tolist() == [-2, 0, 0, 2, 2] and x.grad.tolist() == [1] * 5


# ---- in place ------------------------------------------------------------------------------------
def test_in_place_without_the_tape():
    data = np.array([1.0, 2.0], np.float32)
    x = same = nn.tensor(data)
    x += 1
    x *= nn.tensor([2.0, 3.0])
    x -= np.array([1.0, 1.0], np.float32)
    x /= 2
    assert x is same and x.data is data and data.tolist() == [1.5, 4]
    x.add_(2, alpha=3).sub_(1).mul_(2).div_(4).clamp_(max=4)
    assert data.tolist() == pytest.approx([3.25, 4])
    with pytest.raises(TypeError):
        nn.tensor([1]).add_(0.5)                        # an integer tensor cannot hold the result


def test_in_place_with_the_tape():
    w = nn.tensor([1.0, 2.0], requires_grad=True)
    with nn.no_grad():
        same = w
        w -= 0.5
    assert w is same and w.requires_grad and w.tolist() == [0.5, 1.5]
    total = start = nn.tensor([0.0, 0.0])
    total += w * 2                                  # the tape follows what is written into a tensor
    total.sum().backward()
    assert start is total and total.tolist() == [1, 3] and w.grad.tolist() == [2, 2]
    with pytest.raises(nn.GraphError, match="in place"):
        w.add_(1)


# ---- other functions -----------------------------------------------------------------------------
UNARY = ["exp", "expm1", "log", "log2", "log10", "log1p", "erf", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos",
         "abs", "neg"]


@both_types
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(torch, name, dtype):
    x = np.random.default_rng(0).uniform(0.1, 3, (7, 143))
    compare(getattr(nn.Tensor, name), getattr(torch.Tensor, name), [x], dtype, each=True)


@both_types
@pytest.mark.parametrize("exponent", [2, 3, -1, 0.5, 1.5, -2, 0, 1, 7])
def test_powers(torch, exponent, dtype):
    x = np.random.default_rng(0).uniform(0.1, 3, 1001)
    compare(lambda t: t**exponent, lambda t: t**exponent, [x], dtype, each=True)


@both_types
@pytest.mark.parametrize("exponent", [2, 3, -1, 0.5, -0.5, 1.5, -1.5])
def test_powers_of_special_values(exponent, dtype):
    """IEEE 754, 9.2.1: only odd whole exponents keep the sign of -0 and -inf.

    The slope is p x^(p-1).
    """
    def power(p):
        at_zero, at_infinity = (0.0, np.inf) if p > 0 else (np.inf, 0.0)
        sign = -1 if p % 2 == 1 else 1
        return np.array([at_zero, sign * at_zero, at_infinity, sign * at_infinity, np.nan], dtype)

    # enough to fill a vector
    x = nn.tensor(np.repeat(np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype), 9), requires_grad=True)
    y = x**exponent
    y.sum().backward()
    for ours, expected in ((y.data, power(exponent)), (x.grad.data, exponent * power(exponent - 1))):
        np.testing.assert_array_equal(ours, np.repeat(expected, 9))
        known = ~np.isnan(ours)
        np.testing.assert_array_equal(np.signbit(ours)[known], np.signbit(np.repeat(expected, 9))[known])


@both_types
def test_clamp_with_tensors(torch, dtype):
    x = np.random.default_rng(0).standard_normal((5, 7))
    compare(*both("clamp"), [x, np.full(7, -0.5), np.full((5, 1), 0.7)], dtype, each=True)
    assert nn.tensor([1, 5, 9]).clamp(2, 6).tolist() == [2, 5, 6]
    with pytest.raises(nn.RangeError, match="lower or an upper bound"):
        F.clamp(nn.ones(1))


def test_alpha():
    a, b = nn.tensor([1.0], requires_grad=True), nn.tensor([2.0], requires_grad=True)
    (F.add(a, b, alpha=3) - F.sub(a, b, alpha=4)).backward()
    assert a.grad.item() == 0 and b.grad.item() == 7


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_abs_has_no_slope_at_zero_however_large_the_upstream_gradient_is(backend):
    x = nn.tensor([0.0, -0.0, 1.0], requires_grad=True)
    with nn.use_backend(backend):
        x.abs().backward(nn.tensor([np.inf] * 3))
    assert x.grad.tolist() == [0, 0, np.inf]


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_both_get_the_gradient_at_nan(torch, name, dtype, backend):
    """As in PyTorch, in its vectors and behind them."""
    x = np.array([np.nan, 1.0, np.nan, 2.0, 3.0, np.inf] * 7, dtype)
    y = np.array([1.0, np.nan, np.nan, 2.0, -1.0, np.inf] * 7, dtype)
    with nn.use_backend(backend):
        compare(getattr(F, name), getattr(torch, name), [x, y], dtype, roundings=0)
