"""Gradients of what picks elements, in more dimensions than NumPy's add.at survives."""

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


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 has 32 dimensions at most")
@pytest.mark.parametrize("name", CALLS)
def test_an_element_taken_twice_gets_both_gradients_in_34_dimensions(name):
    x = nn.tensor(np.zeros(SHAPE), requires_grad=True)
    with nn.use_backend("reference"):
        y = CALLS[name](x)
        y.backward(np.arange(1.0, 1 + y.data.size).reshape(y.shape))
    np.testing.assert_array_equal(x.grad.data.reshape(-1), [0, 3])
