"""Indices in all forms beside PyTorch's, and gradients of what picks elements, in more dimensions
than NumPy's add.at survives.
"""

import itertools

import numpy as np
import pytest

import fastnn as nn

F = nn.functional
SHAPE = (2,) + (1,) * 33                    # NumPy allows 64 dimensions from 2.0 on, and 32 before
INDEX = np.array([1, 1]).reshape(SHAPE)

CALLS = {
    "getitem": lambda x: F.getitem(x, (nn.tensor(INDEX.reshape(-1)),)),
    "getitem of a vector": lambda x: F.getitem(x.reshape(2), nn.tensor(INDEX)),
    "gather": lambda x: F.gather(x, 0, nn.tensor(INDEX)),
    "take_along_dim": lambda x: F.take_along_dim(x, nn.tensor(INDEX), 0),
    "index_select": lambda x: F.index_select(x, 0, nn.tensor(INDEX.reshape(-1))),
    "embedding": lambda x: F.embedding(nn.tensor(INDEX), x.reshape(2, 1)),
}


def test_numbers_of_slices_count_from_either_end():
    x = nn.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
    y = x[np.array([-1, 0, 2])]
    assert y.tolist() == [[5, 6], [1, 2], [5, 6]]
    y.backward(nn.tensor([[1.0, 2.0], [4.0, 8.0], [16.0, 32.0]]))
    assert x.grad.tolist() == [[4, 8], [0, 0], [17, 34]]
    assert nn.index_select(x, 0, nn.tensor(1)).tolist() == [[3, 4]]    # as in PyTorch, a row of one
    for index in ([3], [-4]):
        with pytest.raises(IndexError, match="getitem"):
            x[np.array(index)]


# ---- every form of index, beside PyTorch ---------------------------------------------------------
# no place twice: of several values for one place, PyTorch gives each a gradient, we the last
PARTS = [1, -2, slice(None), slice(0, 2), None, ..., np.array([1, 0]), np.array([[0, 3], [2, 1]]), [3, 1],
         np.array(1), np.array([True, True, False, False]), np.eye(4, dtype=bool), True, False]


def index_forms():
    """All parts and pairs of parts, and some tuples of three to five."""
    rng = np.random.default_rng(1)
    longer = [tuple(PARTS[n] for n in rng.integers(0, len(PARTS), 3 + k % 3)) for k in range(1500)]
    for key in itertools.chain(PARTS, itertools.product(PARTS, repeat=2), longer):
        if not isinstance(key, tuple) or sum(k is ... for k in key) < 2:
            yield key


def of(library, key):
    if isinstance(key, tuple):
        return tuple(of(library, k) for k in key)
    return library.tensor(key.copy()) if isinstance(key, np.ndarray) else key


def read_and_write(library, x, key, weights):
    """x[key], the gradient of a weighted sum of it, and the same of x with x[key] written; or the
    error's kind.
    """
    leaf = library.tensor(x)
    leaf.requires_grad_()
    try:
        y = leaf[key]
    except (IndexError, ValueError):
        return IndexError
    w = library.tensor(weights[:int(np.prod(y.shape))].reshape(tuple(y.shape)))
    (y * w).sum().backward()
    results = [y, leaf.grad]
    for shape in (tuple(y.shape), tuple(y.shape)[1:]):
        values = library.tensor(np.array(weights[100:100 + int(np.prod(shape))].reshape(shape)))
        values.requires_grad_()
        start = library.tensor(x)
        start.requires_grad_()
        z = start * 1
        z[key] = values
        (z * library.tensor(x)).sum().backward()
        # where nothing, or all, was written, a library may leave a gradient of 0 out
        results += [z, *(t * 0 if t.grad is None else t.grad for t in (start, values))]
    return [a.detach().numpy() for a in results]


def test_every_form_of_index_is_like_torch(torch):
    """x (4, 4, 4): values, shapes and gradients of reads and writes."""
    x = np.random.default_rng(0).standard_normal((4, 4, 4))
    weights = np.random.default_rng(2).standard_normal(5000)
    compared = 0
    for key in index_forms():
        want = read_and_write(torch, x, of(torch, key), weights)
        got = read_and_write(nn, x, of(nn, key), weights)
        assert (want is IndexError) == (got is IndexError), f"{key}: torch {want}, fastnn {got}"
        if want is IndexError:
            continue
        compared += 1
        for name, a, b in zip(("read", "gradient", "written", "d start", "d values", "2", "3", "4"), got, want):
            assert a.shape == b.shape, (key, name, a, b)
            np.testing.assert_allclose(a, b, atol=1e-12, err_msg=f"{key}: {name}")
    assert compared > 600


def test_a_number_beside_an_array_is_taken_first():
    """x[0, :, i] of (2, 3, 4): x[0] is (3, 4), and its columns i are (3, 2)."""
    x, i = nn.arange(24.0).reshape(2, 3, 4), nn.tensor([1, 2])
    assert x[0, :, i].tolist() == [[1, 2], [5, 6], [9, 10]]
    x[0, 0:2, i] = nn.tensor([[100.0, 101.0], [102.0, 103.0]])
    assert x[0].tolist() == [[0, 100, 101, 3], [4, 102, 103, 7], [8, 9, 10, 11]]
    leaf = nn.ones(2, 3, 4, requires_grad=True)
    with pytest.raises(nn.errors.GraphError, match="setitem"):
        leaf[0, :, i] = 1.0


def test_a_tensor_without_dimensions_is_a_number():
    x = nn.arange(6.0).reshape(2, 3)
    x[nn.tensor(1)].zero_()                         # a view, as in PyTorch
    assert x.tolist() == [[0, 1, 2], [0, 0, 0]]


def test_uint8_is_refused_as_an_index():
    """PyTorch takes it as a mask, NumPy as positions: either would be silently wrong for some."""
    x, i = nn.arange(3.0), nn.tensor(np.array([1, 0, 1], np.uint8))
    for call in (lambda: x[i], lambda: x[i.numpy()], lambda: x[None, i], lambda: x.__setitem__(i, 0.0),
                 lambda: x[nn.tensor(1, dtype=nn.uint8)], lambda: nn.index_put(x, (i,), nn.ones(3))):
        with pytest.raises(nn.DTypeError, match=r"uint8.*\.bool\(\).*\.long\(\)"):
            call()
    assert x.tolist() == [0, 1, 2] and x[i.bool()].tolist() == [0, 2] and x[i.long()].tolist() == [1, 0, 1]


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 has 32 dimensions at most")
@pytest.mark.parametrize("name", CALLS)
def test_an_element_taken_twice_gets_both_gradients_in_34_dimensions(name):
    x = nn.tensor(np.zeros(SHAPE), requires_grad=True)
    with nn.use_backend("reference"):
        y = CALLS[name](x)
        y.backward(np.arange(1.0, 1 + y.data.size).reshape(y.shape))
    np.testing.assert_array_equal(x.grad.data.reshape(-1), [0, 3])
