"""Pooling by powers and maxima put back: by hand, PyTorch, errors."""

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
L, X = R.standard_normal((2, 3, 10)), R.standard_normal((2, 3, 8, 7))


def test_by_hand():
    assert F.lp_pool1d(nn.tensor([[3.0, 4.0, 5.0, 12.0]]), 2, 2).tolist() == [[5, 13]]
    y, i = F.max_pool2d(nn.tensor([[[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]]]), 2, stride=1, return_indices=True)
    # 6 is at place 1 * 3 + 0 and 5 at 1 * 3 + 1
    assert i.tolist() == [[[3, 4]]] and F.max_unpool2d(y, i, 2, 1).tolist() == [[[0, 0, 0], [6, 5, 0]]]


def test_a_sum_of_0_has_slope_0():
    x = nn.tensor([[0.0, 0.0, 3.0, 4.0]], requires_grad=True)
    F.lp_pool1d(x, 2, 2).sum().backward()
    assert np.allclose(x.grad.data, [[0, 0, 0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3.0, -1, 0.5])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_powers_like_torch(torch, p, ceil_mode):
    """Every pair of libraries rounds a power, a mean of some terms and a root."""
    for dtype in (np.float32, np.float64):
        for x, k, s in ((np.abs(L), 3, None), (np.abs(L), 4, 2), (np.abs(L[0]), 2, 3)):
            compare(F.lp_pool1d, torch.nn.functional.lp_pool1d, [x], dtype, norm_type=p, kernel_size=k, stride=s,
                    ceil_mode=ceil_mode, roundings=400)
        for x, k, s in ((np.abs(X), 2, None), (np.abs(X), (3, 2), (2, 1)), (np.abs(X[0]), 3, None)):
            compare(F.lp_pool2d, torch.nn.functional.lp_pool2d, [x], dtype, norm_type=p, kernel_size=k, stride=s,
                    ceil_mode=ceil_mode, roundings=400)
    if p == 3:
        compare(F.lp_pool1d, torch.nn.functional.lp_pool1d, [L], norm_type=p, kernel_size=2, roundings=2000)


@pytest.mark.parametrize("p", [1, 2, 3, 7, 0.5, -1, -2])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_powers_of_numbers_of_any_size(torch, p, ceil_mode):
    """In float32 as PyTorch's in float64 of numbers near 1; each window in its own units."""
    rng = np.random.default_rng(1)
    for name, shape, k, s in (("lp_pool1d", (2, 3, 10), 4, 2), ("lp_pool1d", (3, 10), 2, 3),
                              ("lp_pool2d", (2, 3, 8, 7), (3, 2), (2, 1)), ("lp_pool2d", (3, 8, 7), 3, None)):
        x = rng.uniform(0.1, 2, shape)
        ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
        exact = torch.tensor(x, requires_grad=True)
        want = theirs(exact, p, k, s, ceil_mode)
        want.sum().backward()
        for size in (1e36, 1e30, 1e20, 1e-20, 1e-30, 1e-35):
            t = nn.tensor((x * size).astype(np.float32), requires_grad=True)
            y = ours(t, p, k, s, ceil_mode)
            y.sum().backward()
            np.testing.assert_allclose(y.data / size, want.detach().numpy(), rtol=2e-5, err_msg=f"{name} {size}")
            np.testing.assert_allclose(t.grad.data, exact.grad.numpy(), rtol=2e-5, err_msg=f"{name} {size}")
    x = nn.tensor([[3e30, 4e30, 3e-30, 4e-30, 3.0, 4.0, 0.0, 0.0]])
    np.testing.assert_allclose(F.lp_pool1d(x, 2, 2).data, [[5e30, 5e-30, 5, 0]], rtol=1e-6)


@pytest.mark.parametrize("k, s, p", [(2, None, 0), (3, 3, 1), ((2, 3), (2, 3), 0), (3, 4, 1)])
def test_images_put_back_like_torch(torch, k, s, p):
    for x in (X, X[0]):
        y, i = F.max_pool2d(nn.tensor(x), k, s, p, return_indices=True)
        for size in (None, x.shape[-2:], x.shape if x.ndim == 4 else None):
            def back(f, n, x, size=size):
                y, i = f.max_pool2d(x, k, s, p, return_indices=True)
                return f.max_unpool2d(y, i, k, s, p, size)
            try:
                want = back(torch.nn.functional, torch, torch.tensor(x))
            except (RuntimeError, ValueError):
                with pytest.raises((nn.ShapeError, nn.RangeError)):
                    back(F, nn, nn.tensor(x))
                continue
            close(back(F, nn, nn.tensor(x)), want)
            compare(lambda x: back(F, nn, x), lambda x: back(torch.nn.functional, torch, x), [x], roundings=0)


def test_sequences_put_back_like_torch(torch):
    for k, s, p, size in ((2, None, 0, None), (2, 2, 0, (2, 3, 10)), (3, 3, 1, [10])):
        def back(f, x, k=k, s=s, p=p, size=size):
            y, i = f.max_pool1d(x, k, s, p, return_indices=True)
            return f.max_unpool1d(y, i, k, s, p, size)
        compare(lambda x: back(F, x), lambda x: back(torch.nn.functional, x), [L], roundings=0)


Y, I = F.max_pool2d(nn.tensor(X), 2, return_indices=True)


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.lp_pool1d(nn.tensor(L), 0, 2), nn.RangeError, ("lp_pool1d", "not 0", "0")),
    (lambda: F.lp_pool2d(nn.ones(1, 2, 2).long(), 2, 2), nn.DTypeError, ("lp_pool2d", "int64")),
    (lambda: F.lp_pool2d(nn.tensor(X), 2, 0), nn.ShapeError, ("lp_pool2d", "kernel_size >= 1")),
    (lambda: F.max_unpool2d(Y, I[0], 2), nn.ShapeError, ("max_unpool2d", "(3, 4, 3)")),
    (lambda: F.max_unpool2d(Y, I, 2, output_size=(11, 6)), nn.ShapeError, ("max_unpool2d", "(8, 6)", "(11, 6)")),
    (lambda: F.max_unpool2d(Y, I + 99, 2), nn.RangeError, ("max_unpool2d", "0 <= index < 48")),
    (lambda: F.max_unpool2d(Y, Y, 2), nn.DTypeError, ("max_unpool2d", "float64")),
    (lambda: F.max_unpool1d(nn.ones(1, 2), nn.tensor([[0, -1]]), 2), nn.RangeError, ("max_unpool1d", "-1")),
    (lambda: F.max_unpool1d(nn.ones(1, 1), nn.tensor([[0]]), 1, padding=1), nn.ShapeError,
     ("max_unpool1d", "pixels", "-1"))])
def test_errors(call, error, words):
    refused(call, error, words)
