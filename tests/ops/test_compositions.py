"""Functions that are composed of others: PyTorch as a second opinion, results and gradients, and
errors that name the function which was called.
"""

import itertools
import math

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn
from fastnn.config import flushes_denormal

F = nn.functional
R = np.random.default_rng(0)
V, W, M = R.standard_normal(4), R.standard_normal(5), R.standard_normal((3, 4))
A, B = R.standard_normal((2, 3, 4)), R.standard_normal((2, 4, 5))
X = R.standard_normal((2, 6, 4, 6))
LESS = np.array([True, False, True, True])


def theirs(torch, name):
    """PyTorch's function, where it is."""
    functional = getattr(torch.nn.functional, name, None)
    return functional or getattr(torch, name)


# name, arrays, other arguments
CASES = [
    ("addmm", [R.standard_normal(5), M, B[0]], {"beta": 0.5, "alpha": 2}),
    ("addmv", [V[:3], M, V], {"alpha": -1}),
    ("addr", [M.T, V, W[:3]], {"beta": 2}), ("baddbmm", [V[:1], A, B], {}), ("addbmm", [M[:, :1], A, B], {"alpha": 3}),
    ("outer", [V, W], {}), ("inner", [M, A], {}), ("vdot", [V, V], {}), ("tensordot", [A, A], {"dims": 3}),
    ("tensordot", [A, B], {"dims": ([2], [1])}), ("tensordot", [A, B], {"dims": ([0, 2], [0, 1])}),
    ("addcmul", [M, V, M[:, :1]], {"value": 0.3}), ("addcdiv", [M, V, M[:, :1]], {"value": 2}),
    ("lerp", [M, M[::-1].copy()], {"weight": 0.3}), ("lerp", [M, M[::-1].copy()], {"weight": 0.8}),
    ("lerp", [M, M * 2, M], {}), ("rsub", [M, V], {"alpha": 2}), ("logaddexp", [M, V], {}), ("positive", [M], {}),
    ("normalize", [A], {}), ("normalize", [A], {"p": 3.0, "dim": -1}), ("normalize", [A * 0], {"eps": 0.5}),
    ("cosine_similarity", [A, A[::-1].copy()], {}), ("cosine_similarity", [A, M], {"dim": 2}),
    ("pairwise_distance", [M, M[::-1].copy()], {}), ("pairwise_distance", [M, V], {"p": 1.0, "keepdim": True}),
    ("cdist", [A, B.transpose(0, 2, 1).copy()], {}), ("cdist", [A, M], {"p": 1.0}), ("cdist", [A, M], {"p": np.inf}),
    ("cdist", [M, M], {"p": 3.0}), ("narrow", [A], {"dim": 1, "start": 1, "length": 2}),
    ("narrow", [A], {"dim": -1, "start": -2, "length": 1}), ("select", [A], {"dim": 1, "index": -1}),
    ("diag", [V], {"diagonal": -2}), ("diag", [V], {}), ("diag", [M], {"diagonal": 1}),
    ("diagonal", [A], {"offset": -1, "dim1": 2, "dim2": 0}), ("diagonal", [M], {"offset": 9}),
    ("repeat_interleave", [M], {"repeats": 2}), ("repeat_interleave", [M], {"repeats": 3, "dim": 0}),
    ("pixel_shuffle", [X[:, :4]], {"upscale_factor": 2}), ("pixel_unshuffle", [X], {"downscale_factor": 2}),
    ("channel_shuffle", [X], {"groups": 3}), ("instance_norm", [X], {}),
    ("local_response_norm", [X], {"size": 3, "alpha": 0.1}), ("local_response_norm", [X], {"size": 4, "k": 2.0}),
    ("local_response_norm", [X], {"size": 40, "alpha": 3.0}), ("local_response_norm", [X], {"size": 41, "k": 0.5}),
    ("masked_select", [M, LESS], {}), ("nan_to_num", [M], {}), ("msort", [M], {}),
    ("sort", [M], {"dim": 0}), ("sort", [M], {"descending": True}), ("argsort", [M], {}),
    ("topk", [M], {"k": 2}), ("topk", [M], {"k": 2, "dim": 0, "largest": False}), ("topk", [M], {"k": 0}),
    ("hardshrink", [M], {}), ("softshrink", [M], {"lambd": 0.2}), ("tanhshrink", [M], {}),
    ("celu", [M], {"alpha": 0.5}), ("celu", [M], {"alpha": -1.0}), ("celu", [M * 3], {"alpha": -0.5}),
    ("celu", [np.array([-np.inf, np.inf, 0.0, -0.0])], {"alpha": -2.0}),
    ("threshold", [M], {"threshold": 0.2, "value": -1.0}), ("softmin", [M], {"dim": 0}),
    ("cumprod", [M], {"dim": 1}), ("cumprod", [M * LESS], {"dim": 0}), ("cumprod", [M * 0], {"dim": 1}),
    ("logaddexp2", [M, V], {}), ("logcumsumexp", [M], {"dim": 1}), ("logcumsumexp", [A * 300], {"dim": 0}),
    ("logcumsumexp", [np.array(2.0)], {"dim": 0}), ("ldexp", [M, np.array([3, 0, 1, 2])], {}),
    ("float_power", [M**2, V], {}), ("renorm", [M], {"p": 2, "dim": 0, "maxnorm": 1.0}),
    ("renorm", [A], {"p": 1, "dim": -1, "maxnorm": 4.0}), ("renorm", [M], {"p": np.inf, "dim": 1, "maxnorm": 0.5}),
    ("nextafter", [M, V], {"differentiable": [0]}), ("kron", [M, V], {}), ("kron", [V, A], {}),
    ("kron", [np.array(2.0), M], {}),
    ("cross", [M.reshape(4, 3), M.reshape(4, 3)[::-1].copy()], {"dim": -1}), ("cross", [M, M[:, :1]], {"dim": 0}),
    ("bilinear", [A, A[..., :3], R.standard_normal((5, 4, 3)), W], {}),
    ("bilinear", [V, V, R.standard_normal((2, 4, 4))], {}), ("pdist", [M], {}), ("pdist", [M], {"p": 1.0}),
    ("pdist", [M], {"p": np.inf}), ("pdist", [M[:1]], {}), ("diagflat", [M], {"offset": -1}),
    ("diag_embed", [A], {}), ("diag_embed", [A], {"offset": 1, "dim1": 0, "dim2": 2}),
    ("diag_embed", [M], {"offset": -2, "dim1": 2, "dim2": 1}),
    *[("rot90", [A], {"k": k, "dims": dims}) for k in (-1, 0, 1, 2, 3, 5) for dims in ((0, 1), (2, 0))],
    ("split_with_sizes", [A], {"split_sizes": [1, 2], "dim": 1}), ("tensor_split", [W], {"sections": 3}),
    ("tensor_split", [W], {"indices": (1, 1, -1, 9)}), ("tensor_split", [V[:2]], {"sections": 3}),
    ("atleast_2d", [V], {}), ("atleast_3d", [M], {}), ("take_along_dim", [M, np.argsort(M, 1)], {"dim": 1}),
]


@pytest.mark.parametrize("name, arrays, attrs", CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_like_torch(torch, name, arrays, attrs):
    compare(getattr(F, name), theirs(torch, name), arrays, **attrs)


@pytest.mark.parametrize("name", ["hstack", "vstack", "dstack", "column_stack"])
@pytest.mark.parametrize("arrays", [[V, V], [M, M * 2], [A, A], [np.array(1.0), np.array(2.0)]], ids=[1, 2, 3, 0])
def test_stacks_like_torch(torch, name, arrays):
    compare(lambda *t: getattr(F, name)(t), lambda *t: getattr(torch, name)(t), arrays, roundings=0)


@pytest.mark.parametrize("name, x, where", [
    ("hsplit", V, 2), ("hsplit", A, (2,)), ("vsplit", M, 3), ("vsplit", A, (1, 1)), ("dsplit", A, 2)])
def test_equal_pieces_like_torch(torch, name, x, where):
    compare(lambda t: getattr(F, name)(t, where), lambda t: getattr(torch, name)(t, where), [x], roundings=0)


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_meshgrid_like_torch(torch, indexing):
    for arrays in ([V, W], [V, W, M[0]], [V], [np.array(2.0), W]):
        compare(lambda *t: F.meshgrid(*t, indexing=indexing), lambda *t: torch.meshgrid(*t, indexing=indexing), arrays)
    assert F.meshgrid([nn.ones(2), nn.ones(3)])[0].shape == (2, 3)


def test_repeats_of_each_like_torch(torch):
    counts = np.array([2, 0, 1])
    compare(lambda x, n: F.repeat_interleave(x, n, 0), lambda x, n: torch.repeat_interleave(x, n, 0), [M, counts])


# ---- order ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("descending", [False, True])
def test_equals_and_nan_stay_in_order(torch, descending):
    x = np.array([[2.0, np.nan, 1.0, 2.0, -np.inf, 1.0, np.nan, np.inf], [0.0, -0.0, 0.0, 1, 1, 1, 0, 0]])
    got = F.sort(nn.tensor(x), descending=descending)
    want = torch.sort(torch.tensor(x), descending=descending, stable=True)
    close(got.values, want.values), close(got.indices, want.indices)
    for dtype in ("int64", "uint8", "bool"):
        y = np.array([3, 1, 0, 2, 1]).astype(dtype)
        close(F.argsort(nn.tensor(y), descending=descending),
              torch.argsort(torch.tensor(y), descending=descending, stable=True))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("n", [7, 40, 1000])
def test_the_largest_few(torch, n, largest):
    x = np.random.default_rng(n).permutation(3 * n).reshape(3, n) / 7
    for k in (1, 3, n // 8):
        compare(F.topk, torch.topk, [x], k=k, largest=largest, roundings=0)
    compare(F.topk, torch.topk, [x], k=2, dim=0, largest=largest, roundings=0)
    values, indices = F.topk(nn.tensor([1.0, float("nan"), *[0.0] * 30]), 2)
    assert np.isnan(values.data[0]) and indices.tolist() == [1, 0]


# ---- what is there -------------------------------------------------------------------------------
def test_places_and_numbers_like_torch(torch):
    for a in (np.array([[0, 3, 0], [1, 0, 2]]), np.array([0.0, 1.5, np.nan]), np.array(3), np.zeros((2, 0))):
        x, y = nn.tensor(a), torch.tensor(a)
        close(F.nonzero(x), torch.nonzero(y)), close(F.argwhere(x), torch.argwhere(y))
        for i, j in zip(F.nonzero(x, as_tuple=True), torch.nonzero(y, as_tuple=True), strict=True):
            close(i, j)
        close(F.count_nonzero(x), torch.count_nonzero(y))
    close(F.count_nonzero(nn.tensor(M > 0), 1), torch.count_nonzero(torch.tensor(M > 0), 1))
    a = np.array([[3, 1, 3], [1, 1, 2]])
    for got, want in zip(F.unique(nn.tensor(a), return_inverse=True, return_counts=True),
                         torch.unique(torch.tensor(a), return_inverse=True, return_counts=True), strict=True):
        close(got, want)
    rows = np.array([[1, 2], [0, 1], [1, 2]])
    for got, want in zip(F.unique(nn.tensor(rows), return_inverse=True, dim=0),
                         torch.unique(torch.tensor(rows), return_inverse=True, dim=0), strict=True):
        close(got, want)
    numbers, weights = np.array([0, 5, 2, 2]), np.array([0.5, 1, 2, 4])
    for attrs in ({}, {"minlength": 9}):
        close(F.bincount(nn.tensor(numbers), **attrs), torch.bincount(torch.tensor(numbers), **attrs))
        close(F.bincount(nn.tensor(numbers), nn.tensor(weights), **attrs),
              torch.bincount(torch.tensor(numbers), torch.tensor(weights), **attrs))


def test_nan_and_infinities_become_numbers(torch):
    x = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0])
    for dtype in (np.float32, np.float64):
        for attrs in ({}, {"nan": 3.0, "posinf": 2.0, "neginf": -7.0}):
            compare(F.nan_to_num, torch.nan_to_num, [x], dtype, **attrs)


def test_logaddexp_at_the_ends(torch):
    a = np.array([np.inf, -np.inf, np.inf, -np.inf, 1000.0, -1000.0, np.nan])
    b = np.array([np.inf, -np.inf, -np.inf, 2.0, 1000.0, -1001.0, 1.0])
    close(F.logaddexp(nn.tensor(a), nn.tensor(b)), torch.logaddexp(torch.tensor(a), torch.tensor(b)))


def test_what_addmm_leaves_out_does_not_count():
    y = F.addmm(nn.tensor([float("nan")]), nn.ones(1, 2), nn.ones(2, 1), beta=0)
    assert y.item() == 2


def test_a_window_far_beyond_the_channels_costs_no_more():
    few = F.local_response_norm(nn.Tensor(X), 1 << 5, alpha=1.0)
    many = F.local_response_norm(nn.Tensor(X), 1 << 40, alpha=2.0**35)
    assert np.array_equal(few.data, many.data)


@pytest.mark.parametrize("k", [0.0, 1.0])
@pytest.mark.parametrize("size", [1e-20, 1e20, 1e30])
def test_responses_of_any_size(torch, size, k):
    """In float32 as PyTorch's in float64, forward and backward."""
    x = np.where(X < 0, X - 0.1, X + 0.1) * size
    t, exact = nn.tensor(x.astype(np.float32), requires_grad=True), torch.tensor(x, requires_grad=True)
    y = F.local_response_norm(t, 3, k=k, beta=0.6)
    want = torch.nn.functional.local_response_norm(exact, 3, k=k, beta=0.6)
    np.testing.assert_allclose(y.data, want.detach().numpy(), rtol=1e-5)
    y.sum().backward()
    want.sum().backward()
    slope = exact.grad.numpy()
    np.testing.assert_allclose(t.grad.data, slope, rtol=1e-5, atol=float(np.abs(slope).max()) * 1e-5)


def test_running_statistics_of_images(torch):
    ours, theirs = [np.zeros(6), np.ones(6)], [torch.zeros(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)]
    for training in (True, True, False):
        got = F.instance_norm(nn.tensor(X), *ours, use_input_stats=training)
        want = torch.nn.functional.instance_norm(torch.tensor(X), *theirs, use_input_stats=training)
        close(got, want), close(ours[0], theirs[0]), close(ours[1], theirs[1])


def test_draws_follow_the_weights():
    nn.seed(0)
    weights = nn.tensor([0.0, 1.0, 3.0, 0.0, 4.0])
    drawn = nn.multinomial(weights, 40_000, replacement=True).data
    # a share p of n draws strays by sqrt(p (1 - p) / n) < 0.0025
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 40_000, [0, 1 / 8, 3 / 8, 0, 4 / 8], atol=0.0125)
    few = nn.multinomial(nn.tensor(np.tile(weights.data, (4000, 1))), 2)
    assert few.shape == (4000, 2) and (few.data[:, 0] != few.data[:, 1]).all()
    assert abs((few.data[:, 0] == 4).mean() - 0.5) < 0.04 and set(np.unique(few.data)) == {1, 2, 4}
    assert weights.multinomial(3).dtype == np.int64 and sorted(weights.multinomial(3).tolist()) == [1, 2, 4]
    for wrong, n in ((weights, 4), (weights * 0, 1), (-weights, 1), (weights / 0, 1), (weights, 0)):
        with pytest.raises(nn.RangeError, match="multinomial"):
            nn.multinomial(wrong, n)
    with pytest.raises(nn.ShapeError, match=r"multinomial: expected weights of shape \(n,\) or \(m, n\)"):
        nn.multinomial(nn.ones(2, 2, 2), 1)


def test_a_diagonal_is_a_view():
    x = nn.zeros(3, 3)
    x.diagonal().fill_(1)
    assert nn.equal(x, nn.eye(3))
    w = nn.Parameter(np.ones((2, 2), np.float32))
    (w * 1).diagonal().sum().backward()
    assert w.grad.tolist() == [[1, 0], [0, 1]]


def test_shifts_of_bits_like_torch(torch):
    a, b = np.array([1, 3, -5, 2**62, -1, 7]), np.array([0, 2, 1, 1, 70, 62])
    for x in (a, a.astype(np.int8), a.astype(np.uint8)):
        n = b.astype(x.dtype)
        for name in ("bitwise_left_shift", "bitwise_right_shift"):
            close(getattr(F, name)(nn.tensor(x), nn.tensor(n)), getattr(torch, name)(torch.tensor(x), torch.tensor(n)))
    x = nn.tensor([5, -5])
    assert (x << 1).tolist() == [10, -10] and (x >> 1).tolist() == [2, -3] and (1 << nn.tensor([3])).item() == 8
    x <<= 2
    x.bitwise_right_shift_(1)
    assert x.tolist() == [10, -10] and (16 >> nn.tensor([3])).item() == 2


def test_runs_of_equals_like_torch(torch):
    for a, dims in ((np.array([3, 3, 1, 3, 3, 3, 2]), (None, 0)),
                    (np.array([[1, 1, 2], [1, 1, 2], [0, 1, 2]]), (None, 0, 1)),
                    (np.zeros((0,)), (None, 0)), (np.array([np.nan, np.nan, 1.0]), (None,)), (np.array(2.0), (None,))):
        for dim in dims:
            for got, want in zip(F.unique_consecutive(nn.tensor(a), True, True, dim), torch.unique_consecutive(
                    torch.tensor(a), return_inverse=True, return_counts=True, dim=dim), strict=True):
                close(got, want)


def test_float_power_is_float64():
    for y in (F.float_power(2, nn.tensor([3])), F.float_power(nn.tensor([2.0]), 3), F.float_power(2, 3)):
        assert y.dtype == np.float64 and y.item() == 8


def test_in_place(torch):
    for name, others in (("addcmul_", [M, V]), ("addcdiv_", [M, V]), ("lerp_", [M * 3])):
        attrs = {"weight": 0.25} if name == "lerp_" else {"value": 0.5}

        def call(x, *t, name=name, attrs=attrs):
            return getattr(x * 1, name)(*t, **attrs)
        compare(call, call, [M, *others])


# ---- errors --------------------------------------------------------------------------------------
I2, T2, T3 = nn.tensor([[1, 2]]), nn.ones(2, 3), nn.ones(2, 3, 4)


def test_celu_of_an_infinite_alpha_is_its_limit():
    """PyTorch has NaN below 0: 0 times infinity."""
    x = nn.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    for alpha in (np.inf, -np.inf):
        y = F.celu(x, alpha)
        assert y.tolist() == [-2, 0, 3] and nn.autograd.grad(y.sum(), x)[0].tolist() == [1, 1, 1]
        assert F.celu(x, 1e20 * np.sign(alpha))[0].item() == -2


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.addmm(T2, T2, T2), nn.ShapeError, ("addmm", "(2, 3)", "3 and 2")),
    (lambda: F.addmm(nn.ones(3, 1, 1), T2, T2.T), nn.ShapeError, ("addmm", "broadcasts to (2, 2)", "(3, 1, 1)")),
    (lambda: F.addmv(T2, T2, T2), nn.ShapeError, ("addmv", "(m,)")),
    (lambda: F.baddbmm(T3, T3, T3), nn.ShapeError, ("baddbmm", "3, 4")),
    (lambda: F.outer(T2, T2), nn.ShapeError, ("outer", "two vectors", "(2, 3)")),
    (lambda: F.inner(T2, T3), nn.ShapeError, ("inner", "(2, 3)", "(2, 3, 4)")),
    (lambda: F.vdot(nn.ones(2), nn.ones(3)), nn.ShapeError, ("vdot", "(2,)", "(3,)")),
    (lambda: F.tensordot(T2, T2, 1), nn.ShapeError, ("tensordot", "one size", "[3]", "[2]")),
    (lambda: F.tensordot(T2, T2, 5), nn.ShapeError, ("tensordot", "dims from 0 to 2", "5")),
    (lambda: F.tensordot(T2, T2, ([2], [0])), nn.RangeError, ("tensordot", "dimension 2")),
    (lambda: F.addcmul(T2, T2, nn.ones(4)), nn.ShapeError, ("addcmul", "(2, 3)", "(4,)")),
    (lambda: F.addcdiv(T2, I2, I2), nn.DTypeError, ("addcdiv", "int64")),
    (lambda: F.lerp(I2, I2, 0.5), nn.DTypeError, ("lerp", "int64")),
    (lambda: F.lerp(T2, T2.double(), 0.5), nn.DTypeError, ("lerp", "float32", "float64")),
    (lambda: F.rsub(T2, "a"), nn.DTypeError, ("rsub", "str")),
    (lambda: F.logaddexp(I2, I2), nn.DTypeError, ("logaddexp", "int64", ".float()")),
    (lambda: F.nan_to_num(T2, nan=1e300), nn.RangeError, ("nan_to_num", "1e+300")),
    (lambda: F.positive(T2 > 0), nn.DTypeError, ("positive", "booleans")),
    (lambda: F.normalize(T2, dim=2), nn.RangeError, ("normalize", "dimension 2")),
    (lambda: F.normalize(I2), nn.DTypeError, ("normalize", "int64")),
    (lambda: F.cosine_similarity(T2, nn.ones(4)), nn.ShapeError, ("cosine_similarity", "(2, 3)", "(4,)")),
    (lambda: F.pairwise_distance(T2, nn.ones(4)), nn.ShapeError, ("pairwise_distance", "(2, 3)", "(4,)")),
    (lambda: F.cdist(T2, nn.ones(2, 4)), nn.ShapeError, ("cdist", "(..., m, d)", "(2, 4)")),
    (lambda: F.cdist(T2, T2, -1), nn.RangeError, ("cdist", "p >= 0", "-1")),
    (lambda: F.cdist(I2, I2), nn.DTypeError, ("cdist", "x1", "int64")),
    (lambda: F.narrow(T2, 1, 2, 2), nn.RangeError, ("narrow", "3 slices", "(2, 2)")),
    (lambda: F.select(T2, 0, 2), nn.RangeError, ("select", "-2 <= index < 2", "2")),
    (lambda: F.select(T2, 2, 0), nn.RangeError, ("select", "dimension 2")),
    (lambda: F.diag(T3), nn.ShapeError, ("diag", "(2, 3, 4)")),
    (lambda: F.diagonal(T2, 0, 1, -1), nn.RangeError, ("diagonal", "differ", "(1, -1)")),
    (lambda: F.repeat_interleave(T2, nn.tensor([1, 2, 3]), 0), nn.ShapeError, ("repeat_interleave", "or 2", "(3,)")),
    (lambda: F.repeat_interleave(T2, -1), nn.RangeError, ("repeat_interleave", ">= 0", "-1")),
    (lambda: F.repeat_interleave(T2, 1.5), nn.DTypeError, ("repeat_interleave", "integer")),
    (lambda: F.kron(nn.ones(1).expand(2**30), nn.ones(1).expand(2**30)), nn.ShapeError, ("kron", "memory")),
    (lambda: F.cross(T2, T3), nn.ShapeError, ("cross", "(2, 3, 4)")),
    (lambda: F.cross(T2, T2, 0), nn.ShapeError, ("cross", "size 3", "(2, 3)")),
    (lambda: F.bilinear(T2, T2, T3), nn.ShapeError, ("bilinear", "(K, I, J)", "(2, 3, 4)")),
    (lambda: F.pdist(T3), nn.ShapeError, ("pdist", "(n, d)", "(2, 3, 4)")),
    (lambda: F.pdist(T2, -1), nn.RangeError, ("pdist", "p >= 0", "-1")),
    (lambda: F.renorm(nn.ones(2), 2, 0, 1), nn.ShapeError, ("renorm", "two dimensions", "(2,)")),
    (lambda: F.renorm(T2, 2, 0, -1), nn.RangeError, ("renorm", "maxnorm >= 0", "-1")),
    (lambda: F.logcumsumexp(I2, 0), nn.DTypeError, ("logcumsumexp", "int64")),
    (lambda: F.logaddexp2(I2, I2), nn.DTypeError, ("logaddexp2", "int64")),
    (lambda: F.nextafter(T2, T2.double()), nn.DTypeError, ("nextafter", "float32", "float64")),
    (lambda: F.diag_embed(nn.tensor(1.0)), nn.ShapeError, ("diag_embed", "one dimension")),
    (lambda: F.diag_embed(T2, 0, 1, 1), nn.RangeError, ("diag_embed", "differ", "(1, 1)")),
    (lambda: F.diag_embed(T2, 2**40), nn.ShapeError, ("diag_embed", "memory")),
    (lambda: F.rot90(nn.ones(2)), nn.ShapeError, ("rot90", "two dimensions", "(2,)")),
    (lambda: F.rot90(T2, 1, (1, -1)), nn.RangeError, ("rot90", "differ", "(1, -1)")),
    (lambda: F.tensor_split(T2, 0), nn.RangeError, ("tensor_split", "at least 1 piece", "0")),
    (lambda: F.tensor_split(T2, 2**40), nn.RangeError, ("tensor_split", "4096", str(2**40))),
    (lambda: F.tensor_split(T2), nn.DTypeError, ("tensor_split", "indices_or_sections as an int")),
    (lambda: F.hsplit(T2, 2), nn.ShapeError, ("hsplit", "equal size", "2 pieces")),
    (lambda: F.vsplit(nn.ones(2), 2), nn.ShapeError, ("vsplit", "2 dimensions", "(2,)")),
    (lambda: F.bitwise_left_shift(T2, 1), nn.DTypeError, ("bitwise_left_shift", "integer", "float32")),
    (lambda: F.bitwise_right_shift(T2 > 0, T2 > 0), nn.DTypeError, ("bitwise_right_shift", "integer", "bool")),
    (lambda: F.meshgrid(T2), nn.ShapeError, ("meshgrid", "vectors", "(2, 3)")),
    (lambda: F.meshgrid(nn.ones(2), indexing="yx"), nn.RangeError, ("meshgrid", "ij", "yx")),
    (lambda: F.hstack([]), nn.ShapeError, ("hstack",)),
    (lambda: F.vstack([nn.ones(2), nn.ones(3)]), nn.ShapeError, ("vstack",)),
    (lambda: F.pixel_shuffle(T3, 2), nn.ShapeError, ("pixel_shuffle", "multiple of 4", "(2, 3, 4)")),
    (lambda: F.pixel_unshuffle(T3, 2), nn.ShapeError, ("pixel_unshuffle", "multiples of 2", "(2, 3, 4)")),
    (lambda: F.channel_shuffle(T3, 2), nn.ShapeError, ("channel_shuffle", "multiple of 2", "(2, 3, 4)")),
    (lambda: F.channel_shuffle(T3, 0), nn.ShapeError, ("channel_shuffle", "groups >= 1", "0")),
    (lambda: F.instance_norm(T2), nn.ShapeError, ("instance_norm", "(N, C, ...)", "(2, 3)")),
    (lambda: F.instance_norm(nn.ones(2, 3, 1)), nn.ShapeError, ("instance_norm", "one pixel")),
    (lambda: F.instance_norm(T3, use_input_stats=False), nn.RangeError, ("instance_norm", "running_mean")),
    (lambda: F.local_response_norm(T3, 0), nn.ShapeError, ("local_response_norm", "size >= 1", "0")),
    (lambda: F.local_response_norm(T2, 1), nn.ShapeError, ("local_response_norm", "(2, 3)")),
    (lambda: F.hardshrink(I2), nn.DTypeError, ("hardshrink", "int64")),
    (lambda: F.softshrink(T2, -1.0), nn.RangeError, ("softshrink", "lambd >= 0", "-1.0")),
    (lambda: F.celu(T2, 0.0), nn.RangeError, ("celu", "alpha other than 0", "0.0")),
    (lambda: F.softmin(T2, 2), nn.ShapeError, ("softmin", "dim from -2 to 1")),
    (lambda: F.sort(T2, 2), nn.RangeError, ("sort", "dimension 2")),
    (lambda: F.topk(T2, 4), nn.RangeError, ("topk", "at most 3", "4")),
    (lambda: F.topk(T2, -1), nn.ShapeError, ("topk", "k >= 0", "-1")),
    (lambda: F.masked_select(T2, T2), nn.DTypeError, ("masked_select", "bool", "float32")),
    (lambda: F.masked_select(T2, nn.ones(4) > 0), nn.ShapeError, ("masked_select", "broadcast")),
    (lambda: F.bincount(T2), nn.DTypeError, ("bincount", "integer", "float32")),
    (lambda: F.bincount(I2), nn.ShapeError, ("bincount", "vector", "(1, 2)")),
    (lambda: F.bincount(nn.tensor([-1])), nn.RangeError, ("bincount", ">= 0", "-1"))])
def test_errors(call, error, words):
    refused(call, error, words)


def test_the_functions_are_methods_too():
    x = nn.tensor(M)
    assert nn.equal(x.topk(2).values, F.topk(x, 2).values) and x.unique().shape == (12,)
    assert nn.equal(x.addmm(x, nn.ones(4, 4, dtype=nn.float64)), F.addmm(x, x, nn.ones(4, 4, dtype=nn.float64)))


def test_ldexp_keeps_its_type_and_does_not_overflow_on_the_way():
    for dtype, x, e, y in ((nn.float64, 1.0, 200, 2.0**200), (nn.float64, 1e300, -1200, math.ldexp(1e300, -1200)),
                           (nn.float64, 0.0, 200, 0.0), (nn.float32, 2.0**-100, 200, 2.0**100),
                           (nn.float32, math.inf, -200, math.inf), (nn.float32, 1.0, math.inf, math.inf)):
        got = nn.ldexp(nn.tensor([x], dtype=dtype), nn.tensor([e]))
        assert got.dtype == dtype and got.item() == y, (x, e)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_ldexp_is_numpy_s(dtype):
    """At all powers that matter and far beyond, rounded once; NumPy and C take whole exponents."""
    rng = np.random.default_rng(0)
    tiny, most = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, tiny, most, 1, *rng.uniform(-2, 2, 9)], dtype)[:, None]
    with np.errstate(over="ignore", under="ignore"):
        x = np.concatenate([x, x * dtype(2)**-100, x * dtype(2)**100])
    bounds = {np.float32: 300, np.float64: 2200}[dtype]
    e = np.concatenate([np.arange(-bounds, bounds), [-(2**31), -10000, 10000, 2**31 - 1]]).astype(np.int32)
    with np.errstate(all="ignore"):
        want = np.ldexp(x, e)
    before = flushes_denormal()
    nn.set_flush_denormal(False)
    try:
        got = nn.ldexp(nn.tensor(x), nn.tensor(e))
    finally:
        nn.set_flush_denormal(before)
    np.testing.assert_array_equal(got.data, want)
    np.testing.assert_array_equal(np.signbit(got.data[~np.isnan(want)]), np.signbit(want[~np.isnan(want)]))


def test_slopes_of_ldexp_where_the_power_overflows():
    x = nn.tensor([0.0, np.inf, 3.0, 2.0**-100, 1.0], requires_grad=True)
    e = nn.tensor([2000.0, -2000.0, -2000.0, 150.0, 2.5], requires_grad=True)
    y = nn.ldexp(x, e)
    np.testing.assert_allclose(y.data, [0, np.inf, 0, 2.0**50, 2**2.5], rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.data, [np.inf, 0, 0, np.inf, 2**2.5], rtol=1e-6)      # 2^e
    np.testing.assert_allclose(e.grad.data, [0, np.inf, 0, 2.0**50 * math.log(2), 2**2.5 * math.log(2)], rtol=1e-6)


@pytest.mark.parametrize("n", [1, 40])
def test_a_multiple_is_taken_first_like_torch(torch, n):
    """In float32 1e30 times 1e30 overflows and 1e-30 times 1e-30 vanishes; where value comes first
    neither need be.
    """
    seen = set()
    for name in ("addcmul", "addcdiv"):
        for a, b, value in itertools.product((1e30, 1e-30, 3.0), (1e30, 1e-30, 3.0), (1e30, 1e-30, 0.3, 1)):
            arrays = [np.full(n, v, np.float32) for v in (0, a, b)]
            want = getattr(torch, name)(*map(torch.tensor, arrays), value=value).numpy()
            got = getattr(nn, name)(*map(nn.tensor, arrays), value=value).data
            np.testing.assert_allclose(got, want, rtol=4e-7, err_msg=f"{name} {a} {b} {value}")
            seen.add(float(want[0]))
    assert np.inf in seen and 0 in seen
    for v, alpha in ((1e30, 1e-30), (1e-30, 1e30)):
        vector = np.full(n, v, np.float32)
        got, want = (library.addr(library.zeros(n, n), *[library.tensor(vector)] * 2, alpha=alpha).numpy()
                     for library in (nn, torch))
        np.testing.assert_allclose(got, want, rtol=4e-7)
    one, third = nn.ones(1, dtype=nn.float64), nn.tensor([1], dtype=nn.int64)
    assert nn.addcmul(one * 0, third, one, value=0.1).item() == 0.1          # not float32's


def test_positions_of_small_and_large_types():
    row = nn.tensor(np.array([-1], np.int8))
    assert nn.index_put(nn.zeros(200), (row,), nn.ones(1), True)[199].item() == 1
    beyond = nn.tensor(np.array([2**64 - 1], np.uint64))
    for call in (lambda: nn.put(nn.zeros(3), beyond, nn.ones(1)), lambda: nn.arange(3.0)[beyond],
                 lambda: nn.index_add(nn.zeros(3), 0, beyond, nn.ones(1)), lambda: nn.zeros(3).__setitem__(beyond, 1)):
        with pytest.raises(nn.RangeError, match="18446744073709551615"):
            call()


def test_an_error_of_the_user_s_function_keeps_its_name():
    def distance(a, b):
        return nn.linear(a, nn.ones(3, 7))
    with pytest.raises(nn.ShapeError, match=r"^linear: "):
        nn.triplet_margin_with_distance_loss(*[nn.ones(1, 2)]*3, distance_function=distance)
