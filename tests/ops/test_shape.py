"""Shape and indexing ops: worked examples, and PyTorch as a second opinion."""

import inspect

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn
from fastnn import functional as F
from fastnn.op import OPS
from fastnn.ops.split import SPLIT, UNBIND

X = np.arange(24.0).reshape(2, 3, 4)

CASES = {
    "reshape": lambda m, x: m.reshape(x, (4, -1)),
    "flatten": lambda m, x: m.flatten(x, 1),
    "permute": lambda m, x: m.permute(x, (2, 0, 1)),
    "transpose": lambda m, x: m.transpose(x, 0, -1),
    "unsqueeze": lambda m, x: m.unsqueeze(x, -1),
    "squeeze": lambda m, x: m.squeeze(m.unsqueeze(x, 1)),
    "stack": lambda m, x: m.stack([x, x * 2], 1),
    "cat": lambda m, x: m.cat([x, x * 2], -1),
    "flip": lambda m, x: m.flip(x, (0, 2)),
    "roll": lambda m, x: m.roll(x, (1, -1), (0, 2)),
    "tile": lambda m, x: m.tile(x, (2, 1, 3)),
    "tril": lambda m, x: m.tril(x, 1),
    "triu": lambda m, x: m.triu(x, -1),
    "unbind": lambda m, x: m.stack(list(m.unbind(x, 1))[::-1], 1),
    "split": lambda m, x: m.cat(list(m.split(x, 2, 1))[::-1], 1),
    "chunk": lambda m, x: m.chunk(x, 3, 2)[1],
    "slices": lambda m, x: x[:, 1:, 1::2],
    "integers": lambda m, x: x[1, -1],
    "array": lambda m, x: x[:, [0, 0, 2]],
    "mask": lambda m, x: x[x > 7],
    "newaxis": lambda m, x: x[None, ..., 2],
}


@pytest.mark.parametrize("name", CASES)
def test_like_torch(torch, name):
    compare(lambda x: CASES[name](F, x), lambda x: CASES[name](torch, x), [X], each=True, roundings=4)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad_like_torch(torch, mode):
    compare(*both("pad"), [X], pad=(2, 1), mode=mode, roundings=0)


def test_negative_padding_cuts():
    assert F.pad(nn.tensor(X), (-1, 1, 0, -2)).shape == (2, 1, 4)
    np.testing.assert_array_equal(F.pad(nn.tensor(X), (-1, 0)).data, X[..., 1:])


def test_gather_and_where_like_torch(torch):
    index = np.array([[[0, 1, 1, 2]], [[2, 2, 2, 0]]])
    compare(lambda x, i: F.gather(x, 1, i), lambda x, i: torch.gather(x, 1, i), [X, index], roundings=0)
    compare(*both("where"), [X > 5, X, -X], roundings=0)
    np.testing.assert_array_equal(F.where(nn.tensor(X > 5), nn.tensor(X), 0.0).data, np.where(X > 5, X, 0))


def test_repeated_elements_add_their_gradients():
    # x = (1, 2, 3), y = x[[0, 0, 2]] = (1, 1, 3), dy = (1, 10, 100): x_0 went to two places, so
    # dx_0 = 1 + 10; x_1 to none
    x = nn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[nn.tensor([0, 0, 2])].backward(nn.tensor([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [11.0, 0.0, 100.0]


def test_expand_adds_over_copies():
    x = nn.tensor([[1.0], [2.0]], requires_grad=True)
    F.expand(x, 3, -1, 4).backward(nn.tensor(np.ones((3, 2, 4), np.float32)))
    assert x.grad.tolist() == [[12.0], [12.0]]


def test_views_share_memory_and_versions():
    x = nn.tensor(X.copy())
    y = F.reshape(x, -1)
    assert np.shares_memory(x.data, y.data)
    x[0, 0, 0] = 99.0
    assert y.data[0] == 99.0
    assert y._version is x._version


def test_one_hot():
    assert F.one_hot(nn.tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(nn.RangeError, match="label"):
        F.one_hot(nn.tensor([3]), 3)


def test_index_mistakes_are_index_errors_too():
    with pytest.raises(IndexError, match="out of bounds"):
        nn.tensor([1.0])[3]


# ---- the gradient of elements that were picked, added at their places ----------------------------
KEYS = [0, -1, slice(1, None), slice(None, None, -2), (slice(None), 1), (..., None, 2), (1, slice(0, 3, 2)),
        slice(0, 0),
        np.array([True, False, True, False]), np.array([0, 0, 2]), (np.array([0, 1]), np.array([2, 2])), [1, 1]]


@pytest.mark.parametrize("leaf", [True, False], ids=["leaf", "result"])
def test_gradients_of_slices_meet_in_one_array(leaf):
    x = nn.Parameter(np.arange(12, dtype=np.float64).reshape(4, 3) + 1)
    base = x if leaf else x * 1
    weights = [np.random.default_rng(i).standard_normal(x.data[key].shape) for i, key in enumerate(KEYS)]
    total = sum([(base[key] * w).sum() for key, w in zip(KEYS, weights)], (base * base).sum())
    total.backward()
    want = 2 * x.data
    for key, w in zip(KEYS, weights):
        np.add.at(want, key, w)
    np.testing.assert_allclose(x.grad.data, want, rtol=1e-12)


def test_the_gradient_of_a_slice_reaches_nobody_else():
    """A gradient that is added to in place at x[key] is an array that the tape alone holds."""
    x = nn.Parameter(np.ones((4, 3)))
    upstream = np.full((4, 3), 2.0)
    y = x * 1
    z = y + y[1:].sum() * 0 + y                     # add hands the same array to both of its inputs
    z.backward(upstream)
    assert (upstream == 2).all() and (x.grad.data == 4).all()
    kept = []
    y = x * 1
    y.register_hook(kept.append)
    (y[0] * 3).sum().backward()
    (x * 1)[0].sum().backward()
    assert kept[0].tolist() == [[3, 3, 3], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    before = x.grad
    x[2].sum().backward()                                       # `before` is held: not changed
    assert (before.data[2] == 4).all() and (x.grad.data[2] == 5).all()


def test_places_pick_no_element_twice():
    getitem = OPS["getitem"]
    for key in KEYS:
        picked = np.arange(12).reshape(4, 3)[key].ravel()
        twice = len(set(picked.tolist())) < picked.size
        assert not (twice and getitem.places(key=key) is not None), key
# ---- gradients of pieces -------------------------------------------------------------------------
def pieces_in_one_block(dim, bound):
    """Gradients of the pieces of an array (2, 6, 4) along `dim`, which lie in memory as the pieces
    do; and the whole.
    """
    whole = np.random.default_rng(0).standard_normal((2, 6, 4))
    return whole, [np.moveaxis(whole, dim, 0)[i] for i in range(whole.shape[dim])] if bound else np.split(whole, 2, dim)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("bound", [False, True], ids=["split", "unbind"])
def test_gradients_that_lie_side_by_side_are_not_copied(bound, dim):
    whole, pieces = pieces_in_one_block(dim, bound)
    attrs = {"dim": dim} if bound else {"dim": dim, "sections": (whole.shape[dim] // 2,) * 2}
    backward = (UNBIND if bound else SPLIT).definition[1]
    (joined,) = backward(tuple(pieces), (whole.shape,), **attrs)
    np.testing.assert_array_equal(joined, whole)
    assert np.shares_memory(joined, whole)
    # anything else is copied: another order, a piece from elsewhere, one that is missing, one that
    # is flipped
    copy, missing, flipped = pieces[0].copy(), None, pieces[0][..., ::-1]
    for others in ([*pieces[1:], pieces[0]], [copy, *pieces[1:]], [*pieces[:-1], missing], [pieces[0]] * len(pieces),
                   [flipped, *pieces[1:]], [p[..., ::-1] for p in pieces]):
        (joined,) = backward(tuple(others), (whole.shape,), **attrs)
        put = [np.zeros_like(copy) if p is None else p for p in others]
        np.testing.assert_array_equal(joined, np.stack(put, dim) if bound else np.concatenate(put, dim))


@pytest.mark.parametrize("way", ["split", "unbind", "slices"])
def test_attention_over_the_parts_of_one_projection(way):
    """One array holds q, k and v; its gradient is that of the parts, and with split and unbind it
    is made in place.
    """
    rng = np.random.default_rng(1)
    x = nn.tensor(rng.standard_normal((2, 9, 3 * 4 * 5)), requires_grad=True)
    dy = rng.standard_normal((2, 4, 9, 5))

    def heads(t):
        return t.reshape(2, 9, 4, 5).transpose(1, 2)
    if way == "split":
        q, k, v = map(heads, x.split(20, -1))
    elif way == "unbind":
        q, k, v = x.reshape(2, 9, 3, 4, 5).permute(2, 0, 3, 1, 4).unbind(0)
    else:
        q, k, v = (heads(x[:, :, 20 * i:20 * i + 20]) for i in range(3))
    nn.functional.scaled_dot_product_attention(q, k, v).backward(dy)
    parts = [nn.tensor(t.data.copy(), requires_grad=True) for t in (q, k, v)]
    nn.functional.scaled_dot_product_attention(*parts).backward(dy)
    for i, part in enumerate(parts):
        np.testing.assert_array_equal(x.grad.data[:, :, 20 * i:20 * i + 20],
                                      part.grad.data.swapaxes(1, 2).reshape(2, 9, 20))
    assert len({id(t.grad.data) for t in parts}) == 3


# ---- keywords ------------------------------------------------------------------------------------
WANTS_MORE = ("gather", "index_add", "index_copy", "index_fill", "index_reduce", "index_select", "narrow", "renorm",
              "scatter", "scatter_add", "scatter_reduce", "select", "select_scatter", "slice_scatter", "unflatten")


def test_numpy_names_of_arguments():
    """axis and keepdims, wherever there are dim and keepdim, but where dim is not the last of the
    arguments that must be there.
    """
    x = nn.tensor(X + 1)
    found = set()
    for name, function in vars(F).items():
        parameters = inspect.signature(function).parameters if inspect.isroutine(function) else {}
        if "dim" not in parameters or function.__name__ != name or name in WANTS_MORE:
            continue
        found.add(name)
        given = {"split": (x, 2), "chunk": (x, 2), "cat": ([x, x],), "stack": ([x, x],), "norm": (x, 2.0),
                 "cosine_similarity": (x, x), "cross": (x[..., :3], x[..., 1:]), "topk": (x, 1), "kthvalue": (x, 1),
                 "quantile": (x, 0.5), "nanquantile": (x, 0.5), "repeat_interleave": (x, 2), "tensor_split": (x, 2),
                 "split_with_sizes": (x, (1, 3)),
                 "take_along_dim": (x, nn.tensor(np.zeros((2, 3, 4), np.int64)))}.get(name, (x,))
        words = {"keepdims": True} if "keepdim" in parameters else {}
        nn.manual_seed(0)
        got = function(*given, axis=2, **words)
        nn.manual_seed(0)
        want = function(*given, dim=2, **({"keepdim": True} if words else {}))
        for a, b in zip(*[y if isinstance(y, tuple) else (y,) for y in (got, want)], strict=True):
            assert nn.equal(a, b), name
        with pytest.raises(nn.DTypeError, match=f"^{name}: there is no argument 'dims'"):
            function(*given, dims=1)
        with pytest.raises(nn.DTypeError, match=f"^{name}: dim and axis are one"):
            function(*given, dim=2, axis=2)
    assert len(found) > 25


def test_sizes_and_dimensions_by_name(torch):
    for x in (nn.tensor(X), torch.tensor(X)):
        assert tuple(x.permute(dims=(2, 0, 1)).shape) == (4, 2, 3) and tuple(x.reshape(shape=(4, 6)).shape) == (4, 6)
        assert x.flip(dims=(0,))[0, 0, 0] == 12 and tuple(x.tile(dims=(2,)).shape) == (2, 3, 8)
        assert tuple(x.repeat(repeats=(1, 2, 1)).shape) == (2, 6, 4)
        assert tuple(x[:1].expand(size=(5, 3, 4)).shape) == (5, 3, 4)
    for call in (lambda x: x.permute(0, 1, 2, dims=(0, 1, 2)), lambda x: x.flip(0, dims=0)):
        with pytest.raises(nn.DTypeError, match="given twice"):
            call(nn.tensor(X))


@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "softmax", "log_softmax", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_like_torch(torch, name, dtype):
    compare(lambda x: getattr(F, name)(x, dim=1, dtype=dtype),
            lambda x: getattr(torch, name)(x, dim=1, dtype=getattr(torch, dtype)), [X / 24 + 0.5], np.float32)


def test_t_is_of_matrices():
    assert F.t(nn.ones(2, 3)).shape == (3, 2) and nn.ones(3).t().shape == (3,) and nn.tensor(1.0).t().shape == ()
    with pytest.raises(nn.ShapeError, match=r"^t: expected at most 2 dimensions, got \(2, 3, 4\).*mT"):
        nn.tensor(X).t()


def test_take_along_dim_broadcasts(torch):
    index = np.array([[[1, 0, 2]]])
    compare(lambda x, i: F.take_along_dim(x, i, 2), lambda x, i: torch.take_along_dim(x, i, 2), [X, index], roundings=0)
    compare(lambda x, i: F.take_along_dim(x, i), lambda x, i: torch.take_along_dim(x, i), [X, index], roundings=0)
    with pytest.raises(nn.ShapeError, match=r"take_along_dim: .*\(2, 3\) and \(4, 1\)"):
        F.take_along_dim(nn.tensor(X), nn.tensor(np.zeros((4, 1, 1), np.int64)), 2)


def test_an_empty_vector_joins_anything(torch):
    compare(lambda e, x: F.cat([e, x, x], 1), lambda e, x: torch.cat([e, x, x], 1), [np.zeros(0), X[0]], roundings=0,
            differentiable=[1])
    with pytest.raises(nn.ShapeError, match="cat"):
        F.cat([nn.ones(1), nn.ones(2, 2)])


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("widths", [(-1, 1), (1, -2), (-1, 2, 1, -1), (-1, -2)])
def test_negative_padding_like_torch(torch, mode, widths):
    shape = (1, 2, 4, 5)[-len(widths) // 2 - 1 if mode != "constant" else 0:]
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = x if x.ndim > len(widths) // 2 + 1 else x[None]
    compare(*both("pad"), [x], pad=widths, mode=mode, roundings=4)


@pytest.mark.parametrize("before, after", [(-2, 4), (-1, 5), (-4, 2), (4, -3), (5, -1), (3, -3), (-2, 3), (2, -3)])
def test_a_circular_border_goes_around_what_is_left(torch, before, after):
    """As far as the old size, and more than once; before the first element PyTorch shows memory
    that nobody wrote.
    """
    a = np.arange(1.0, 11).reshape(1, 2, 5)
    x = nn.tensor(a, requires_grad=True)
    y = F.pad(x, (before, after), "circular")
    rest = np.arange(5)[max(0, -before):5 - max(0, -after)]
    places = rest[np.arange(-max(before, 0), len(rest) + max(after, 0)) % len(rest)]
    assert np.array_equal(y.data, a[..., places])
    if before < 0:
        assert np.array_equal(y.data, torch.nn.functional.pad(torch.tensor(a), (before, after), mode="circular"))
    upstream = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(upstream)
    want = np.zeros_like(a)
    np.add.at(want, (..., places), upstream)
    assert np.allclose(x.grad.data, want, rtol=1e-14)
    images = nn.tensor(np.stack([a, a + 1], -2))            # two directions at once
    both_ways = F.pad(images, (before, after, -1, 1), "circular")
    assert np.array_equal(both_ways.data, images.data[..., [1, 1], :][..., places])


@pytest.mark.parametrize("widths", [(6, -1), (-1, 6), (-5, 1), (-5, 5), (-6, 0), (6, 0)])
def test_a_circular_border_needs_something_to_show(widths):
    with pytest.raises(nn.ShapeError, match=r"^pad: "):
        F.pad(nn.ones(1, 2, 5), widths, "circular")


def test_movedim_takes_several(torch):
    for source, destination in (((0, 2), (1, 0)), ((-1, 0), (0, -1)), ((0, 1, 2), (2, 1, 0))):
        compare(lambda x: F.movedim(x, source, destination), lambda x: torch.movedim(x, source, destination), [X],
                roundings=0)
    with pytest.raises(nn.ShapeError, match="movedim: expected as many destinations"):
        F.movedim(nn.tensor(X), (0, 1), (0,))


def test_stack_of_a_matrix_of_numpy_s():
    """np.stack of one along a new last axis reads outside of it, and can end the process."""
    rows = [np.array([[1.0, 2.0]]).view(np.matrix), np.array([[3.0, 4.0]])]
    y = nn.autograd.apply(OPS["stack"], *rows, dim=2)
    assert y.tolist() == [[[1.0, 3.0], [2.0, 4.0]]]
