"""Matrices made of vectors and of smaller matrices: worked by hand, PyTorch as a second opinion."""

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional


def test_by_hand():
    # the polynomial 2 + 3 x + x^2 at 0, 1, 2 is 2, 6, 12
    powers = nn.vander(nn.tensor([0.0, 1.0, 2.0]), increasing=True)
    assert (powers @ nn.tensor([2.0, 3.0, 1.0])).tolist() == [2, 6, 12]
    # of three, three pairs; with replacement six, with the three of the same
    assert nn.combinations(nn.tensor([7, 8, 9])).tolist() == [[7, 8], [7, 9], [8, 9]]
    assert nn.combinations(nn.tensor([7, 8, 9]), with_replacement=True).shape == (6, 2)
    assert nn.cartesian_prod(nn.tensor([1, 2]), nn.tensor([5, 6])).tolist() == [[1, 5], [1, 6], [2, 5], [2, 6]]
    assert nn.block_diag(nn.tensor([[1, 2]]), nn.tensor(3)).tolist() == [[1, 2, 0], [0, 0, 3]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_like_torch(torch, dtype):
    x = np.array([0.5, -1.5, 0.0, 2.0])
    for attrs in ({}, {"N": 2}, {"N": 0}, {"N": 6, "increasing": True}):
        close(F.vander(nn.tensor(x), **attrs), torch.vander(torch.tensor(x), **attrs))
    # PyTorch's vander has no backward beyond the second power
    for powers in ([3, 2, 1, 0], [0, 1, 2]):
        compare(lambda x: F.vander(x, len(powers), increasing=powers[0] == 0),
                lambda x: torch.stack([x**k for k in powers], 1), [x], dtype)
    for attrs in ({}, {"r": 0}, {"r": 1}, {"r": 3}, {"r": 9}, {"r": 3, "with_replacement": True},
                  {"r": 5, "with_replacement": True}):
        compare(F.combinations, torch.combinations, [x], dtype, **attrs)
        close(F.combinations(nn.ones(0), **attrs), torch.combinations(torch.ones(0), **attrs))
    compare(F.cartesian_prod, torch.cartesian_prod, [x], dtype)
    compare(F.cartesian_prod, torch.cartesian_prod, [x, x[:2], x[1:]], dtype)
    compare(F.cartesian_prod, torch.cartesian_prod, [x, x[:0]], dtype)
    matrices = [np.arange(6.0).reshape(2, 3), x, np.array(4.0), np.ones((2, 0)), np.ones((3, 1))]
    compare(F.block_diag, torch.block_diag, matrices, dtype)
    compare(F.block_diag, torch.block_diag, [], dtype)
    # whose row PyTorch's backward forgets
    close(F.block_diag(nn.ones(0), nn.ones(2)), torch.block_diag(torch.ones(0), torch.ones(2)))


def test_integers_like_torch(torch):
    for x in (np.array([3, -2, 0]), np.array([3, 2], np.uint8), np.array([True, False])):
        close(F.vander(nn.tensor(x), 4), torch.vander(torch.tensor(x), 4))
        close(F.combinations(nn.tensor(x)), torch.combinations(torch.tensor(x)))
        close(F.cartesian_prod(nn.tensor(x), nn.tensor(x)), torch.cartesian_prod(torch.tensor(x), torch.tensor(x)))
        close(F.block_diag(nn.tensor(x), nn.tensor([[2]])), torch.block_diag(torch.tensor(x), torch.tensor([[2]])))
        close(F.block_diag(nn.tensor(x)), torch.block_diag(torch.tensor(x)))
    close(F.block_diag(nn.tensor([1]), nn.ones(2)), torch.block_diag(torch.tensor([1]), torch.ones(2)))


def test_second_derivative_of_powers():
    """x^2 has 2, and x and 1 have 0, at 0, too."""
    x = nn.tensor([0.0, 2.0], requires_grad=True)
    g, = nn.autograd.grad(nn.vander(x, 3).sum(), x, create_graph=True)
    assert nn.autograd.grad(g.sum(), x)[0].tolist() == [2, 2]


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.vander(nn.ones(2, 2)), nn.ShapeError, ("vander", "a vector", "(2, 2)")),
    (lambda: F.vander(nn.ones(2), -1), nn.ShapeError, ("vander", "N", "-1")),
    (lambda: F.combinations(nn.ones(2, 2)), nn.ShapeError, ("combinations", "a vector", "(2, 2)")),
    (lambda: F.combinations(nn.ones(2), -1), nn.ShapeError, ("combinations", "r", "-1")),
    (lambda: F.combinations(nn.ones(10), 2**40, True), nn.ShapeError, ("combinations", "larger than any memory")),
    (lambda: F.cartesian_prod(), nn.ShapeError, ("cartesian_prod", "vectors")),
    (lambda: F.cartesian_prod(nn.ones(2), nn.tensor(1.0)), nn.ShapeError, ("cartesian_prod", "vectors", "()")),
    (lambda: F.cartesian_prod(nn.ones(2), nn.tensor([1])), nn.DTypeError, ("cartesian_prod", "float32, int64")),
    (lambda: F.block_diag([nn.ones(2)]), nn.DTypeError, ("block_diag", "list", "block_diag(*matrices)")),
    (lambda: F.block_diag(nn.ones(1), nn.ones(1, 1, 1)), nn.ShapeError, ("block_diag", "tensor 1", "(1, 1, 1)"))])
def test_errors(call, error, words):
    refused(call, error, words)
