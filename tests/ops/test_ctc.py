"""The loss of labels without their places: all ways counted one by one, PyTorch, errors."""

import itertools
import math

import numpy as np
import pytest
from second_opinion import close, compare

import fastnn as nn

F = nn.functional


def logs(*shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def counted(log_probs, target, blank=0):
    """The loss from its meaning: of every way through all symbols, whether it says the target."""
    T, C = log_probs.shape
    total = 0.0
    for way in itertools.product(range(C), repeat=T):
        said = [symbol for symbol, _ in itertools.groupby(way) if symbol != blank]
        if said == list(target):
            total += math.exp(sum(log_probs[t, symbol] for t, symbol in enumerate(way)))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("target", [[], [1], [1, 2], [2, 2], [1, 1, 1], [2, 1, 2], [1, 2, 1, 2, 1, 2]])
@pytest.mark.parametrize("blank", [0, 2])
def test_all_ways(target, blank):
    target = [(label + blank) % 3 for label in target]      # the blank is none of them
    x = logs(5, 3)
    loss = F.ctc_loss(nn.tensor(x), nn.tensor(target or np.zeros(0, np.int64)), (5,), (len(target),), blank, "sum")
    assert loss.item() == pytest.approx(counted(x, target, blank), rel=1e-12)


def test_the_gradient_is_the_derivative():
    targets = nn.tensor([[1, 2], [1, 1]])
    assert nn.testing.gradcheck(lambda x: F.ctc_loss(x, targets, (4, 3), (2, 1)), logs(4, 2, 3))


T, N, C, S = 12, 3, 5, 4
TARGETS, STEPS, NUMBERS = np.random.default_rng(1).integers(1, C, (N, S)), (12, 9, 7), (4, 2, 0)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_like_torch(torch, reduction, dtype):
    """Before a log_softmax both gradients are the same."""
    scores = np.random.default_rng(2).standard_normal((T, N, C))
    row = np.concatenate([labels[:n] for labels, n in zip(TARGETS, NUMBERS)])
    for targets in (TARGETS, row):
        compare(lambda x, targets=targets: F.ctc_loss(F.log_softmax(x, 2), nn.tensor(targets), STEPS, NUMBERS, 0,
                                                      reduction),
                lambda x, targets=targets: torch.nn.functional.ctc_loss(torch.log_softmax(x, 2), torch.tensor(targets),
                                                                        STEPS, NUMBERS, 0, reduction),
                [scores], dtype, roundings=200)
    one = scores[:, 0]
    compare(lambda x: F.ctc_loss(F.log_softmax(x, 1), nn.tensor(TARGETS[0]), nn.tensor(T), nn.tensor(S), 0, reduction),
            lambda x: torch.nn.functional.ctc_loss(torch.log_softmax(x, 1), torch.tensor(TARGETS[0]), torch.tensor(T),
                                                   torch.tensor(S), 0, reduction), [one], dtype, roundings=200)


def test_a_target_that_cannot_be_said(torch):
    x = logs(2, 1, 3)
    for zero in (False, True):
        ours = nn.tensor(x, requires_grad=True)
        loss = F.ctc_loss(ours, nn.tensor([[1, 1]]), (2,), (2,), 0, "sum", zero)
        close(loss, torch.nn.functional.ctc_loss(torch.tensor(x), torch.tensor([[1, 1]]), (2,), (2,), 0, "sum", zero))
    loss.backward()
    assert loss.item() == 0 and not ours.grad.data.any()


LP = nn.tensor(logs(4, 2, 3))


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.ctc_loss(nn.ones(2), nn.tensor([1]), (1,), (1,)), nn.ShapeError, ("(T, N, C)", "(2,)")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [1]]), (4,), (1, 1)), nn.ShapeError, ("input_lengths", "(2,)")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [1]]), (4, 5), (1, 1)), nn.ShapeError, ("input_lengths", "at most 4", "5")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [1]]), (4, 4), (1, 2)), nn.ShapeError, ("targets", "up to 2")),
    (lambda: F.ctc_loss(LP, nn.tensor([1, 1, 1]), (4, 4), (1, 1)), nn.ShapeError, ("targets", "(3,)")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [1]]), (4, 4), (1, -1)), nn.ShapeError, ("target_lengths >= 0", "-1")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [3]]), (4, 4), (1, 1)), nn.RangeError, ("label < 3", "3")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [1]]), (4, 4), (1, 1), 3), nn.RangeError, ("blank < 3", "3")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1.0], [1.0]]), (4, 4), (1, 1)), nn.DTypeError, ("targets", "float32")),
    (lambda: F.ctc_loss(LP, nn.tensor([[1], [1]]), (4, 4), (1, 1), 0, "max"), nn.RangeError, ("reduction", "max"))])
def test_errors(call, error, words):
    with pytest.raises(error) as caught:
        call()
    said = str(caught.value)
    assert said.startswith("ctc_loss:") and all(word in said for word in words), said


def test_without_a_step_only_the_empty_target_is_said():
    x = nn.zeros(2, 1, 2).log_softmax(-1)
    for target, want in (((1,), float("inf")), ((0,), 0.0)):
        for log_probs in (x, x[:0]):
            y = nn.functional.ctc_loss(log_probs, nn.tensor([[1]]), (0,), target, reduction="none")
            assert y.item() == want
    with pytest.raises(nn.DTypeError, match="blank as an int"):
        nn.functional.ctc_loss(x, nn.tensor([[1]]), (2,), (1,), blank=0.5)
