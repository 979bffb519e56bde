"""Optimisers: kernel = definition, PyTorch as a second opinion, state, groups, clipping, mistakes.
"""

import numpy as np
import pytest
from second_opinion import close

import fastnn as nn

SHAPES = [(), (1,), (3, 5), (0, 4), (9001,), (2, 8192)]        # empty, one block, more than one

SETTINGS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd decay": ("SGD", {"lr": 0.1, "weight_decay": 0.03}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam decay": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.01, "weight_decay": 0.2}),
}


def start(dtype):
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def gradients(step, dtype):
    rng = np.random.default_rng([step, 2])
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def run(name, dtype, steps=10):
    kind, settings = SETTINGS[name]
    params = [nn.Parameter(a.copy()) for a in start(dtype)]
    idle = nn.Parameter(np.ones(3, dtype))          # never has a gradient: must not move
    opt = getattr(nn.optim, kind)([*params, idle], **settings)
    for step in range(steps):
        for p, g in zip(params, gradients(step, dtype)):
            p.grad = nn.tensor(g)
        opt.step()
    assert (idle.data == 1).all()
    return [p.data for p in params], opt


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SETTINGS)
def test_kernel_is_the_definition(name, dtype):
    got, _ = run(name, dtype)
    with nn.use_backend("reference"):
        want, _ = run(name, np.float64)
    for a, b in zip(got, want):
        assert a.dtype == dtype
        # ten steps of a few roundings each, on numbers of size 1
        np.testing.assert_allclose(a, b, rtol=0, atol=60 * np.finfo(dtype).eps * max(1, np.abs(b).max(initial=1)))


@pytest.mark.parametrize("name", SETTINGS)
def test_like_torch(torch, name):
    kind, settings = SETTINGS[name]
    got, _ = run(name, np.float64, 20)
    params = [torch.nn.Parameter(torch.tensor(a)) for a in start(np.float64)]
    opt = getattr(torch.optim, kind)(params, **settings)
    for step in range(20):
        for p, g in zip(params, gradients(step, np.float64)):
            p.grad = torch.tensor(g)
        opt.step()
    for i, (a, b) in enumerate(zip(got, params)):
        close(a, b, f"parameter {i}")


@pytest.mark.parametrize("name", SETTINGS)
def test_bits_do_not_depend_on_threads(name):
    with nn.threads(1):
        one, _ = run(name, np.float32)
    with nn.threads(3):
        three, _ = run(name, np.float32)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, three))


@pytest.mark.parametrize("name", SETTINGS)
def test_state_continues_bit_for_bit(name):
    kind, settings = SETTINGS[name]
    whole, _ = run(name, np.float32, 10)
    half, opt = run(name, np.float32, 5)
    params = [nn.Parameter(a.copy()) for a in half]
    again = getattr(nn.optim, kind)([*params, nn.Parameter(np.ones(3, np.float32))], lr=0.777)
    again.load_state_dict(opt.state_dict())
    for step in range(5, 10):
        for p, g in zip(params, gradients(step, np.float32)):
            p.grad = nn.tensor(g)
        again.step()
    assert all(p.data.tobytes() == b.tobytes() for p, b in zip(params, whole))


def test_hand_worked_momentum():
    # p = 1, lr = 0.1, mu = 0.5, g = 2 twice:  m = 2, p = 1 - 0.2 = 0.8;  m = 0.5*2 + 2 = 3, p = 0.8 - 0.3 = 0.5
    p = nn.Parameter(np.array([1.0]))
    opt = nn.optim.SGD([p], lr=0.1, momentum=0.5)
    for want in (0.8, 0.5):
        p.grad = nn.tensor(np.array([2.0]))
        opt.step()
        np.testing.assert_allclose(p.data, [want], rtol=1e-15)


def test_hand_worked_adam():
    # the first step is lr * g/|g| whatever the size of g:  m/(1-b1) = g,  sqrt(v/(1-b2)) = |g|
    p = nn.Parameter(np.array([1.0, 1.0, 1.0]))
    opt = nn.optim.Adam([p], lr=0.01, eps=0.0)
    p.grad = nn.tensor(np.array([5.0, -1e-3, 1e6]))
    opt.step()
    np.testing.assert_allclose(p.data, [0.99, 1.01, 0.99], rtol=1e-14)


def test_groups_have_their_own_settings():
    a, b = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    opt = nn.optim.SGD([{"params": [a]}, {"params": [b], "lr": 1.0}], lr=0.5)
    a.grad, b.grad = nn.tensor(np.ones(2)), nn.tensor(np.ones(2))
    opt.step()
    assert a.data.tolist() == [0.5, 0.5] and b.data.tolist() == [0.0, 0.0]


def test_dtypes_may_be_mixed():
    a, b = nn.Parameter(np.ones(2, np.float32)), nn.Parameter(np.ones(2, np.float64))
    opt = nn.optim.Adam([a, b], lr=0.5)
    a.grad, b.grad = nn.tensor(np.ones(2, np.float32)), nn.tensor(np.ones(2))
    opt.step()
    assert a.dtype == np.float32 and b.dtype == np.float64
    np.testing.assert_allclose(a.data, b.data, rtol=1e-6)


def test_a_step_counts_as_a_change():
    w = nn.Parameter(np.ones((2, 2)))
    y = nn.functional.relu(w)
    before = w._version[0]
    w.grad = nn.tensor(np.ones((2, 2)))
    nn.optim.SGD([w], lr=0.1).step()
    assert w._version[0] == before + 1 and y.shape == (2, 2)


def test_read_only_and_transposed_parameters_move():
    base = np.arange(6.0).reshape(2, 3)
    frozen = np.ones(3)
    frozen.flags.writeable = False
    p, q = nn.Parameter(base.T), nn.Parameter(frozen)
    opt = nn.optim.SGD([p, q], lr=1.0)
    p.grad, q.grad = nn.tensor(np.ones((3, 2))), nn.tensor(np.ones(3))
    opt.step()
    np.testing.assert_array_equal(p.data, base.T - 1)
    assert q.data.tolist() == [0, 0, 0] and (frozen == 1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_grad_norm(dtype):
    p, q = nn.Parameter(np.zeros(20000, dtype)), nn.Parameter(np.zeros((3, 4), dtype))
    rng = np.random.default_rng(0)
    p.grad, q.grad = nn.tensor(rng.standard_normal(20000).astype(dtype)), nn.tensor(rng.standard_normal((3, 4)).astype(dtype))
    want = np.sqrt(sum((g.data.astype(np.float64) ** 2).sum() for g in (p.grad, q.grad)))
    norm = nn.optim.clip_grad_norm_([p, q], 1.0)
    np.testing.assert_allclose(norm, want, rtol=1e-12)
    after = np.sqrt(sum((g.data.astype(np.float64) ** 2).sum() for g in (p.grad, q.grad)))
    np.testing.assert_allclose(after, 1.0, rtol=1e-6)
    assert nn.optim.clip_grad_norm_([p, q], 5.0) == pytest.approx(1.0)       # below the bound: nothing happens
    nn.optim.clip_grad_value_([p, q], 1e-3)
    assert max(np.abs(p.grad.data).max(), np.abs(q.grad.data).max()) <= dtype(1e-3)


def test_schedules_like_torch(torch):
    for ours, theirs in ((lambda o: nn.optim.StepLR(o, 3, 0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5)),
                         (lambda o: nn.optim.CosineAnnealingLR(o, 10, 0.01),
                          lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10, 0.01))):
        opt, topt = nn.optim.SGD([nn.Parameter([1.0])], lr=0.4), torch.optim.SGD([torch.nn.Parameter(torch.ones(1))],
                                                                                 lr=0.4)
        schedule, tschedule = ours(opt), theirs(topt)
        for _ in range(10):
            topt.step()
            schedule.step()
            tschedule.step()
            np.testing.assert_allclose(schedule.get_last_lr(), tschedule.get_last_lr(), rtol=1e-12, atol=1e-12)


MISTAKES = [
    (lambda: nn.optim.SGD([]), nn.ShapeError, "empty"),
    (lambda: nn.optim.SGD(nn.Parameter([1.0])), nn.DTypeError, "model.parameters"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])], lr=-1), nn.RangeError, "lr >= 0"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])], nesterov=True), nn.RangeError, "momentum"),
    (lambda: nn.optim.Adam([nn.Parameter([1.0])], betas=(0.9, 1.0)), nn.RangeError, "betas"),
    (lambda: nn.optim.Adam([{"params": [nn.Parameter([1.0])], "rate": 1}]), nn.RangeError, "rate"),
    (lambda: nn.optim.Adam([1.0]), nn.DTypeError, "float"),
    (lambda: nn.optim.clip_grad_norm_([nn.Parameter([1.0])], -1), nn.RangeError, "max_norm"),
]


@pytest.mark.parametrize("call, error, words", MISTAKES)
def test_mistakes(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_parameter_in_two_groups_is_noticed():
    p = nn.Parameter([1.0])
    with pytest.raises(nn.RangeError, match="two groups"):
        nn.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)


def test_state_of_another_model_changes_nothing():
    p = nn.Parameter(np.ones(3))
    opt = nn.optim.Adam([p], lr=0.5)
    other = nn.optim.Adam([nn.Parameter(np.ones(4))], lr=0.1)
    other.param_groups[0]["params"][0].grad = nn.tensor(np.ones(4))
    other.step()
    with pytest.raises(nn.ShapeError, match="exp_avg"):
        opt.load_state_dict(other.state_dict())
    assert opt.param_groups[0]["lr"] == 0.5 and not opt.state
