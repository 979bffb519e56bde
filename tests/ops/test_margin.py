"""Losses of pairs, triplets, rankings, counts and variances: PyTorch as a second opinion."""

import numpy as np
import pytest
from messages import refused
from second_opinion import both, compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
A, B, C = R.standard_normal((3, 4, 5))
SIGNS, POSITIVE = np.sign(R.standard_normal(4)), np.abs(A) + 0.1
LABELS, MANY = np.array([2, 0, 4, 1]), np.array([[2, 0, -1, 1, 1], [3, -1, 0, 0, 0], [-1, 1, 2, 0, 0], [0, 1, 2, 3, 4]])
BINARY, WEIGHT = (B > 0).astype(float), R.uniform(0.5, 2, 5)

# name, arrays, other arguments
CASES = [
    ("margin_ranking_loss", [A[:, 0], B[:, 0], SIGNS], {}),
    ("margin_ranking_loss", [A[:, 0], B[:, 0], SIGNS], {"margin": 0.4}),
    ("hinge_embedding_loss", [POSITIVE[:, 0], SIGNS], {}),
    ("hinge_embedding_loss", [POSITIVE, np.sign(B)], {"margin": 0.7}),
    ("cosine_embedding_loss", [A, B, SIGNS], {}), ("cosine_embedding_loss", [A, B, SIGNS], {"margin": 0.1}),
    ("triplet_margin_loss", [A, B, C], {}), ("triplet_margin_loss", [A, B, C], {"swap": True, "margin": 2.0}),
    ("triplet_margin_loss", [A, B, C], {"p": 1}), ("triplet_margin_with_distance_loss", [A, B, C], {"swap": True}),
    ("soft_margin_loss", [A * 30, np.sign(B)], {}), ("multilabel_soft_margin_loss", [A, BINARY], {}),
    ("multilabel_margin_loss", [A, MANY], {}), ("multilabel_margin_loss", [A[0], MANY[0]], {}),
    ("multi_margin_loss", [A, LABELS], {}), ("multi_margin_loss", [A, LABELS], {"p": 2, "margin": 0.5}),
    ("multi_margin_loss", [A[0], np.array(1)], {}),
    ("gaussian_nll_loss", [A, B, POSITIVE], {}), ("gaussian_nll_loss", [A, B, POSITIVE[:, 0]], {"full": True}),
    ("gaussian_nll_loss", [A, B, POSITIVE * (A > 0)], {"eps": 0.3}),
    ("poisson_nll_loss", [A, np.floor(POSITIVE * 4)], {}),
    ("poisson_nll_loss", [POSITIVE, np.floor(POSITIVE * 4)], {"log_input": False, "full": True}),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, arrays, attrs", CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_like_torch(torch, name, arrays, attrs, reduction):
    ours, theirs = both(name)
    count = {"cosine_embedding_loss": 2, "triplet_margin_loss": 3, "triplet_margin_with_distance_loss": 3,
             "margin_ranking_loss": 2, "gaussian_nll_loss": 3}.get(name, 1)
    floats, rest = arrays[:count], arrays[count:]
    compare(lambda *x: ours(*x, *map(nn.tensor, rest), reduction=reduction, **attrs),
            lambda *x: theirs(*x, *map(torch.tensor, rest), reduction=reduction, **attrs), floats)


def test_weights_like_torch(torch):
    for name, target in (("multi_margin_loss", LABELS), ("multilabel_soft_margin_loss", BINARY)):
        ours, theirs = both(name)
        compare(lambda x, f=ours, t=target: f(x, nn.tensor(t), weight=nn.tensor(WEIGHT)),
                lambda x, f=theirs, t=target: f(x, torch.tensor(t), weight=torch.tensor(WEIGHT)), [A])


def test_by_hand_at_the_ends():
    inf = np.inf
    scores = nn.tensor([[inf, -inf]], requires_grad=True)
    loss = F.multilabel_soft_margin_loss(scores, nn.tensor([[1.0, 0.0]]))
    loss.backward()
    assert loss.item() == 0 and scores.grad.tolist() == [[0, 0]]
    rates, counts = nn.tensor([-inf, inf, 1e30], requires_grad=True), nn.tensor([0.0, 2.0, 1e30])
    for full in (False, True):
        loss = F.poisson_nll_loss(rates, counts, full=full, reduction="none")
        assert loss.tolist() == [0, inf, inf]
    loss.sum().backward()
    assert rates.grad.tolist() == [0, inf, inf]
    assert F.soft_margin_loss(nn.tensor([inf]), nn.tensor([0.0])).item() == np.float32(np.log(2))


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e-6, 1.0, 1e20, 1e30])
def test_directions_of_vectors_of_any_length(torch, size):
    """In float32 as PyTorch's in float64."""
    a, b = (A * size).astype(np.float32), (B * size).astype(np.float32)
    target = np.array([1.0, -1, 1, -1])
    ours = [nn.tensor(x, requires_grad=True) for x in (a, b)]
    theirs = [torch.tensor(x.astype(float), requires_grad=True) for x in (a, b)]
    # from no kink: where both are short the cosine is 0
    y = F.cosine_embedding_loss(*ours, nn.tensor(target), -0.5, reduction="none")
    want = torch.nn.functional.cosine_embedding_loss(*theirs, torch.tensor(target), -0.5, reduction="none")
    y.sum().backward()
    want.sum().backward()
    np.testing.assert_allclose(y.data, want.detach().numpy(), rtol=1e-5, atol=1e-6)
    for x, t in zip(ours, theirs):
        largest = float(np.abs(t.grad.numpy()).max())
        np.testing.assert_allclose(x.grad.data / largest, t.grad.numpy() / largest, rtol=0, atol=1e-5)


T = nn.ones(2, 3)


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.margin_ranking_loss(T, T, T, reduction="all"), nn.RangeError,
     ("margin_ranking_loss", "'mean'", "'all'")),
    (lambda: F.margin_ranking_loss(T, nn.ones(4), T), nn.ShapeError, ("margin_ranking_loss", "(2, 3)", "(4,)")),
    (lambda: F.hinge_embedding_loss(nn.tensor([1]), T), nn.DTypeError, ("hinge_embedding_loss", "int64")),
    (lambda: F.cosine_embedding_loss(T, T, T), nn.ShapeError, ("cosine_embedding_loss", "(N, D)", "(2, 3)")),
    (lambda: F.triplet_margin_loss(T, T, T, margin=0), nn.RangeError, ("triplet_margin_loss", "margin > 0", "0")),
    (lambda: F.triplet_margin_loss(T, T, nn.ones(3)), nn.ShapeError, ("triplet_margin_loss", "one rank", "(3,)")),
    (lambda: F.soft_margin_loss(T, nn.ones(3)), nn.ShapeError, ("soft_margin_loss", "(2, 3)", "(3,)")),
    (lambda: F.multi_margin_loss(T, nn.tensor([0, 3])), nn.RangeError, ("multi_margin_loss", "label < 3", "0 to 3")),
    (lambda: F.multi_margin_loss(T, nn.tensor([0, 1]), p=3), nn.RangeError, ("multi_margin_loss", "p 1 or 2", "3")),
    (lambda: F.multi_margin_loss(T, nn.tensor([0])), nn.ShapeError, ("multi_margin_loss", "(N, C)", "(1,)")),
    (lambda: F.multilabel_margin_loss(T, T), nn.DTypeError, ("multilabel_margin_loss", "integer", "float32")),
    (lambda: F.gaussian_nll_loss(T, T, -T), nn.RangeError, ("gaussian_nll_loss", "var >= 0", "-1.0")),
    (lambda: F.gaussian_nll_loss(T, T, T, eps=0), nn.RangeError, ("gaussian_nll_loss", "eps > 0", "0")),
    (lambda: F.poisson_nll_loss(T, nn.ones(4)), nn.ShapeError, ("poisson_nll_loss", "(2, 3)", "(4,)"))])
def test_errors(call, error, words):
    refused(call, error, words)
