"""What holds for every optimiser, because it is registered: kernel = definition = PyTorch over 50
steps, and the class is its record.
"""

import inspect
import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from optim_cases import CASES, DTYPES, per_case, per_dtype, per_rule

import fastnn as nn
from fastnn.optim.rule import RULES, State, at_least_zero
from fastnn.testing import trajectory
from fastnn.testing.trajectory import trajectory_is_the_definition


def test_there_are_rules():
    assert {nn.optim.SGD, nn.optim.Adam, nn.optim.AdamW} <= set(RULES)
    assert all(rule.samples and rule.settings for rule in RULES.values())


# ---- the trajectory ------------------------------------------------------------------------------
@cache
def definition_course(optimizer, sample):
    return trajectory.definition_course(optimizer, optimizer.rule.samples[sample])


@per_case
def test_trajectory_is_the_definition(optimizer, sample):
    for dtype, backend in itertools.product(DTYPES, ["kernels", "reference"]):
        trajectory_is_the_definition(optimizer, optimizer.rule.samples[sample], dtype, backend=backend,
                                     want=definition_course(optimizer, sample))


# PyTorch has no Lion, and its Muon rounds to bfloat16: their papers' formulas are below
ELSEWHERE = (nn.optim.Lion, nn.optim.Muon)
per_case_of_pytorch = pytest.mark.parametrize(
    "optimizer, sample", [case for case in CASES if case[0] not in ELSEWHERE],
    ids=[f"{c.__name__}, {s}" for c, s in CASES if c not in ELSEWHERE])
per_rule_of_pytorch = pytest.mark.parametrize("optimizer", [rule for rule in RULES if rule is not nn.optim.Lion],
                                              ids=lambda c: c.__name__)


def pytorchs_course(torch, optimizer, settings, dtype):
    """The parameters at the end of the course under PyTorch's optimiser of that name."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)              # of the numbers in its state
    try:
        params = [torch.nn.Parameter(torch.tensor(a)) for a in trajectory.starts(dtype, optimizer)]
        groups = trajectory.groups(params, settings, settings["lr"])
        theirs = getattr(torch.optim, optimizer.__name__)(groups, **settings)
        for step in range(trajectory.STEPS):
            for p, g in zip(params, trajectory.gradients(step, dtype, optimizer)):
                # PyTorch's Adafactor divides by the size 0
                p.grad = None if g is None or g.size == 0 else torch.tensor(g)
            theirs.step()
    finally:
        torch.set_default_dtype(before)
    return params


@per_case_of_pytorch
def test_trajectory_is_pytorchs(torch, optimizer, sample):
    settings, want = optimizer.rule.samples[sample], definition_course(optimizer, sample)
    lr = {**optimizer.rule.defaults, **settings}["lr"]
    for dtype in DTYPES:
        for i, p in enumerate(pytorchs_course(torch, optimizer, {**settings, "lr": lr}, dtype)):
            allowed = trajectory.allowance(want.largest[i], want.path[i], dtype, trajectory.STEPS)
            trajectory.within(f"shape {tuple(p.shape)}", p.detach().numpy(), want.params[i], allowed, dtype)


def lions_course(p, gradients, lr, betas, weight_decay):
    """Algorithm 2 of the paper, number by number."""
    p, m = p.ravel().tolist(), [0.0] * p.size
    for g in gradients:
        for j, slope in enumerate([] if g is None else g.ravel().tolist()):
            c = betas[0] * m[j] + (1 - betas[0]) * slope
            p[j] -= lr * ((c > 0) - (c < 0) + weight_decay * p[j])
            m[j] = betas[1] * m[j] + (1 - betas[1]) * slope
    return p


def test_lions_trajectory_is_the_papers():
    lion, steps = nn.optim.Lion, 12
    for settings in ({"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.0},
                     {"lr": 0.02, "betas": (0.5, 0.7), "weight_decay": 0.3}):
        _, params = trajectory.class_course(lion, settings, np.float64, steps)
        for i, (p, start) in enumerate(zip(params, trajectory.starts(np.float64, lion))):
            gradients = [trajectory.gradients(step, np.float64, lion)[i] for step in range(steps)]
            want = lions_course(start, gradients, settings["lr"] / (1 + i % 2), settings["betas"],
                                settings["weight_decay"])
            np.testing.assert_allclose(p.data.ravel(), want, rtol=0, atol=1e-13)


def muons_course(p, gradients, lr, weight_decay=0.1, momentum=0.95):
    """The steps by singular values: each is mapped by the polynomial, the vectors stay."""
    m = np.zeros_like(p)
    for g in gradients:
        if g is None:
            continue
        m = momentum * m + (1 - momentum) * g
        u, s, v = np.linalg.svd((1 - momentum) * g + momentum * m, full_matrices=False)
        s = s / np.sqrt(np.sum(s * s))
        for _ in range(5):
            s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
        p = (1 - lr * weight_decay) * p - lr * max(1.0, p.shape[0] / p.shape[1])**0.5 * (u * s @ v)
    return p


def test_muons_trajectory_is_that_of_singular_values():
    rng = np.random.default_rng(0)
    for shape in ((5, 3), (3, 5), (8, 8), (1, 4), (4, 1)):
        p, gradients = rng.standard_normal(shape), [*rng.standard_normal((10, *shape)), None]
        want = muons_course(p, gradients, 0.1)
        for backend in ("kernels", "reference"):
            q = nn.Parameter(p.copy())
            optimizer = nn.optim.Muon([q], lr=0.1)
            with nn.use_backend(backend):
                for g in gradients:
                    q.grad = None if g is None else nn.tensor(g)
                    optimizer.step()
            np.testing.assert_allclose(q.data, want, rtol=0, atol=1e-12)


def test_a_muon_step_is_as_pytorchs(torch):
    """Up to its rounding to bfloat16."""
    rng = np.random.default_rng(1)
    for shape in ((6, 4), (4, 6)):
        a, g = rng.standard_normal((2, *shape)).astype(np.float32)
        for settings in ({}, {"nesterov": False}, {"adjust_lr_fn": "match_rms_adamw"}):
            p, q = nn.Parameter(a.copy()), torch.nn.Parameter(torch.tensor(a))
            p.grad, q.grad = nn.tensor(g), torch.tensor(g)
            nn.optim.Muon([p], lr=0.1, **settings).step()
            torch.optim.Muon([q], lr=0.1, **settings).step()
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=0, atol=3e-3)


@per_rule
def test_bits_do_not_depend_on_threads(optimizer):
    for settings in optimizer.rule.samples.values():
        with nn.threads(1):
            _, one = trajectory.class_course(optimizer, settings, np.float32, 5)
        with nn.threads(3):
            _, three = trajectory.class_course(optimizer, settings, np.float32, 5)
        assert all(a.data.tobytes() == b.data.tobytes() for a, b in zip(one, three))


@per_rule
def test_a_gradients_layout_does_not_matter(optimizer):
    layouts = {
        "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        "Fortran order": np.asfortranarray,
        "negative strides": lambda a: np.flip(np.flip(a).copy()),
        "read-only": lambda a: np.lib.stride_tricks.as_strided(a, writeable=False),
        "misaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    }
    g = np.random.default_rng(0).standard_normal((33, 7)).astype(np.float32)
    for backend in ("kernels", "reference"):
        results = {}
        for name, change in {"plain": lambda a: a, **layouts}.items():
            p = nn.Parameter(np.ones((33, 7), np.float32))
            opt = optimizer([p], lr=0.1)
            p.grad = nn.Tensor(change(g))
            with nn.use_backend(backend):
                opt.step()
                opt.step()
            results[name] = p.data.tobytes()
        assert len(set(results.values())) == 1, f"{backend}: {results.keys()}"


@per_case
def test_what_is_not_finite_goes_as_in_the_definition(optimizer, sample):
    """NaN, infinities and squares that overflow: in the same elements of parameters and state."""
    settings = optimizer.rule.samples[sample]
    for end, shape in itertools.product((np.nan, np.inf, -np.inf, 1e30), ((3, 5), (4,))):
        if optimizer.rule.dimensions not in (None, len(shape)):
            continue
        seen = []
        for backend in ("kernels", "reference"):
            p = nn.Parameter(np.ones(shape, np.float32))
            opt = optimizer([p], **settings)
            g = np.ones(shape, np.float32)
            g.flat[1] = end
            with nn.use_backend(backend):
                for _ in range(3):
                    p.grad = nn.tensor(g)
                    opt.step()
            seen.append(np.isfinite(p.data))
        assert (seen[0] == seen[1]).all(), (end, shape, *seen)


def with_zeros(rule):
    """The samples of a rule, each also with every single number at 0 where 0 is allowed."""
    zeros = [{}, *({name: 0.0} for name, default in rule.defaults.items() if isinstance(default, float))]
    zeros += [{"betas": betas} for betas in ((0.0, 0.9), (0.9, 0.0), (0.0, 0.0)) if "betas" in rule.defaults]
    for sample, zero in itertools.product(rule.samples.values(), zeros):
        try:
            rule.check_settings("", {**rule.defaults, **sample, **zero})
        except nn.RangeError:
            continue
        yield {**sample, **zero}


@per_rule
def test_a_term_whose_factor_is_zero_is_left_out(torch, optimizer):
    """An infinite parameter makes NaN of 0 p: as PyTorch's it stays infinite without weight decay,
    and where weight decay only shrinks it.
    """
    start = np.array([np.inf, -np.inf, np.inf, 1.0])
    slopes = np.array([1.0, -2.0, 0.0, 3.0])
    shape = (4,) if optimizer.rule.dimensions is None else (2, 2)
    runs = [("kernels", np.float32), ("kernels", np.float64), ("reference", np.float32)]
    for settings, (backend, dtype) in itertools.product(with_zeros(optimizer.rule), runs):
        a, g = start.reshape(shape).astype(dtype), slopes.reshape(shape).astype(dtype)
        p, q = nn.Parameter(a.copy()), torch.nn.Parameter(torch.tensor(a))
        opt = optimizer([p], **settings)
        theirs = getattr(torch.optim, optimizer.__name__, None)
        theirs = theirs and theirs([q], **{"lr": opt.defaults["lr"], **settings})
        for _ in range(2):
            p.grad, q.grad = nn.tensor(g.copy()), torch.tensor(g)
            with nn.use_backend(backend):
                opt.step()
            if theirs:
                theirs.step()
        # PyTorch has no Lion; the lengths of its steps are finite
        want = q.detach().numpy() if theirs else a
        np.testing.assert_array_equal(p.data[np.isinf(a)], want[np.isinf(a)], err_msg=f"{settings}, {backend}")


@pytest.mark.parametrize("dtype, tiny", [(np.float32, 1e-30), (np.float64, 1e-300)], ids=["float32", "float64"])
def test_rprop_sees_the_signs_of_tiny_gradients(dtype, tiny):
    """Their product is 0."""
    for backend in ("kernels", "reference"):
        p = nn.Parameter(np.zeros(3, dtype))
        opt = nn.optim.Rprop([p], lr=0.5, etas=(0.5, 2.0))
        with nn.use_backend(backend):
            for signs in ([1, -1, 1], [1, -1, -1]):
                p.grad = nn.tensor(np.array(signs, dtype) * dtype(tiny))
                opt.step()
        np.testing.assert_array_equal(opt.state[p]["step_size"], [1, 1, 0.25])
        np.testing.assert_array_equal(p.data, [-1.5, 1.5, -0.5])


@pytest.mark.skipif(nn.kernels.compiled is None, reason="definitions flush nothing")
@pytest.mark.parametrize("optimizer", [nn.optim.Rprop, nn.optim.Lion], ids=lambda c: c.__name__)
def test_denormal_gradients_have_a_sign_if_they_are_kept(optimizer):
    """As the docstrings say."""
    seen = []
    before = nn.config.flushes_denormal()
    try:
        for flush in (True, False):
            nn.set_flush_denormal(flush)
            p = nn.Parameter([0.0])
            p.grad = nn.tensor(np.float32([1e-40]))
            optimizer([p], lr=0.5).step()
            seen.append(p.item())
    finally:
        nn.set_flush_denormal(before)
    assert seen == [0.0, -0.5]


# ---- sabotage: each of these mistakes must be found ----------------------------------------------
def wrong_kernel(change):
    """A rule whose kernel does something else than its definition."""
    def make(rule):
        def kernel(*lists, **settings):
            change(rule, lists, settings)
        return replace(rule, kernel=kernel)
    return make


def a_little_long(rule, lists, settings):
    rule.kernel(*lists, **{**settings, "lr": settings["lr"] * (1 + 1e-4)})


def no_decay(rule, lists, settings):
    rule.kernel(*lists, **{**settings, "weight_decay": 0.0})


def leaves_one_out(rule, lists, settings):
    rule.kernel(*[column[:-1] for column in lists], **settings)


def swaps_two_states(rule, lists, settings):
    p, g, *state = lists
    state[0][:], state[1][:] = state[1][:], state[0][:]
    rule.kernel(p, g, *state, **settings)


def always_the_first_step(rule, lists, settings):
    rule.kernel(*lists[:-1], [1] * len(lists[0]), **settings)


def forgets_its_momentum(rule, lists, settings):
    lists[2][:] = [None] * len(lists[0])
    rule.kernel(*lists, **settings)


def changes_the_gradient(rule, lists, settings):
    rule.kernel(*lists, **settings)
    for p, g in zip(lists[0], lists[1]):
        p += np.where(np.abs(g) > 3, 1e-3, 0).astype(p.dtype)


SABOTAGE = [
    ("SGD", "plain", a_little_long), ("SGD", "momentum", a_little_long), ("Adam", "defaults", a_little_long),
    ("SGD", "decay", no_decay), ("AdamW", "decay", no_decay), ("SGD", "plain", leaves_one_out),
    ("Adam", "defaults", leaves_one_out), ("Adam", "defaults", swaps_two_states),
    ("Adam", "defaults", always_the_first_step), ("SGD", "momentum", forgets_its_momentum),
    ("SGD", "plain", changes_the_gradient),
]


@per_dtype
@pytest.mark.parametrize("name, sample, change", SABOTAGE, ids=[f"{n}, {c.__name__}" for n, _, c in SABOTAGE])
def test_a_wrong_kernel_is_found(name, sample, change, dtype):
    right = getattr(nn.optim, name)
    wrong = type(f"Wrong{name}", (right,), {"rule": wrong_kernel(change)(right.rule)})
    with pytest.raises(AssertionError):
        trajectory_is_the_definition(wrong, right.rule.samples[sample], dtype)


def test_a_wrong_record_is_found():
    m, v, top = nn.optim.Adam.rule.state
    for right, mistake in ((nn.optim.AdamW, {"fixed": {"decoupled_weight_decay": False}}),
                           (nn.optim.Adam, {"state": (v, m, top)})):
        # the definition is taken by another record: as if the record's author had erred
        other = replace(right.rule, **mistake)

        class Wrong(right):
            rule = right.rule

            def step(self, closure=None, other=other):
                self.rule = other
                return super().step(closure)
        with pytest.raises(AssertionError):
            trajectory_is_the_definition(Wrong, right.rule.samples["decay"], np.float64)


# ---- a new rule ----------------------------------------------------------------------------------
def test_a_new_rule_needs_a_definition_a_record_and_a_class(torch):
    def rmsprop_step(p, g, v, *, lr, alpha, eps):
        v = alpha * v + (1 - alpha) * g * g
        return p - lr * g / (np.sqrt(v) + eps), v

    class RMSprop(nn.optim.Optimizer):
        rule = nn.optim.Rule(
            "p -= lr g / sqrt(mean of g^2)", rmsprop_step, state=(State("square_avg"),),
            settings={"lr": at_least_zero(0.01), "alpha": at_least_zero(0.99), "eps": at_least_zero(1e-8)})

        def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8):
            super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps})
    for dtype in DTYPES:
        trajectory_is_the_definition(RMSprop, {"lr": 0.02}, dtype)
    opt, params = trajectory.class_course(RMSprop, {"lr": 0.02}, np.float64)
    for p, q in zip(params, pytorchs_course(torch, RMSprop, {"lr": 0.02}, np.float64)):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11, atol=1e-12)
    again = RMSprop([p.detach() for p in params[0::2]], lr=1.0)
    with pytest.raises(nn.ShapeError, match="groups"):
        again.load_state_dict(opt.state_dict())


def test_bounds_are_told_in_words():
    at_most, any_number = State("s", most=1.0), State("s")
    assert at_most.expected == "numbers <= 1" and at_most.in_range(-5.0) and not at_most.in_range(2.0)
    assert any_number.expected == "numbers" and any_number.in_range(np.array([-np.inf, np.nan, 3]))
    assert State("s", least=0.0).expected == "numbers >= 0"
    assert State("s", least=0.0, most=1.0).expected == "numbers from 0 to 1"
    with pytest.raises(nn.RangeError, match="lr >= 0 and finite, got inf"):
        nn.optim.SGD([nn.Parameter([1.0])], lr=np.inf)
    with pytest.raises(nn.RangeError, match="eps a pair: None or a number >= 0"):
        nn.optim.Adafactor([nn.Parameter([1.0])], eps={1.0: 0, 2.0: 0})
    with pytest.raises(nn.RangeError, match="ns_coefficients three finite numbers"):
        nn.optim.Muon([nn.Parameter([[1.0]])], ns_coefficients=("1", "2", "3"))


# ---- the class is the record ---------------------------------------------------------------------
@per_rule
def test_the_signature_is_the_records(optimizer):
    # accepted for PyTorch's sake, and no part of the rule
    neutral = {"params", "foreach", "fused", "capturable", "differentiable"}
    ours = {name: p.default for name, p in inspect.signature(optimizer).parameters.items() if name not in neutral}
    assert ours == optimizer.rule.defaults and list(ours) == list(optimizer.rule.settings)


@per_rule_of_pytorch
def test_the_signature_is_pytorchs(torch, optimizer):
    ours, theirs = (inspect.signature(c).parameters for c in (optimizer, getattr(torch.optim, optimizer.__name__)))
    assert {name: (p.kind, p.default) for name, p in ours.items()} == {
        name: (p.kind, p.default) for name, p in theirs.items()}
    by_place = [name for name, p in ours.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_place == list(theirs)[:len(by_place)]


@per_rule_of_pytorch
def test_the_state_dict_has_pytorchs_keys(torch, optimizer):
    shapes = [shape for shape in ((3,), (2, 3)) if optimizer.rule.dimensions in (None, len(shape))]
    for settings, shape in itertools.product(optimizer.rule.samples.values(), shapes):
        p, q = nn.Parameter(np.ones(shape)), torch.nn.Parameter(torch.ones(shape))
        opt, topt = optimizer([p], **settings), getattr(torch.optim, optimizer.__name__)([q], **settings)
        p.grad, q.grad = nn.tensor(np.ones(shape)), torch.ones(shape)
        opt.step()
        topt.step()
        ours, theirs = opt.state_dict(), topt.state_dict()
        assert ours.keys() == theirs.keys()
        assert {k: set(v) for k, v in ours["state"].items()} == {k: set(v) for k, v in theirs["state"].items()}
        assert set(ours["param_groups"][0]) <= set(theirs["param_groups"][0])
        assert ours["param_groups"][0]["params"] == theirs["param_groups"][0]["params"]
        again = optimizer([p], lr=0.5)
        again.load_state_dict(theirs)               # theirs can be read, and goes on as ours does
        for one in (opt, again):
            p.data[...] = 0.5
            one.step()
            one.values = p.data.copy()
        np.testing.assert_allclose(again.values, opt.values, rtol=0 if optimizer is nn.optim.Muon else 1e-6,
                                   atol=3e-3 if optimizer is nn.optim.Muon else 0)


SENSIBLE = {("beta2_decay", -1.0), ("adjust_lr_fn", None)}


@per_rule
def test_every_setting_is_checked(optimizer):
    for name in optimizer.rule.settings:
        for nonsense in (-1.0, "x", float("nan"), None, [], (1.0, "x"), (None, None, None)):
            if any(name == at and nonsense == value for at, value in SENSIBLE):
                continue
            with pytest.raises((nn.RangeError, nn.DTypeError), match=name):
                optimizer([nn.Parameter([[1.0]])], **{name: nonsense})
