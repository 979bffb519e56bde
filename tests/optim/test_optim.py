"""Optimisers: steps worked by hand, groups, clipping, schedules, mistakes.

What holds for every rule is in test_rules.py, test_failed_steps.py and test_saved_state.py.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from optim_cases import forced

import fastnn as nn


def test_hand_worked_momentum():
    # p = 1, lr = 0.1, mu = 0.5, g = 2 twice:
    # m = 2, p = 1 - 0.2 = 0.8;  m = 0.5*2 + 2 = 3, p = 0.8 - 0.3 = 0.5
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


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_grad_norm(dtype, backend):
    p, q = nn.Parameter(np.zeros(20000, dtype)), nn.Parameter(np.zeros((3, 4), dtype))
    rng = np.random.default_rng(0)
    p.grad = nn.tensor(rng.standard_normal(20000).astype(dtype))
    q.grad = nn.tensor(rng.standard_normal((3, 4)).astype(dtype))
    want = np.sqrt(sum((g.data.astype(np.float64) ** 2).sum() for g in (p.grad, q.grad)))
    with nn.use_backend(backend):
        norm = nn.optim.clip_grad_norm_([p, q], 1.0)
    np.testing.assert_allclose(norm, want, rtol=1e-12)
    after = np.sqrt(sum((g.data.astype(np.float64) ** 2).sum() for g in (p.grad, q.grad)))
    np.testing.assert_allclose(after, 1.0, rtol=1e-6)
    # below the bound: nothing happens
    assert nn.optim.clip_grad_norm_([p, q], 5.0) == pytest.approx(1.0)
    nn.optim.clip_grad_value_([p, q], 1e-3)
    assert max(np.abs(p.grad.data).max(), np.abs(q.grad.data).max()) <= dtype(1e-3)


def with_gradients(*gradients):
    params = [nn.Parameter(np.zeros_like(g)) for g in gradients]
    for p, g in zip(params, gradients):
        p.grad = nn.Tensor(np.array(g))
    return params


f4, f8, INF, NAN = np.float32, np.float64, np.inf, np.nan
# gradients, max_norm, the norm, the gradients afterwards
NORMS = {
    "near the overflow": ([f8([3e200, 4e200])], 1.0, 5e200, [[0.6, 0.8]]),
    "near the underflow": ([f8([3e-200, 4e-200])], 1e-200, 5e-200, [[0.6e-200, 0.8e-200]]),
    "denormals": ([f8([3e-310, 4e-310])], 1.0, 5e-310, [[3e-310, 4e-310]]),
    "the largest": ([f8([1.7e308])], 1.0, 1.7e308, [[1.0]]),
    "beyond the largest": ([f8([1.5e308, 1.5e308])], 1.0, INF, [[0.5 ** 0.5] * 2]),
    "beyond the largest, many": ([f8([1e308, -1e308] * 5000)], 2.0, INF, [[0.02, -0.02] * 5000]),
    "a large limit": ([f8([1.5e308, 1.5e308])], 1e308, INF, [[1e308 * 0.5 ** 0.5] * 2]),
    "a factor that float32 does not have": ([f4([3e38, 1e38])], 1e-3, 1e38 * 10 ** 0.5,
                                            [[3e-3 / 10 ** 0.5, 1e-3 / 10 ** 0.5]]),
    "mixed dtypes, mixed sizes": ([f8([1e308]), f4([1, 2])], 1.0, 1e308, [[1.0], [0, 0]]),
    "mixed dtypes": ([f8([3]), f4([4])], 1.0, 5.0, [[0.6], [0.8]]),
    "infinite": ([f8([INF, 1]), f4([1])], 1.0, INF, [[NAN, 0], [0]]),
    "NaN": ([f8([NAN, 1]), f4([2])], 1.0, NAN, [[NAN, NAN], [NAN]]),
    "zeros": ([f8([0, 0]), f4([0])], 0.0, 0.0, [[0, 0], [0]]), "a limit of 0": ([f8([3, 4])], 0.0, 5.0, [[0, 0]]),
    "no limit": ([f8([3e200, 4e200])], INF, 5e200, [[3e200, 4e200]]), "empty": ([f4([])], 1.0, 0.0, [[]]),
    "nothing": ([], 1.0, 0.0, []), "a number": ([f8(3e200)], 1.0, 3e200, [1.0]),
}


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", NORMS)
def test_clip_grad_norm_from_the_smallest_to_the_largest(name, backend):
    gradients, limit, norm, after = NORMS[name]
    params = with_gradients(*gradients)
    with nn.use_backend(backend), np.errstate(invalid="ignore"):
        got = nn.optim.clip_grad_norm_(params, limit)
    assert type(got) is float and (got == norm or np.isnan([got, norm]).all() or got == pytest.approx(norm, rel=1e-7))
    if gradients and all(g.dtype == f8 for g in gradients):
        assert got == norm or np.isnan(norm)        # to the last bit
    for p, want in zip(params, after):
        np.testing.assert_allclose(p.grad.data, want, rtol=1e-6 if p.dtype == f4 else 1e-12)


def test_a_large_norm_is_exact_to_the_last_bit():
    from fractions import Fraction
    rng = np.random.default_rng(0)
    for power in (180, 250, 300, -170, -250):
        for n in (1, 2, 3, 10, 5000):
            g = rng.standard_normal(n) * 10.0 ** power * 10.0 ** rng.uniform(-6, 0, n)
            square = sum(Fraction(x) ** 2 for x in g.tolist())
            got = Fraction(nn.optim.clip_grad_norm_(with_gradients(g), INF))
            half = Fraction(float(np.spacing(float(got)))) / 2
            assert (got - half) ** 2 <= square <= (got + half) ** 2


@pytest.mark.parametrize("clip", [nn.optim.clip_grad_norm_, nn.optim.clip_grad_value_])
def test_clipping_refuses_what_it_cannot_clip_and_changes_nothing(clip):
    for bad, words in ((np.ones(2, np.int64), "int64"), (np.ones(2, np.float16), "float16"),
                       (np.ones(2, bool), "bool"), (np.ones(2, complex), "complex")):
        good, p = with_gradients(np.full(3, 9.0, f4), np.full(2, 9.0))
        p.grad = forced(bad)
        before = good.grad.data.tobytes(), good.grad._version[0]
        with pytest.raises(nn.DTypeError, match=f"gradient of parameter 1 cannot be clipped.*{words}"):
            clip([good, p], 1.0)
        assert (good.grad.data.tobytes(), good.grad._version[0]) == before
    good, p = with_gradients(np.ones(3, f4), np.ones(2))
    p.grad = np.ones(2)
    for call, words in ((lambda: clip([good, p], 1), "gradient of parameter 1 is no tensor"),
                        (lambda: clip([good, 1.0], 1), "number 1 is no parameter.*float"),
                        (lambda: clip(3, 1), "got int"), (lambda: clip([("w", good)], 1), "tuple"),
                        (lambda: clip([nn.Tensor.__new__(nn.Tensor)], 1), "number 0 is no parameter")):
        with pytest.raises(nn.DTypeError, match=words):
            call()
    for limit in (-1, -1e-300, NAN, "1", None, [1], 10**400):
        with pytest.raises(nn.RangeError):
            clip([good], limit)
    assert good.grad.tolist() == [1, 1, 1]


@pytest.mark.parametrize("limit", [0.1, 1e300, INF, 0, f4(0.5), np.array(0.5), nn.tensor(0.5), 2])
def test_clip_grad_value_takes_any_number(limit):
    params = with_gradients(f4([3, -0.2, INF, -INF, NAN]), f8([3, -0.2, INF, -INF, NAN]))
    nn.optim.clip_grad_value_(params, limit)
    for p in params:
        with np.errstate(over="ignore"):
            bound = p.dtype.type(float(limit))
        np.testing.assert_array_equal(p.grad.data, np.clip(p.dtype.type([3, -0.2, INF, -INF, NAN]), -bound, bound))


def test_a_gradient_that_comes_twice_is_scaled_once():
    p, q = with_gradients(f8([3.0]), f8([4.0]))
    assert nn.optim.clip_grad_norm_([p, p, q, p], 1.0) == 5
    np.testing.assert_allclose([p.grad.item(), q.grad.item()], [0.6, 0.8])
    assert p.grad._version[0] == 1


def test_clipping_takes_any_layout():
    p = nn.Parameter(np.zeros((2, 3)))
    p.grad = nn.Tensor(np.arange(6.0).reshape(3, 2).T)
    p.grad.data.flags.writeable = False
    nn.optim.clip_grad_value_(p, 2.0)
    assert p.grad.tolist() == [[0, 2, 2], [1, 2, 2]]


MISTAKES = [
    (lambda: nn.optim.SGD([]), nn.ShapeError, "empty"),
    (lambda: nn.optim.SGD(nn.Parameter([1.0])), nn.DTypeError, "model.parameters"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])], lr=-1), nn.RangeError, "lr >= 0"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])], nesterov=True), nn.RangeError, "momentum"),
    (lambda: nn.optim.Adam([nn.Parameter([1.0])], betas=(0.9, 1.0)), nn.RangeError, "betas"),
    (lambda: nn.optim.Adam([{"params": [nn.Parameter([1.0])], "learning_rate": 1}]), nn.RangeError,
     r"unknown settings \['learning_rate'\].*mean 'lr'"),
    (lambda: nn.optim.Adam([1.0]), nn.DTypeError, "float"),
    (lambda: nn.optim.Adam([nn.Parameter([1.0])], betas={0.9, 0.5}), nn.RangeError, "betas"),
    (lambda: nn.optim.Adam([nn.Parameter([1.0])], eps=float("inf")), nn.RangeError, "eps >= 0"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])], lr=True), nn.RangeError, "lr >= 0"),
    (lambda: nn.optim.SGD(5), nn.DTypeError, "iterable of parameters.*int"),
    (lambda: nn.optim.SGD({"w": nn.Parameter([1.0])}), nn.DTypeError, "got dict"),
    (lambda: nn.optim.SGD([{"params": None}]), nn.DTypeError, "NoneType"),
    (lambda: nn.optim.SGD([(1, nn.Parameter([1.0]))]), nn.DTypeError, "tuple"),
    (lambda: nn.optim.SGD([{"parameters": [nn.Parameter([1.0])]}]), nn.DTypeError, "group.*parameters"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0]) * 2]), nn.DTypeError, "result of an op"),
    (lambda: nn.optim.clip_grad_norm_([nn.Parameter([1.0])], -1), nn.RangeError, "max_norm"),
    (lambda: nn.optim.clip_grad_value_([nn.Parameter([1.0])], float("nan")), nn.RangeError, "clip_value"),
    (lambda: nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])]), 0), nn.RangeError, "step_size"),
    (lambda: nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])]), 1, interval="batch"), nn.RangeError, "interval"),
    (lambda: nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])]), 1.5), nn.DTypeError, "step_size"),
    (lambda: nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])]), 1, float("nan")), nn.RangeError, "gamma"),
    (lambda: nn.optim.StepLR([nn.Parameter([1.0])], 1), nn.DTypeError, "an optimizer.*got list"),
    (lambda: nn.optim.CosineAnnealingLR(nn.optim.SGD([nn.Parameter([1.0])]), 0), nn.RangeError, "T_max"),
    (lambda: nn.optim.CosineAnnealingLR(nn.optim.SGD([nn.Parameter([1.0])]), 1, -0.1), nn.RangeError, "eta_min"),
    *[(lambda gamma=gamma: nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])]), 1, gamma), nn.RangeError, "gamma >= 0")
      for gamma in (-0.5, float("inf"), "half", True, None)],
    *[(lambda eta=eta: nn.optim.CosineAnnealingLR(nn.optim.SGD([nn.Parameter([1.0])]), 1, eta), nn.RangeError, "eta_m")
      for eta in (float("inf"), float("nan"), "low", True)],
    *[(lambda steps=steps: nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])]), steps), error, "step_size")
      for steps, error in ((2.0, nn.DTypeError), (True, nn.DTypeError), ("two", nn.RangeError))],
    *[(lambda steps=steps: nn.optim.CosineAnnealingLR(nn.optim.SGD([nn.Parameter([1.0])]), steps), error, "T_m")
      for steps, error in ((2.0, nn.DTypeError), (True, nn.DTypeError), ("two", nn.RangeError))],
    (lambda: nn.optim.StepLR(SimpleNamespace(param_groups=5), 1), nn.DTypeError, "StepLR: expected an optimizer"),
    (lambda: nn.optim.StepLR(SimpleNamespace(param_groups=[{}]), 1), nn.RangeError, "StepLR: .*'lr'"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])]).add_param_group("params"), nn.DTypeError, "SGD: .*a group.*got str"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])]).zero_grad(np.array([1, 2])), nn.DTypeError,
     r"SGD\.zero_grad: expected set_to_none as a bool"),
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


# ---- settings that no float holds, state of another shape ----------------------------------------
@pytest.mark.parametrize("value", [2**2000, np.array([0.1, 0.2]), "0.1", None], ids=["huge", "array", "text", "None"])
@pytest.mark.parametrize("name", list(nn.optim.rule.RULES), ids=lambda cls: cls.__name__)
def test_a_setting_spoilt_in_a_later_group_changes_nothing(name, value):
    ps = [nn.Parameter(np.ones((3, 1), np.float32)) for _ in range(2)]
    optimizer = name([{"params": [ps[0]]}, {"params": [ps[1]]}], lr=0.1)
    for p in ps:
        p.grad = nn.ones(3, 1)
    optimizer.step()
    before = [p.data.copy() for p in ps]
    optimizer.param_groups[1]["lr"] = value
    with pytest.raises(nn.RangeError, match="lr >= 0"):
        optimizer.step()
    for p, data in zip(ps, before):
        np.testing.assert_array_equal(p.data, data)
    with pytest.raises(nn.RangeError, match="lr >= 0"):
        name(ps, lr=value)


def test_state_of_another_shape_is_refused_even_where_the_size_agrees():
    p = nn.Parameter(np.ones((2, 3), np.float32))
    optimizer = nn.optim.Adam([p])
    p.grad = nn.ones(2, 3)
    optimizer.step()
    p.data = np.ones((3, 2), np.float32)
    p.grad = nn.ones(3, 2)
    with pytest.raises(nn.DTypeError, match="exp_avg does not fit its parameter"):
        optimizer.step()


# ---- arguments of PyTorch's ----------------------------------------------------------------------
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, float("inf")])
def test_other_norms_like_torch(torch, p):
    arrays = [np.array([3.0, -4.0, 0.0]), np.array([[1.0], [-2.0]])]
    ours, theirs = [nn.Parameter(a.copy()) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    for t, u, a in zip(ours, theirs, arrays):
        t.grad, u.grad = nn.tensor(a.copy()), torch.tensor(a)
    got = nn.optim.clip_grad_norm_(ours, 1.0, norm_type=p)
    want = torch.nn.utils.clip_grad_norm_(theirs, 1.0, norm_type=p)
    assert got == pytest.approx(want.item(), rel=1e-12)
    for t, u in zip(ours, theirs):                  # PyTorch divides by norm + 1e-6
        np.testing.assert_allclose(t.grad.data, u.grad.numpy(), rtol=1e-5)


def test_norms_that_are_not_finite():
    for bad in (np.inf, np.nan):
        t = nn.Parameter(np.ones(2))
        t.grad = nn.tensor(np.array([1.0, bad]))
        for p in (2.0, 1.0, np.inf):
            with pytest.raises(nn.NonFiniteError, match=r"clip_grad_norm_: .*not finite.*detect_anomaly"):
                nn.optim.clip_grad_norm_([t], 1.0, p, error_if_nonfinite=True)
            np.testing.assert_array_equal(t.grad.data, [1.0, bad])
    huge = nn.Parameter(np.ones(2))
    huge.grad = nn.tensor(np.array([1e300, 1e300]))
    assert nn.optim.clip_grad_norm_([huge], 1.0, 3.0) == pytest.approx(2**(1 / 3) * 1e300)
    for wrong in (0, -1, "fro", float("nan")):
        with pytest.raises(nn.RangeError, match="clip_grad_norm_: expected norm_type > 0"):
            nn.optim.clip_grad_norm_([huge], 1.0, wrong)


def test_switches_of_pytorchs():
    w = [nn.Parameter(np.ones(2))]
    nn.optim.Adam(w, foreach=True, fused=False, capturable=False, amsgrad=False)
    nn.optim.SGD(w, foreach=None, fused=True, differentiable=False)
    for make, words in ((lambda: nn.optim.Adam(w, differentiable=True), r"Adam: expected differentiable=False"),
                        (lambda: nn.optim.AdamW(w, differentiable=True), "AdamW: expected differentiable=False"),
                        (lambda: nn.optim.SGD(w, maximize=2), "SGD: .*maximize as a bool")):
        with pytest.raises((nn.RangeError, nn.DTypeError), match=words):
            make()


def test_parameters_beside_one_another_in_one_array_are_taken():
    a = np.zeros((4, 2), np.float32)
    for p, q in ((a[:2], a[2:]), (a[:, 0], a[:, 1]), (a, a[1:1]), (a, a[2:][:0])):
        nn.optim.SGD([nn.Parameter(p), nn.Parameter(q)], lr=0.1)


def test_parameters_that_share_memory_are_refused():
    a = np.zeros(6, np.float32)
    for p, q in ((a, a), (a, a[2:]), (a[:4], a[3:]), (a, a.reshape(2, 3))):
        with pytest.raises(nn.RangeError, match="share memory"):
            nn.optim.SGD([nn.Parameter(p), nn.Parameter(q)], lr=0.1)
        with pytest.raises(nn.RangeError, match="share memory"):
            nn.optim.SGD([{"params": [nn.Parameter(p)]}, {"params": [nn.Parameter(q)]}], lr=0.1)
    nn.optim.SGD([nn.Parameter(a[:3]), nn.Parameter(a[3:]), nn.Parameter(np.zeros((0, 2)))], lr=0.1)
    layer, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.weight = layer.weight
    nn.optim.SGD(nn.Sequential(layer, other).parameters(), lr=0.1)
