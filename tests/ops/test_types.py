"""Numbers and tensors of other types: every function that takes a second operand, with every pair
of types, gives PyTorch's type and values, or refuses with an error of ours.
"""

import functools
import inspect
import itertools
import math
import operator

import numpy as np
import pytest
from second_opinion import close

import fastnn as nn

F = nn.functional
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
NUMBERS = [2, 0, -1, 2.5, True, 300, 2**53 + 1, -2**63, 10**30, 1e300, math.nan, math.inf, np.int64(2), np.uint8(200),
           np.float64(2.5), np.float32(0.1)]
MASK = np.array([True, False, True, False])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])


def numbers(dtype, which):
    return np.array([[1, 2, 0, 3], [3, 1, 2, 2]][which]).astype(dtype)


def table(n, f):
    """{name: a function of two operands}, from fastnn's or PyTorch's modules: nn and F."""
    def tensor(a):
        return n.tensor(a)

    def named(name):
        return lambda a, b: getattr(f if hasattr(f, name) else n, name)(a, b)

    def copied(name):
        return lambda a, b: getattr(a.clone(), name)(b)

    def into(a, b):
        a = a.clone()
        a[1:] = b[1:] if np.ndim(b) else b
        return a

    def divided(mode):
        return lambda a, b: (f if hasattr(f, "div") else n).div(a, b, rounding_mode=mode)

    def scaled(name):
        return lambda a, b: getattr(f if hasattr(f, name) else n, name)(a, b, alpha=2)

    found = {name: named(name) for name in
             "add sub mul div subtract multiply divide true_divide maximum minimum remainder floor_divide pow "
             "eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor "
             "bitwise_left_shift bitwise_right_shift clamp "
             "clip atan2 clamp_max clamp_min copysign fmax fmin fmod gcd hypot lcm xlogy".split()}
    where = f.where if hasattr(f, "where") else n.where
    join = f if hasattr(f, "cat") else n
    found |= {
        "where": lambda a, b: where(tensor(MASK), a, b),
        "clamp to max": lambda a, b: a.clamp(max=b),
        "clamp between": lambda a, b: a.clamp(b, b),
        "div floor": divided("floor"), "div trunc": divided("trunc"),
        "add alpha": scaled("add"), "sub alpha": scaled("sub"),
        "xlog1py": lambda a, b: n.special.xlog1py(a, b),
        "masked_fill": lambda a, b: a.masked_fill(tensor(MASK), b),
        "pad": lambda a, b: f.pad(a, (1, 2), value=b),
        "full_like": lambda a, b: n.full_like(a, b),
        "full": lambda a, b: n.full((2,), b, dtype=a.dtype),
        "tensor": lambda a, b: n.tensor(b, dtype=a.dtype),
        "cat": lambda a, b: join.cat([a, b]), "stack": lambda a, b: join.stack([a, b]),
    }
    return found


# Functions of two operands that have no types to agree on, or take none but floats of one type
OTHERS = {"isclose", "allclose", "equal", "heaviside", "concatenate", "broadcast_tensors", "tile", "prelu", "dot",
          "max", "min", "matmul", "mm", "bmm", "mv", "linear", "atleast_1d", "histc", "threshold"}
# Their parts are in the table
COMPOSED = {"combine", "composed", "distance", "inplace", "join", "nan", "product", "repeat", "scan", "search",
            "shape", "slices", "sort"}
# what is written must have the type of what it is written into, as in PyTorch: test_scatter.py
WRITES = {"scatter"}
# the number comes second
ONE_WAY = ("clamp", "clip", "masked", "pad", "full", "tensor", "cat", "stack")
TAKERS = {"other", "exponent", "value", "values", "min", "max", "tensors", "weight"}


def test_no_function_of_two_operands_is_forgotten():
    """A function added later with such an argument comes into the table, or among the others."""
    known = {name.split()[0] for name in table(nn, F)} | OTHERS
    losses_and_layers = {name for name in dir(F)
                         if name.startswith(("conv", "linear", "batch_norm", "embedding", "lstm", "gru", "rnn"))
                         or name.endswith(("_loss", "_norm", "_entropy", "_logits", "_div", "attention"))}
    for name, function in vars(F).items():
        if inspect.isroutine(function) and name not in losses_and_layers and \
                function.__module__.removeprefix("fastnn.ops.") not in COMPOSED | WRITES:
            assert {name, function.__name__} & known or not TAKERS & set(inspect.signature(function).parameters), name


def outcome(function, a, b):
    try:
        y = function(a, b)
    except Exception as error:
        return error
    return np.asarray(y.numpy())


def agree(name, call, ours, theirs):
    if isinstance(ours, Exception):
        assert isinstance(ours, nn.FastnnError), f"{name} {call}: {ours!r}"
        who = name.split()[0]
        assert who in str(ours) or {"subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
                                    "clip": "clamp"}.get(who, "?") in str(ours), f"{name} {call}: {ours}"
        return "refused"
    if isinstance(theirs, Exception):
        return "theirs refused"
    close(ours, theirs, f"{name} {call}", each=True)
    return "equal"


@both_backends
@pytest.mark.parametrize("name", table(nn, F))
def test_two_tensors(torch, name, backend):
    ours, theirs = table(nn, F)[name], table(torch, torch.nn.functional)[name]
    done = set()
    with nn.use_backend(backend), np.errstate(all="ignore"):
        for (s, t), flat, swapped in itertools.product(itertools.product(DTYPES, DTYPES), (False, True), (False, True)):
            a, b = numbers(s, 0), numbers(t, 1)
            pair = (a, b[0] if flat else b)
            pair = [np.asarray(x) for x in (pair[::-1] if swapped else pair)]
            done.add(agree(name, (s, t, flat, swapped), outcome(ours, *map(nn.tensor, pair)),
                           outcome(theirs, *map(torch.tensor, pair))))
    assert done & {"equal", "theirs refused", "refused"}


@both_backends
@pytest.mark.parametrize("name", table(nn, F))
def test_a_tensor_and_a_number(torch, name, backend):
    """As PyTorch, where the tensor's type can hold the number. Where it cannot, PyTorch wraps it
    around (uint8 + 300 is uint8 + 44); we refuse it, or compare with the number itself.
    """
    ours, theirs = table(nn, F)[name], table(torch, torch.nn.functional)[name]
    with nn.use_backend(backend), np.errstate(all="ignore"):
        for s, number, swapped in itertools.product(DTYPES, NUMBERS, (False, True)):
            if swapped and name.startswith(ONE_WAY):
                continue
            a = numbers(s, 0)
            pair, others = (nn.tensor(a), number), (torch.tensor(a), number)
            if swapped:
                pair, others = pair[::-1], others[::-1]
            want = outcome(theirs, *others)
            kind = np.dtype(s).kind
            fits = kind in "fb" or not isinstance(number, (int, np.integer)) or (
                np.iinfo(s).min <= number <= np.iinfo(s).max)
            got = outcome(ours, *pair)
            if isinstance(got, nn.FastnnError) and not isinstance(want, Exception):
                zero = name in ("remainder", "floor_divide", "div floor", "div trunc", "pow") and kind in "iub"
                infinite = not np.isfinite(float(number))
                assert not fits or zero or kind == "b" or infinite, f"{name} {s} {number}: {got!r}"
            elif fits and not (name == "pad" and number == 2**53 + 1):
                # which PyTorch rounds to a float
                agree(name, (s, number, swapped), got, want)
            else:
                assert isinstance(got, (np.ndarray, nn.FastnnError)), f"{name} {s} {number}: {got!r}"


def test_integers_are_kept_to_the_last_digit():
    big, mask, x = 2**53 + 1, nn.tensor([True, False]), nn.tensor([1, 2])
    assert F.masked_fill(x, mask, big).tolist() == [big, 2]
    assert F.pad(nn.tensor([1]), (1, 0), value=big).tolist() == [big, 1]
    assert F.where(mask, x, big).tolist() == [1, big] == F.where(mask, 1, nn.tensor([0, big])).tolist()
    assert (nn.tensor([0]) + big).tolist() == [big] == nn.full_like(nn.tensor([0]), big).tolist()
    assert F.clamp(nn.tensor([2**62]), max=big).tolist() == [big] == F.maximum(nn.tensor([0]), big).tolist()
    assert nn.tensor(0.1, dtype=np.float64).item() == 0.1


@pytest.mark.parametrize("call", [
    lambda: nn.tensor(np.array([1, 2], np.uint8)) + 300,
    lambda: nn.tensor(np.array([1, 2], np.uint8)) + (-1),
    lambda: F.maximum(nn.tensor(np.array([1, 2], np.uint8)), -1),
    lambda: nn.tensor(np.array([1, 2], np.uint8)) & 300,
    *[lambda call=call: call(nn.tensor(np.array([1, 2], np.uint8)), nn.tensor(300))
      for call in (F.add, F.mul, F.maximum, F.fmax, F.fmin, F.pow, F.remainder, F.bitwise_or,
                   lambda x, y: x.fill_(y), lambda x, y: x.add_(y), lambda x, y: F.pad(x, (1, 1), value=y),
                   lambda x, y: F.where(x > 1, x, y), lambda x, y: F.masked_fill(x, x > 1, y))],
    lambda: nn.tensor(np.int64(300), dtype=np.uint8),
    lambda: F.where(nn.tensor([True]), nn.tensor(np.array([1], np.uint8)), 300),
    lambda: F.masked_fill(nn.tensor([1, 2]), nn.tensor([True, False]), math.nan),
    lambda: F.masked_fill(nn.ones(2), nn.tensor([True, False]), 1e300),
    lambda: F.pad(nn.tensor(np.array([1], np.uint8)), (1, 0), value=256),
    lambda: nn.full_like(nn.tensor([1]), math.inf), lambda: nn.full((1,), 2**63, dtype=np.int64),
    lambda: nn.tensor([1]) * 2**70, lambda: nn.ones(1) * 10**400, lambda: nn.tensor(300, dtype=np.uint8),
    lambda: nn.tensor([[1, math.nan]], dtype=np.int64), lambda: nn.arange(0, 300, 100, dtype=np.int8),
    lambda: F.clamp(nn.tensor(np.array([1], np.uint8)), max=-1),
    lambda: nn.tensor(np.array([1], np.uint8)).fill_(300), lambda: nn.tensor([1]).fill_(math.nan),
    lambda: nn.ones(2).fill_(1e300), lambda: nn.tensor(np.array([1], np.uint8)).add_(300),
    lambda: nn.randint(0, 1000, (5,), dtype=np.int8), lambda: nn.randint(-1, 5, (5,), dtype=np.uint8),
    lambda: nn.randint(0, 3, (5,), dtype=np.bool_), lambda: nn.init.constant_(nn.tensor([1]), math.nan),
])
def test_numbers_that_do_not_fit_are_refused(call):
    with pytest.raises(nn.RangeError, match=r"(cannot hold|too large|randint)"):
        call()


def test_numbers_written_into_a_tensor():
    x = nn.tensor(np.array([1, 2], np.uint8))
    for key, value in ((0, 300), (0, -1), (0, math.nan), (5, 1), (0, np.int64(300)),
                       (0, np.array(300)), (0, nn.tensor(300)), (0, np.float64(1e300)), (..., nn.tensor(-1))):
        with pytest.raises(nn.RangeError, match=r"^setitem"):
            x[key] = value
    for value in (None, "a"):
        with pytest.raises(nn.DTypeError, match=r"^setitem"):
            x[0] = value
    for key in ("a", 1.5, [0.5], nn.tensor([0.5])):
        with pytest.raises(nn.DTypeError, match=r"^setitem: an index is an int, "):
            x[key] = 1
    x[0] = 2.5                                      # as in PyTorch
    assert x.tolist() == [2, 2]


def test_comparisons_with_numbers_beyond_the_type():
    x = nn.tensor(np.array([1, 200], np.uint8))
    for number in (300, nn.tensor(300), np.int64(300)):
        assert (x < number).tolist() == [True, True] == (x != number - 256).tolist()
        assert F.clamp(x, 0, number).tolist() == [1, 200] == F.clamp(x, number - 400).tolist()
    assert (x < 300).tolist() == [True, True] == (x > -1).tolist() == (x != 257).tolist() == (x < 10**400).tolist()
    assert (nn.ones(1) < 10**400).tolist() == [True] == (nn.ones(1) > -10**400).tolist()
    assert F.logical_and(nn.ones(1), 2**70).tolist() == [True]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool"])
def test_integers_divided_by_zero(dtype):
    """Refused, however the zero comes in; in floating point the result is infinite or NaN."""
    a, b = nn.tensor(np.array([5, 1]).astype(dtype)), nn.tensor(np.array([1, 0]).astype(dtype))
    zero = nn.tensor(np.array(0).astype(dtype))
    for divisor in (b, zero, 0 if dtype != "bool" else False):
        for divide in (operator.floordiv, operator.mod, F.floor_divide, F.remainder,
                       functools.partial(F.div, rounding_mode="trunc"),
                       functools.partial(F.div, rounding_mode="floor")):
            with pytest.raises(nn.DTypeError if dtype == "bool" else nn.RangeError, match=r"div|rem"):
                divide(a, divisor)
        with np.errstate(all="ignore"):
            assert np.isinf((a / divisor).data[1])
    for divide in (lambda x: 7 // x, lambda x: 7 % x):
        with pytest.raises(nn.RangeError, match="zero"):
            divide(nn.tensor([1, 0]))
    assert (nn.tensor(np.zeros(0, np.int64)) // 0).shape == (0,)
    assert np.isinf((nn.ones(1) // 0).data[0]) and np.isnan((nn.ones(1) % 0).data[0])


def test_integer_division_at_the_edge():
    least = -2**63
    a, b = nn.tensor([least, 7, -7, 7, -7, 6]), nn.tensor([2, 2, 2, -2, -2, -3])
    assert F.div(a, b, rounding_mode="trunc").tolist() == [-2**62, 3, -3, -3, 3, -2]
    # as PyTorch
    assert (nn.tensor([least]) // -1).tolist() == [least] and (nn.tensor([least]) % -1).tolist() == [0]


def test_integer_powers():
    assert (nn.tensor([2, 3]) ** 3).tolist() == [8, 27] and (nn.tensor([4]) ** 0.5).dtype == np.float32
    for power in (lambda: nn.tensor([2]) ** -1, lambda: 2 ** nn.tensor([-1])):
        with pytest.raises(nn.RangeError, match=r"pow.*negative"):
            power()


def test_types_without_one_in_common():
    with pytest.raises(nn.DTypeError, match="uint64"):
        nn.tensor([1]) + nn.tensor(np.array([1], np.uint64))
    assert (nn.tensor(np.array([2**63], np.uint64)) + 1).tolist() == [2**63 + 1]


# ---- clamp ---------------------------------------------------------------------------------------
@both_backends
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_clamp_with_bounds_of_every_kind(backend, dtype):
    """Numbers, tensors without dimensions and tensors with some give the same, forward and
    backward, also where the bounds are crossed or NaN; all as the formula says.
    """
    nan, inf = math.nan, math.inf
    values = np.array([3, 7, -1, 0, 2, 5, nan, inf, -inf], dtype)
    wrap = {"numbers": lambda v: v, "0-d": lambda v: nn.tensor(np.array(v, dtype)),
            "1-d": lambda v: nn.tensor(np.array([v], dtype)),
            "full": lambda v: nn.tensor(np.full(values.shape, v, dtype))}
    with nn.use_backend(backend):
        for low, high in ((0, 5), (5, 2), (nan, 2), (2, nan), (nan, nan), (-inf, inf), (inf, -inf), (2, 2), (None, 2),
                          (2, None), (None, nan)):
            y = np.maximum(values, values.dtype.type(low)) if low is not None else values
            want = np.minimum(y, values.dtype.type(high)) if high is not None else y
            slope = np.ones(values.shape, bool)
            if low is not None:
                slope &= values >= low
            if high is not None:
                slope &= values <= high
            for kind, make in wrap.items():
                x = nn.tensor(values, requires_grad=True)
                y = F.clamp(x, *[None if v is None else make(v) for v in (low, high)])
                np.testing.assert_array_equal(y.data, want, err_msg=f"{kind} {low} {high}")
                assert y.dtype == dtype
                y.sum().backward()
                there = ~np.isnan(values)
                np.testing.assert_array_equal(x.grad.data[there], slope[there], err_msg=f"{kind} {low} {high}")


def test_gradients_of_bounds(torch):
    for low, high in (([0.0, 2.0, 1.0], [1.0, 3.0, 0.5]), ([-1.0, 0.5, 0.5], [0.25, 0.5, 9.0])):
        grads = []
        for n in (nn, torch):
            x, a, b = (n.tensor(v, requires_grad=True) for v in ([0.5, 0.5, 0.75], low, high))
            x.clamp(a, b).backward(n.tensor([1.0, 10.0, 100.0]))
            grads.append([t.grad.tolist() for t in (x, a, b)])
        assert grads[0] == grads[1]


def test_clamp_of_integers():
    x = nn.tensor(np.array([1, 5, 250], np.uint8))
    assert F.clamp(x, -1, 300).tolist() == [1, 5, 250] and F.clamp(x, -1, 300).dtype == np.uint8
    assert F.clamp(nn.tensor([1, 5]), 2.5).dtype == np.float32
    assert F.clamp(nn.tensor([3, 7]), 5, 2).tolist() == [2, 2]
    for bound in (nn.tensor([0, 0, 0]), nn.tensor([0, 0, 0], dtype=np.uint8)):
        with pytest.raises(nn.ShapeError, match=r"clamp.*\(3,\)"):
            F.clamp(nn.tensor([1, 5]), bound)


# ---- sizes beyond memory -------------------------------------------------------------------------
@both_backends
@pytest.mark.parametrize("call", [
    lambda x: F.tile(x, (2, 2**62)), lambda x: x.repeat(2, 2**62), lambda x: x.repeat(2**40, 2**40),
    lambda x: F.pad(x, (2**62, 2**62)), lambda x: F.pad(x, (0, 2**50)),
    lambda x: F.one_hot(nn.tensor([1]), 2**62), lambda x: nn.zeros(2**62, 2**62), lambda x: nn.full((2**62, 4), 1.0),
    lambda x: nn.randint(0, 5, (2**62, 4)), lambda x: nn.eye(2**40), lambda x: nn.ones(2**31, 2**31, 2**31),
    lambda x: x.expand(2**40, 2**40, 2) + 1,
])
def test_sizes_beyond_memory_are_refused(call, backend):
    with nn.use_backend(backend), pytest.raises((nn.FastnnError, MemoryError)):
        call(nn.tensor([1.0, 2.0]))


# ---- labels --------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_one_hot_of_every_integer_type(dtype):
    labels = nn.tensor(np.array([1, 2]).astype(dtype))
    assert F.one_hot(labels, 5).tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert F.one_hot(labels).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert F.one_hot(nn.tensor(np.zeros(0, dtype)), 3).shape == (0, 3)
    with pytest.raises(nn.RangeError, match="label"):
        F.one_hot(labels, 2)
