"""Matrix products: the C function over all sizes, strides and levels; the public functions against
NumPy and PyTorch.
"""

import itertools

import numpy as np
import pytest
from second_opinion import both, close, compare

import fastnn as nn
from fastnn import functional as F
from fastnn.kernels import compiled
from fastnn.op import OPS

LEVELS = [name for name, (_, runs) in compiled.levels().items() if runs] if compiled else []
DTYPES = [np.float32, np.float64]
needs_kernels = pytest.mark.skipif(compiled is None, reason="there are no compiled kernels here")


def gapped(a):
    """The same values, with NaN between the rows and between the columns."""
    wide = np.full((2 * a.shape[0], 3 * a.shape[1]), np.nan, a.dtype)
    wide[::2, ::3] = a
    return wide[::2, ::3]


def placed(a, past):
    """The same values, row by row, from an address that is `past` numbers beyond the beginning of a
    cache line.
    """
    room = np.empty(a.size + 32, a.dtype)
    start = -room.ctypes.data % 64 // a.itemsize + past
    room[start:start + a.size] = a.ravel()
    return room[start:start + a.size].reshape(a.shape)


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "gaps": gapped,
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
}
PAIRS = list(itertools.product(LAYOUTS, LAYOUTS))


def integers(rng, dtype, *shape):
    return rng.integers(-4, 5, shape).astype(dtype)


def check_exactly(rng, dtype, m, n, k, layout_a, layout_b, bias_row, bias_col, accumulate, **more):
    """One call on whole numbers, in a larger array full of NaN: every element of C is right, and
    nothing else is touched.
    """
    a, b = integers(rng, dtype, m, k), integers(rng, dtype, k, n)
    row, col = (integers(rng, dtype, size) if wanted else None for size, wanted in ((m, bias_row), (n, bias_col)))
    room = np.full((m, n + 3), np.nan, dtype)
    c = room[:, :n]
    want = a.astype(float) @ b.astype(float)
    if accumulate:
        c[...] = integers(rng, dtype, m, n)
        want = want + c
    if bias_row:
        want = want + row[:, None]
    if bias_col:
        want = want + col
    if more.get("relu"):
        want = np.maximum(want, 0)
    compiled.gemm(c, LAYOUTS[layout_a](a), LAYOUTS[layout_b](b), row, col, accumulate, **more)
    what = (f"{nn.isa()} {dtype.__name__} {m}x{n}x{k} A by {layout_a}, B by {layout_b}, "
            f"{bias_row=} {bias_col=} {accumulate=} {more}")
    assert np.array_equal(c, want), what
    assert np.isnan(room[:, n:]).all(), what


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
def test_exact_for_all_sizes_around_a_tile(level, dtype):
    rng = np.random.default_rng(0)
    options = itertools.cycle(itertools.product(PAIRS, (False, True), (False, True), (False, True)))
    with nn.use_isa(level):
        sizes = [*range(1, 18), 28, 29, 40], [*range(1, 19), 31, 32, 33, 40], [0, 1, 2, 7, 8, 9, 16, 17, 40]
        for m, n, k in itertools.product(*sizes):
            (layout_a, layout_b), row, col, accumulate = next(options)
            check_exactly(rng, dtype, m, n, k, layout_a, layout_b, row, col, accumulate)


# beyond one block of k; few rows or columns; a small C and a large k; more rows or columns than fit
# in the panels; a small A and a wide B
LARGE = [(61, 150, 300), (3, 70, 5000), (70, 2, 5000), (20, 21, 5000), (1, 1, 70000), (29, 700, 260), (700, 131, 29),
         (2, 3000, 5), (3001, 130, 257), (40, 1100, 300)]


@needs_kernels
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("m, n, k", LARGE)
def test_exact_for_all_strides_beyond_a_block(level, m, n, k):
    rng = np.random.default_rng(m)
    with nn.use_isa(level):
        for i, (layout_a, layout_b) in enumerate(PAIRS):
            check_exactly(rng, DTYPES[i % 2], m, n, k, layout_a, layout_b, i % 3 == 0, i % 4 == 0, i % 5 == 0)


@needs_kernels
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("m, n, k", [*(pytest.param(*sizes, marks=pytest.mark.slow) for sizes in LARGE[1:]), LARGE[0],
                                     (1, 1, 1), (1, 40, 9), (5, 3, 0), (14, 32, 40), (15, 33, 300), (2, 64, 513),
                                     (300, 1, 7)])
def test_exact_with_packed_operands_and_relu(level, m, n, k):
    rng = np.random.default_rng(n)
    with nn.use_isa(level):
        for i, (pack_a, pack_b, relu) in enumerate(itertools.product((False, True), repeat=3)):
            for j, dtype in enumerate(DTYPES):
                check_exactly(rng, dtype, m, n, k, *PAIRS[(5 * i + j) % len(PAIRS)], i % 3 == 0, j == 0, i % 4 == j,
                              relu=relu, pack_a=pack_a, pack_b=pack_b)


@needs_kernels
@pytest.mark.parametrize("m, n, k", [(1, 5, 4), (5, 1, 4), (20, 40, 600), (4, 4, 5000)])
def test_relu_keeps_nan(m, n, k):
    a, b = np.ones((m, k), np.float32), -np.ones((k, n), np.float32)
    a[0, k - 1] = np.nan
    c = np.full((m, n), np.nan, np.float32)
    compiled.gemm(c, a, b, relu=True)
    assert np.isnan(c[0]).all() and not c[1:].any()


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("batch, m, n, k", [(1, 3, 4, 5), (7, 20, 33, 17), (36, 5, 64, 64), (3, 150, 130, 270),
                                            (2, 4, 5, 0), (0, 2, 2, 2)])
def test_products_at_equal_distances(level, dtype, batch, m, n, k):
    rng = np.random.default_rng(0)
    a, b = integers(rng, dtype, batch, m, k), integers(rng, dtype, batch, k, n)
    with nn.use_isa(level):
        for x, y in [(a, b), (a[::-1], b), (np.broadcast_to(a[:1], a.shape), b),
                     (a, np.ascontiguousarray(b.transpose(2, 0, 1)).transpose(1, 2, 0))]:
            c = np.full((batch, m, n), np.nan, dtype)
            compiled.gemm_strided(c, x, y)
            assert np.array_equal(c, x @ y)


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("m, n, k", [(1, 37, 70), (37, 1, 70), (3, 40, 33), (5, 7, 9), (61, 150, 300), (20, 21, 5000),
                                     (1, 1, 70000), (130, 270, 41), (40, 1100, 300), (300, 64, 96), (40, 320, 96)])
def test_the_bits_depend_neither_on_threads_nor_on_strides_nor_on_addresses(level, dtype, m, n, k):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    results = set()
    with nn.use_isa(level):
        for x, y in [*((LAYOUTS[one](a), LAYOUTS[other](b)) for one, other in PAIRS),
                     *((placed(a, i), placed(b, i)) for i in (0, 1))]:
            for threads in (1, 2):
                c = np.full((m, n), np.nan, dtype)
                with nn.threads(threads):
                    compiled.gemm(c, x, y)
                results.add(c.tobytes())
    assert len(results) == 1
    error = np.abs(c - a.astype(float) @ b.astype(float)) / (np.abs(a).astype(float) @ np.abs(b))
    assert error.max() < np.sqrt(k) * np.finfo(dtype).eps


@needs_kernels
def test_broadcast_operands_are_read_through_strides_of_zero():
    a = np.broadcast_to(np.float32(2), (5, 300))
    c = np.empty((5, 7), np.float32)
    compiled.gemm(c, a, np.broadcast_to(np.arange(7, dtype=np.float32), (300, 7)))
    assert np.array_equal(c, np.tile(600 * np.arange(7), (5, 1)))


@needs_kernels
def test_operands_that_do_not_fit_are_refused():
    good = np.zeros((3, 3), np.float32)
    gaps = np.zeros((3, 6), np.float32)[:, ::2]
    for c, a, b in [(good, good, good[:2]), (good, good.astype(float), good), (gaps, good, good)]:
        with pytest.raises(ValueError, match="do not fit"):
            compiled.gemm(c, a, b)


def test_matmul_against_three_loops():
    a, b = [[1, 2, 3], [4, 5, 6]], [[7, 8], [9, 10], [11, 12]]
    want = [[sum(a[i][p] * b[p][j] for p in range(3)) for j in range(2)] for i in range(2)]
    assert want == [[58, 64], [139, 154]]
    assert F.matmul(nn.tensor(a, dtype="float32"), nn.tensor(b, dtype="float32")).tolist() == want


def test_linear_by_hand():
    x = nn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    w = nn.tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 3.0]], requires_grad=True)
    b = nn.tensor([10.0, 20.0, 30.0], requires_grad=True)
    y = F.linear(x, w, b)
    assert y.tolist() == [[9.0, 24.5, 36.0], [9.0, 29.5, 42.0]]
    y.backward([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    assert x.grad.tolist() == [[1.0, 5.0], [0.5, 2.0]]  # 1 * [1, -1] + 2 * [0, 3];  1 * [0.5, 2]
    assert w.grad.tolist() == [[1.0, 2.0], [3.0, 4.0], [2.0, 4.0]]
    assert b.grad.tolist() == [1.0, 1.0, 2.0]


FORMS = [((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)),
         ((3, 4), (2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5)), ((1, 3, 4), (6, 2, 4, 5)), ((2, 1, 3, 4), (1, 4, 5)),
         ((4,), (2, 4, 5)), ((2, 3, 4), (4,)), ((0, 3, 4), (4, 5)), ((2, 3, 0), (0, 5)), ((2, 0, 4), (2, 4, 5))]


@pytest.mark.parametrize("a, b", FORMS)
@pytest.mark.parametrize("moved", [False, True], ids=["as it lies", "transposed views"])
def test_all_forms_like_numpy(a, b, moved):
    rng = np.random.default_rng(0)
    x, y = integers(rng, np.float32, *a), integers(rng, np.float32, *b)
    if moved:                                       # all axes the other way round in memory
        x, y = np.asfortranarray(x), np.asfortranarray(y)
    assert np.array_equal(F.matmul(nn.tensor(x), nn.tensor(y)).data, x @ y)


@needs_kernels
def test_transposed_and_sliced_operands_are_saved_as_they_are():
    x = np.zeros((6, 8), np.float32)
    for view in (x.T[:6], x[:, ::2][:, :3], x[::-1]):
        other = np.zeros((view.shape[1], 2), np.float32)
        saved = compiled.matmul_forward(view, other)[1]
        assert saved[0] is view and saved[1] is other


@pytest.mark.parametrize("equation, shapes", [
    ("ij,jk", [(3, 4), (4, 5)]), ("ba,cb", [(3, 4), (5, 3)]), ("ii", [(4, 4)]), ("...ij->...ji", [(2, 3, 4)]),
    ("...ij,...jk", [(2, 1, 3, 4), (6, 4, 5)]), ("i...,i...->...", [(3, 2), (3, 1)]), ("...,...", [(3, 1), (4,)]),
    ("ij , jk -> ik", [(3, 4), (4, 5)]), ("a,b,c->abc", [(2,), (3,), (4,)]), ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]),
    ("bi,oij,bj->bo", [(6, 3), (5, 3, 4), (6, 4)]), ("ij,ij,ij->j", [(3, 4)] * 3),
    ("a...b,b...->a...", [(2, 3, 4), (4, 3)]),
    ("iij,jkk,kl->il", [(2, 2, 3), (3, 4, 4), (4, 5)]), ("i,j,k,l->", [(2,), (3,), (4,), (5,)])])
def test_einsum_like_numpy_and_its_gradients(equation, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-4, 5, shape).astype(float) for shape in shapes]
    want = np.einsum(equation, *arrays)
    got = F.einsum(equation, [nn.tensor(a) for a in arrays])
    assert got.shape == want.shape and np.array_equal(got.data, want)
    assert nn.testing.gradcheck(lambda *xs: F.einsum(equation, *xs), *[rng.standard_normal(shape) for shape in shapes])


def test_a_sum_over_an_ellipsis():
    x = nn.tensor(np.arange(24.0).reshape(2, 3, 4))
    assert F.einsum("i...->i", x).tolist() == x.data.sum((1, 2)).tolist()


# ---- PyTorch as a second opinion -----------------------------------------------------------------
def normal(*shapes):
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("a, b", FORMS)
def test_matmul_like_torch(torch, a, b):
    compare(*both("matmul"), normal(a, b))


@pytest.mark.parametrize("name, a, b", [("mm", (3, 4), (4, 5)), ("bmm", (2, 3, 4), (2, 4, 5)), ("mv", (3, 4), (4,)),
                                        ("dot", (4,), (4,))])
def test_thin_functions_like_torch(torch, name, a, b):
    compare(*both(name), normal(a, b))


@pytest.mark.parametrize("shapes", [[(5, 7), (3, 7), (3,)], [(5, 7), (3, 7)], [(2, 3, 7), (4, 7), (4,)],
                                    [(7,), (3, 7), (3,)]])
def test_linear_like_torch(torch, shapes):
    compare(*both("linear"), normal(*shapes))


@pytest.mark.parametrize("shapes", [[(5, 7), (3, 7), (3,)], [(5, 7), (3, 7)], [(2, 3, 7), (4, 7), (4,)],
                                    [(7,), (3, 7), (3,)]])
def test_linear_relu_like_torch(torch, shapes):
    compare(F.linear_relu, lambda *a: torch.relu(torch.nn.functional.linear(*a)), normal(*shapes))


def test_linear_relu_by_hand():
    x, w, b = nn.Parameter([[1.0, 2.0]]), nn.Parameter([[3.0, 4.0], [-5.0, 1.0]]), nn.Parameter([0.5, 0.0])
    y = F.linear_relu(x, w, b)
    assert y.tolist() == [[11.5, 0.0]]                             # 3 + 8 + 0.5;  -5 + 2 < 0
    y.sum().backward()
    assert x.grad.tolist() == [[3, 4]] and w.grad.tolist() == [[1, 2], [0, 0]] and b.grad.tolist() == [1, 0]


def test_linear_relu_lets_nan_pass():
    y = F.linear_relu(nn.tensor([[float("nan"), 1.0]]), nn.tensor(np.ones((3, 2), np.float32)))
    assert np.isnan(y.data).all()


@pytest.mark.parametrize("equation, shapes", [
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("bn,anm,bm->ba", [(2, 5), (3, 5, 4), (2, 4)]),
    ("...ii->...i", [(2, 3, 3)]), ("bhtd,bhsd->bhts", [(2, 2, 3, 4), (2, 2, 5, 4)])])
def test_einsum_like_torch(torch, equation, shapes):
    compare(lambda *xs: F.einsum(equation, *xs), lambda *ts: torch.einsum(equation, *ts), normal(*shapes))


@pytest.mark.parametrize("shape, axes", [((3, 31, 5, 5), "jii"), ((3, 5, 4), "jii"), ((2, 2), "iii"), ((4,), "ii")])
def test_a_diagonal_of_axes_that_do_not_fit_is_refused(shape, axes):
    """By the op itself, too: a stride over a shorter axis would lead out of the array."""
    with pytest.raises(nn.ShapeError, match="einsum"):
        nn.autograd.apply(OPS["einsum"], nn.ones(*shape), None, x_axes=axes, y_axes="", out="i")


@pytest.mark.parametrize("name, a, b", [
    ("matmul", (2, 3), (3, 4)), ("matmul", (3,), (3,)), ("matmul", (2, 1, 2, 3), (5, 3, 2)), ("mm", (2, 3), (3, 2)),
    ("bmm", (2, 2, 3), (2, 3, 4)), ("mv", (2, 3), (3,)), ("dot", (4,), (4,)), ("matmul", (2, 0), (0, 3))])
@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_integers_like_torch(torch, name, a, b, dtype):
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 100, shape).astype(dtype) for shape in (a, b))
    close(getattr(nn.functional, name)(nn.tensor(x), nn.tensor(y)),
          getattr(torch, name)(torch.tensor(x), torch.tensor(y)))


def test_integers_that_do_not_fit():
    x = nn.tensor([[1, 2], [3, 4]])
    with pytest.raises(nn.ShapeError, match=r"matmul: .*\(2, 2\).*\(3, 2\)"):
        x @ nn.tensor([[1, 2], [3, 4], [5, 6]])
    for other in (x.float(), x.int(), x > 1):
        with pytest.raises(nn.DTypeError, match="matmul"):
            x @ other
