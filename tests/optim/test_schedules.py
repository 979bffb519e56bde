"""Every schedule beside PyTorch's, step by step, over settings and over what users do between two
steps; what it keeps, what it refuses.
"""

import copy
import itertools
import pickle
from functools import partial

import numpy as np
import pytest

import fastnn as nn

S = nn.optim.lr_scheduler
STEPS = 60
# PyTorch's: a schedule's step without an optimiser's, step(epoch), parameters of no use
pytestmark = pytest.mark.filterwarnings("ignore")


class Decay:
    """A function with something to keep."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        self.last = epoch
        return 1 / (1 + self.rate * epoch)


def half_every_third(epoch):
    return 0.5 if epoch % 3 == 0 else 1.0


# name: (class, settings). The two groups begin with 0.8 and 0.05.
CHAINABLE = {
    "steps": ("StepLR", {"step_size": 7}), "steps of one": ("StepLR", {"step_size": 1, "gamma": 0.9}),
    "rising steps": ("StepLR", {"step_size": 10, "gamma": 1.5}), "steps to 0": ("StepLR", {"step_size": 9, "gamma": 0}),
    "milestones": ("MultiStepLR", {"milestones": [3, 20, 21, 40], "gamma": 0.3}),
    "milestones twice": ("MultiStepLR", {"milestones": [30, 5, 5]}),
    "constant": ("ConstantLR", {}), "constant, long": ("ConstantLR", {"factor": 0.7, "total_iters": 33}),
    "constant, whole": ("ConstantLR", {"factor": 1.0, "total_iters": 0}),
    "constant, for ever": ("ConstantLR", {"factor": 0.25, "total_iters": 0}),
    "linear": ("LinearLR", {}), "linear, long": ("LinearLR", {"start_factor": 0.01, "total_iters": 50}),
    "linear, down": ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 30}),
    "linear, of one": ("LinearLR", {"start_factor": 0.5, "total_iters": 1}),
    "linear, of none": ("LinearLR", {"start_factor": 0.5, "total_iters": 0}),
    "exponential": ("ExponentialLR", {"gamma": 0.93}), "exponential, rising": ("ExponentialLR", {"gamma": 1.01}),
    "exponential to 0": ("ExponentialLR", {"gamma": 0.0}),
    "polynomial": ("PolynomialLR", {}), "polynomial, long": ("PolynomialLR", {"total_iters": 55, "power": 0.9}),
    "polynomial, square": ("PolynomialLR", {"total_iters": 40, "power": 2}),
    "cosine": ("CosineAnnealingLR", {"T_max": 60}), "cosine, again": ("CosineAnnealingLR", {"T_max": 7}),
    "cosine, of one": ("CosineAnnealingLR", {"T_max": 1, "eta_min": 0.01}),
    "cosine, from below": ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.1}),
    "multiplicative": ("MultiplicativeLR", {"lr_lambda": half_every_third}),
    "multiplicative, each": ("MultiplicativeLR", {"lr_lambda": [lambda epoch: 0.97, half_every_third]}),
}
CLOSED = {
    "lambda": ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    "lambda, each": ("LambdaLR", {"lr_lambda": [Decay(0.1), lambda epoch: epoch / 60]}),
    "restarts": ("CosineAnnealingWarmRestarts", {"T_0": 5}),
    "restarts, longer": ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.02}),
    "restarts, of one": ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 3}),
    "one cycle": ("OneCycleLR", {"max_lr": 1.0, "total_steps": STEPS + 1}),
    "one cycle, linear": ("OneCycleLR", {"max_lr": [1.0, 0.2], "epochs": 7, "steps_per_epoch": 9,
                                         "anneal_strategy": "linear"}),
    "one cycle, three phases": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 70, "three_phase": True,
                                               "div_factor": 10, "final_div_factor": 100}),
    "one cycle, momenta": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 70, "base_momentum": [0.5, 0.6],
                                          "max_momentum": [0.7, 0.8], "pct_start": 0.5}),
    "one cycle, no momentum": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 70, "cycle_momentum": False}),
    "one cycle, no rise": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 70, "pct_start": 0.0}),
    "cyclic": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 7}),
    "cyclic, quick down": ("CyclicLR", {"base_lr": [0.01, 0.2], "max_lr": [0.1, 0.3], "step_size_up": 7,
                                        "step_size_down": 2, "mode": "triangular2"}),
    "cyclic, exp": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "mode": "exp_range",
                                 "gamma": 0.98, "base_momentum": 0.3, "max_momentum": [0.5, 0.6]}),
    "cyclic, own": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "scale_fn": Decay(0.5),
                                 "mode": "any", "cycle_momentum": False}),
    "cyclic, own, of steps": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5,
                                           "scale_fn": lambda x: 0.9**x, "scale_mode": "iterations"}),
}
ALL = CHAINABLE | CLOSED
PLATEAU = {
    "plateau": {}, "min, abs": {"threshold_mode": "abs", "threshold": 0.05, "patience": 2, "factor": 0.5},
    "max": {"mode": "max", "patience": 1, "factor": 0.7}, "max, abs": {"mode": "max", "threshold_mode": "abs",
                                                                       "patience": 0, "min_lr": 0.01},
    "cooldown": {"patience": 0, "cooldown": 3, "factor": 0.9, "min_lr": [0.1, 0.001]},
    "eps": {"patience": 0, "eps": 0.02, "factor": 0.6},
}
# what PyTorch takes a new group into
TAKES_A_GROUP = [name for name in CHAINABLE if name != "multiplicative, each" and name != "multiplicative"]


def optimizer_of(lib, kind="SGD", rates=(0.8, 0.05)):
    params = [lib.nn.Parameter(lib.ones(1)) if lib is not nn else nn.Parameter(nn.ones(1)) for _ in rates]
    settings = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(lib.optim, kind)([{"params": [p], "lr": rate} for p, rate in zip(params, rates)], lr=1.0, **settings)


def make(lib, optimizer, case, **more):
    name, settings = case
    return getattr(lib.optim.lr_scheduler, name)(optimizer, **copy.deepcopy(settings), **more)


def seen(optimizer, schedule):
    """All that a schedule changes."""
    return [*[float(group["lr"]) for group in optimizer.param_groups], *map(float, schedule.get_last_lr()),
            *[group["betas"][0] if "betas" in group else group["momentum"] for group in optimizer.param_groups]]


def lockstep(torch, made, steps=STEPS, between=None, kind="SGD"):
    """made(library, optimizer) -> the schedule. between(library, i, optimizer, schedule) happens
    before step i, and may return another (optimizer, schedule).
    """
    courses = []
    for lib in (nn, torch):
        optimizer = optimizer_of(lib, kind)
        schedule = made(lib, optimizer)
        course = [seen(optimizer, schedule)]
        for i in range(steps):
            if between is not None:
                optimizer, schedule = between(lib, i, optimizer, schedule) or (optimizer, schedule)
            # two that are chained may lead below 0, and PyTorch's optimisers climb then
            if lib is not nn or min(group["lr"] for group in optimizer.param_groups) >= 0:
                optimizer.step()
            schedule.step()
            course.append(seen(optimizer, schedule))
        courses.append(course)
    for i, (ours, theirs) in enumerate(zip(*courses)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13, err_msg=f"step {i}")
    assert any(row != course[0] for row in course[1:]) or course[0] == course[-1]


def made_by(case):
    return lambda lib, optimizer: make(lib, optimizer, case)


@pytest.fixture(autouse=True)
def no_gradients_are_meant(monkeypatch):
    """Optimisers here step without gradients, which is told once elsewhere."""
    monkeypatch.setattr(nn.optim.watch.FirstSteps, "look", lambda *args: None)


def test_each_of_pytorchs_is_there_and_compared(torch):
    theirs = set(torch.optim.lr_scheduler.__all__)
    assert theirs <= set(S.__all__) and set(S.__all__) - theirs == {"WarmupLR"}
    apart = {"ChainedScheduler", "LRScheduler", "ReduceLROnPlateau", "SequentialLR"}        # below
    assert {name for name, _ in ALL.values()} == theirs - apart
    assert all(hasattr(nn.optim, name) for name in theirs - {"LRScheduler"})


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", ALL)
def test_like_pytorchs(torch, name, kind):
    lockstep(torch, made_by(ALL[name]), kind=kind)


@pytest.mark.parametrize("name", ALL)
def test_a_learning_rate_set_by_hand(torch, name):
    def by_hand(lib, i, optimizer, schedule):
        if i in (6, 29):
            optimizer.param_groups[i % 2]["lr"] = 0.321
    lockstep(torch, made_by(ALL[name]), between=by_hand)


@pytest.mark.parametrize("name", TAKES_A_GROUP)
def test_a_group_that_is_added_later(torch, name):
    if ALL[name][0] == "CosineAnnealingLR" and ALL[name][1]["T_max"] < 60:
        with pytest.raises(ValueError, match="zip"):        # PyTorch's fails at the lowest point
            lockstep(torch, made_by(ALL[name]), between=add_a_group)
        return
    lockstep(torch, made_by(ALL[name]), between=add_a_group)


def add_a_group(lib, i, optimizer, schedule):
    if i == 4:
        p = nn.Parameter(nn.ones(1)) if lib is nn else lib.nn.Parameter(lib.ones(1))
        optimizer.add_param_group({"params": [p], "lr": 0.6})


@pytest.mark.parametrize("name", ALL)
def test_a_group_that_is_added_later_is_taken_in_or_refused(name):
    optimizer = optimizer_of(nn)
    schedule = make(nn, optimizer, ALL[name])
    add_a_group(nn, 4, optimizer, schedule)
    before = [dict(group) for group in optimizer.param_groups]
    if name.endswith(", each") or ALL[name][0] in ("CyclicLR", "OneCycleLR"):
        with pytest.raises(nn.RangeError, match=r"a group was added.*Make the schedule when all groups are there"):
            schedule.step()
        assert optimizer.param_groups == before and schedule.last_epoch == 0
        return
    state = copy.deepcopy(schedule.state_dict())
    schedule.load_state_dict(state)                 # its own
    for _ in range(STEPS):
        schedule.step()
    assert len(schedule.get_last_lr()) == len(schedule.base_lrs) == 3 and schedule.base_lrs[2] == 0.6
    schedule.load_state_dict(state)
    two = make(nn, optimizer_of(nn), ALL[name]).state_dict()
    schedule.load_state_dict(two)                   # of a time before the group was there
    schedule.step()
    assert len(schedule.base_lrs) == 3


WAYS = [(name, through) for name, case in ALL.items() for through in ("load_state_dict", "deepcopy", "pickle", "file")
        if through != "pickle" or "<lambda>" not in repr(case)]     # which Python does not pickle


@pytest.mark.parametrize("half", [1, 23])
@pytest.mark.parametrize("name, through", WAYS)
def test_a_loaded_schedule_goes_on(torch, name, through, half, tmp_path):
    def interrupted(lib, i, optimizer, schedule):
        if i != half:
            return None
        if through in ("deepcopy", "pickle"):
            both = optimizer, schedule
            return copy.deepcopy(both) if through == "deepcopy" else pickle.loads(pickle.dumps(both))
        states = copy.deepcopy({"schedule": schedule.state_dict(), "optimizer": optimizer.state_dict()})
        if through == "file" and lib is nn:
            nn.save(states, tmp_path / "run.npz")
            states = nn.load(tmp_path / "run.npz")
        fresh = optimizer_of(lib)
        again = make(lib, fresh, ALL[name])
        again.load_state_dict(states["schedule"])
        fresh.load_state_dict(states["optimizer"])
        return fresh, again
    lockstep(torch, made_by(ALL[name]), between=interrupted)


@pytest.mark.parametrize("name", ALL)
def test_a_state_of_pytorchs_is_taken(torch, name):
    theirs = optimizer_of(torch)
    before = make(torch, theirs, ALL[name])
    for _ in range(17):
        theirs.step()
        before.step()
    ours = optimizer_of(nn)
    schedule = make(nn, ours, ALL[name])
    schedule.load_state_dict(before.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for _ in range(20):
        np.testing.assert_allclose(seen(ours, schedule), seen(theirs, before), rtol=1e-12, atol=1e-15)
        schedule.step()
        before.step()


# PyTorch's of these: see the next test
@pytest.mark.parametrize("last_epoch", [0, 2, 6, 19])
@pytest.mark.parametrize("name", [name for name in ALL if name not in ("restarts, longer", "restarts, of one")])
def test_behind_a_last_epoch(torch, name, last_epoch):
    def resumed(lib, optimizer):
        before = make(lib, optimizer, ALL[name])
        for _ in range(last_epoch):
            optimizer.step()
            before.step()
        return make(lib, optimizer, ALL[name], last_epoch=last_epoch)
    lockstep(torch, resumed, steps=30)


@pytest.mark.parametrize("last_epoch", range(30))
@pytest.mark.parametrize("name", ["restarts", "restarts, longer", "restarts, of one"])
def test_restarts_behind_a_last_epoch(name, last_epoch):
    """PyTorch counts one restart before it, however many there were."""
    optimizer = optimizer_of(nn)
    whole = make(nn, optimizer, ALL[name])
    for _ in range(last_epoch + 1):
        whole.step()
    again = make(nn, optimizer, ALL[name], last_epoch=last_epoch)
    for _ in range(20):
        assert seen(optimizer, again)[:2] == seen(optimizer, whole)[:2] and again.T_cur == whole.T_cur
        whole.step()
        again.step()


# PyTorch's closed forms of these divide by 0, or are another function
@pytest.mark.parametrize("name", [name for name in ALL if name not in ("linear, of none", "constant, for ever")])
def test_going_to_an_epoch(torch, name):
    """PyTorch's older step(epoch)."""
    courses = []
    for lib in (nn, torch):
        optimizer = optimizer_of(lib)
        schedule = make(lib, optimizer, ALL[name])
        courses.append([])
        for epoch in (None, 4, None, 2, None, 0, None, 33, None):
            schedule.step() if epoch is None else schedule.step(epoch)
            courses[-1].append([schedule.last_epoch, *seen(optimizer, schedule)])
    np.testing.assert_allclose(courses[0], courses[1], rtol=1e-12, atol=1e-15)


def test_restarts_take_fractions_of_an_epoch(torch):
    for case in (CLOSED["restarts"], CLOSED["restarts, longer"]):
        courses = []
        for lib in (nn, torch):
            optimizer = optimizer_of(lib)
            schedule = make(lib, optimizer, case)
            courses.append([])
            for epoch in [*np.arange(0, 30, 0.25).tolist(), None, None, 7.5, None]:
                schedule.step() if epoch is None else schedule.step(epoch)
                courses[-1].append([schedule.last_epoch, schedule.T_cur, schedule.T_i, *seen(optimizer, schedule)])
        np.testing.assert_allclose(courses[0], courses[1], rtol=1e-12, atol=1e-15)


def test_restarts_are_exact_where_a_logarithm_is_not():
    """log(243) / log(3) is below 5."""
    schedule = make(nn, optimizer_of(nn), ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 3}))
    for n in range(12):
        schedule.step(3**n - 1)
        assert schedule.T_cur == 0 and schedule.T_i == 2 * 3**n and schedule.get_last_lr() == [0.8, 0.05]


# ---- several -------------------------------------------------------------------------------------
PAIRS = ["steps", "milestones", "constant, long", "linear, long", "exponential", "polynomial, long", "cosine",
         "cosine, from below", "multiplicative"]


@pytest.mark.parametrize("names", [*itertools.permutations([*PAIRS, "lambda", "restarts"], 2)], ids=" and ".join)
def test_two_on_one_optimizer(torch, names):
    class Both:
        """Each stepped by itself."""

        def __init__(self, lib, optimizer):
            self.both = [make(lib, optimizer, ALL[name]) for name in names]

        def step(self):
            for schedule in self.both:
                schedule.step()

        def get_last_lr(self):
            return self.both[0].get_last_lr() + self.both[1].get_last_lr()
    lockstep(torch, Both)

    def chained(lib, optimizer):
        return lib.optim.lr_scheduler.ChainedScheduler([make(lib, optimizer, ALL[name]) for name in names])
    lockstep(torch, chained)
    lockstep(torch, chained, between=partial(loaded_half_way, chained))


def loaded_half_way(made, lib, i, optimizer, schedule):
    if i == 11:
        states = copy.deepcopy((schedule.state_dict(), optimizer.state_dict()))
        fresh = optimizer_of(lib)
        again = made(lib, fresh)
        again.load_state_dict(states[0])
        fresh.load_state_dict(states[1])
        return fresh, again


AFTER = [*itertools.permutations([*PAIRS, "lambda", "restarts, longer"], 2)]


@pytest.mark.parametrize("names", AFTER, ids=" then ".join)
def test_one_after_the_other(torch, names):
    def sequential(lib, optimizer, milestones):
        there = [make(lib, optimizer, ALL[name]) for name in names]
        return lib.optim.lr_scheduler.SequentialLR(optimizer, there, milestones)
    for milestone in (0, 1, 9):
        made = partial(sequential, milestones=[milestone])
        lockstep(torch, made, between=partial(loaded_half_way, made))


def test_three_one_after_the_other(torch):
    def made(lib, optimizer):
        there = [make(lib, optimizer, ALL[name]) for name in ("linear", "cosine, from below", "one cycle")]
        return lib.optim.lr_scheduler.SequentialLR(optimizer, there, [5, 21])
    lockstep(torch, made, between=partial(loaded_half_way, made))


def test_schedules_of_schedules_of_schedules():
    """PyTorch's cannot do these, or begins them with a step too many."""
    def course(schedule, steps=12):
        rates = [schedule.get_last_lr()[0]]
        for _ in range(steps):
            schedule.step()
            rates += schedule.get_last_lr()[:1]
        return rates

    one = optimizer_of(nn)
    chained = S.ChainedScheduler([S.ExponentialLR(one, 0.5), S.LinearLR(one, 0.5, total_iters=2)])
    want = course(chained)
    for milestone in (0, 4):
        o = optimizer_of(nn)
        inner = S.ChainedScheduler([S.ExponentialLR(o, 0.5), S.LinearLR(o, 0.5, total_iters=2)])
        rest = S.ConstantLR(o, 0.25, 100)
        if milestone:
            rates = course(S.SequentialLR(o, [rest, inner], [milestone]), milestone + 8)
            np.testing.assert_allclose(rates, [0.2]*milestone + want[:9], rtol=1e-15)
        else:
            rates = course(S.SequentialLR(o, [inner, rest], [9]), 11)
            np.testing.assert_allclose(rates, want[:9] + [0.2]*3, rtol=1e-15)
    for places in ([0, 1], [1, 0]):
        o = optimizer_of(nn)
        inner = S.SequentialLR(o, [S.LinearLR(o, 0.5, total_iters=2), S.ExponentialLR(o, 0.5)], [3])
        both = [inner, S.ConstantLR(o, 0.25, 100)]
        rates = course(S.SequentialLR(o, [both[k] for k in places], [5]), 9)
        ramp, flat = [0.4, 0.6, 0.8, 0.8, 0.4, 0.2][:5], [0.2]*5
        np.testing.assert_allclose(rates, ramp + flat if places[0] == 0 else flat + ramp, rtol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_a_warm_up(torch, n):
    rates = []
    for after in (None, {"T_max": 9}):
        optimizer = optimizer_of(nn)
        then = nn.optim.CosineAnnealingLR(optimizer, **after) if after else None
        schedule = nn.optim.WarmupLR(optimizer, n, then)
        rates.append([schedule.get_last_lr()])
        for _ in range(n + 8):
            schedule.step()
            rates[-1].append(schedule.get_last_lr())
    alone = [[base * min(1, (t + 1) / n) for base in (0.8, 0.05)] for t in range(n + 9)]
    np.testing.assert_allclose(rates[0], alone, rtol=1e-14)
    cosine = [[base * (1 + np.cos(np.pi * t / 9)) / 2 for base in (0.8, 0.05)] for t in range(9)]
    np.testing.assert_allclose(rates[1], alone[:n] + cosine, rtol=1e-13)
    theirs = optimizer_of(torch)
    T = torch.optim.lr_scheduler
    other = T.SequentialLR(theirs, [T.LinearLR(theirs, 1 / n, 1.0, max(1, n - 1)), T.CosineAnnealingLR(theirs, 9)], [n])
    for row in rates[1]:
        np.testing.assert_allclose(row, other.get_last_lr(), rtol=1e-13)
        other.step()


# ---- a plateau -----------------------------------------------------------------------------------
LOSSES = np.concatenate([np.geomspace(2, 0.5, 12), np.full(9, 0.5), [np.nan, np.inf, 0.4], np.full(6, 0.41),
                         np.geomspace(0.4, 0.1, 9), np.linspace(0.1, 0.3, 12)]).tolist()


@pytest.mark.parametrize("half", [None, 15])
@pytest.mark.parametrize("name", PLATEAU)
def test_a_plateau_like_pytorchs(torch, name, half):
    courses = []
    for lib in (nn, torch):
        optimizer = optimizer_of(lib)
        schedule = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **PLATEAU[name])
        courses.append([])
        for i, loss in enumerate(LOSSES):
            if i == half:
                states = copy.deepcopy((schedule.state_dict(), optimizer.state_dict()))
                optimizer = optimizer_of(lib)
                schedule = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **PLATEAU[name])
                schedule.load_state_dict(states[0])
                optimizer.load_state_dict(states[1])
            schedule.step(lib.tensor(loss) if i % 2 else loss)
            if i == 20 and name != "cooldown":
                add_a_group(lib, 4, optimizer, schedule)
            courses[-1].append([*seen(optimizer, schedule), schedule.best, schedule.num_bad_epochs,
                                schedule.cooldown_counter, schedule.in_cooldown, schedule.last_epoch])
    assert len(set(map(str, courses[0]))) > 5
    for ours, theirs in zip(*courses):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def test_a_plateau_takes_pytorchs_state(torch):
    theirs, ours = optimizer_of(torch), optimizer_of(nn)
    before = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, patience=2)
    for loss in LOSSES[:20]:
        before.step(loss)
    schedule = nn.optim.ReduceLROnPlateau(ours)
    schedule.load_state_dict(before.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for loss in LOSSES[20:]:
        before.step(loss)
        schedule.step(loss)
        assert (schedule.patience, seen(ours, schedule)) == (2, pytest.approx(seen(theirs, before), rel=1e-14))


# ---- what is refused -----------------------------------------------------------------------------
two = lambda: optimizer_of(nn)
# What PyTorch refuses, too.
REFUSED = [
    ("ConstantLR", {"factor": 1.1}, "factor from 0 to 1, got 1.1"), ("ConstantLR", {"factor": -0.1}, "factor"),
    ("LinearLR", {"start_factor": 0}, "start_factor > 0 and <= 1, got 0"), ("LinearLR", {"start_factor": 2}, "start_f"),
    ("LinearLR", {"end_factor": 1.5}, "end_factor from 0 to 1"), ("LinearLR", {"end_factor": -1}, "end_factor"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0 >= 1"), ("CosineAnnealingWarmRestarts", {"T_0": 2.5}, "T_0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 0}, "T_mult >= 1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 1.5}, "T_mult"),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "eta_min": "a"}, "eta_min"),
    ("OneCycleLR", {"max_lr": 1}, "total_steps, or epochs and steps_per_epoch"),
    ("OneCycleLR", {"max_lr": 1, "epochs": 3}, "total_steps, or"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 0}, "total_steps >= 1"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 2.5}, "total_steps"),
    ("OneCycleLR", {"max_lr": 1, "epochs": 0, "steps_per_epoch": 2}, "epochs >= 1"),
    ("OneCycleLR", {"max_lr": 1, "epochs": 2, "steps_per_epoch": -1}, "steps_per_epoch >= 1"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "pct_start": 1.5}, "pct_start from 0 to 1"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "pct_start": -0.1}, "pct_start"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "anneal_strategy": "cosine"}, "anneal_strategy 'cos' or 'linear'"),
    ("OneCycleLR", {"max_lr": [1], "total_steps": 9}, "max_lr >= 0, or a list of 2 such"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "max_momentum": [0.9]}, "max_momentum from 0 to 1, or a list of 2"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "mode": "square"}, "mode, 'triangular' or"),
    ("CyclicLR", {"base_lr": [0.1, 0.2, 0.3], "max_lr": 1}, "base_lr >= 0, or a list of 2"),
    ("LambdaLR", {"lr_lambda": [abs]}, "a function for each group, 2, got 1"),
    ("MultiplicativeLR", {"lr_lambda": [abs]}, "a function for each group"),
    ("MultiplicativeLR", {"lr_lambda": 0.5}, "a function of the epoch, got float"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "factor >= 0 and < 1"), ("ReduceLROnPlateau", {"mode": "low"}, "mode 'min'"),
    ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold_mode 'rel'"),
    ("ReduceLROnPlateau", {"min_lr": [0.1]}, "min_lr >= 0, or a list of 2"),
    ("SequentialLR", {"schedulers": [], "milestones": []}, "at least one"),
    ("SequentialLR", {"schedulers": [1], "milestones": []}, "number 0 is no schedule, got int"),
]
# What PyTorch takes, and what then makes no sense or fails later.
OURS = [
    ("StepLR", {"step_size": -3}, "step_size >= 1"), ("MultiStepLR", {"milestones": [1.5]}, "milestones"),
    ("MultiStepLR", {"milestones": 3}, "milestones"), ("MultiStepLR", {"milestones": ["a"]}, "milestones"),
    ("MultiStepLR", {"milestones": [1], "gamma": -1}, "gamma >= 0"), ("ExponentialLR", {"gamma": -0.1}, "gamma >= 0"),
    ("ExponentialLR", {"gamma": float("nan")}, "gamma"), ("PolynomialLR", {"total_iters": 0}, "total_iters >= 1"),
    ("PolynomialLR", {"power": -1}, "power >= 0"), ("ConstantLR", {"total_iters": -1}, "total_iters >= 0"),
    ("LinearLR", {"total_iters": -1}, "total_iters"), ("LambdaLR", {"lr_lambda": 3}, "a function of the epoch"),
    ("LambdaLR", {"lr_lambda": lambda epoch: None}, r"lr_lambda\(0\) to be a number, got NoneType"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "step_size_up": 0}, "step_size_up > 0"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "step_size_down": -1}, "step_size_down > 0"),
    ("CyclicLR", {"base_lr": -0.1, "max_lr": 1}, "base_lr >= 0"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "scale_fn": 3}, "scale_fn, a function"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "scale_fn": abs, "scale_mode": "x"}, "scale_mode 'cycle' or"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "div_factor": 0}, "div_factor > 0"),
    ("ReduceLROnPlateau", {"factor": -0.1}, "factor"), ("ReduceLROnPlateau", {"patience": -1}, "patience >= 0"),
    ("ReduceLROnPlateau", {"cooldown": 1.5}, "cooldown"), ("ReduceLROnPlateau", {"metric": 3}, "metric"),
    ("WarmupLR", {"warmup": 0}, "warmup >= 1"), ("WarmupLR", {"warmup": 3, "after": 2}, "after, a schedule, got int"),
    *[(name, {**settings, "interval": "batch"}, 'interval "epoch" or "step"') for name, settings in (
        ("LinearLR", {}), ("OneCycleLR", {"max_lr": 1, "total_steps": 2}), ("WarmupLR", {"warmup": 2}))],
    *[(name, {**settings, "last_epoch": 3}, "group 0 has no initial_lr") for name, settings in (
        ("LinearLR", {}), ("OneCycleLR", {"max_lr": 1, "total_steps": 9}), ("CyclicLR", {"base_lr": 0.1, "max_lr": 1}),
        ("CosineAnnealingWarmRestarts", {"T_0": 3}), ("LambdaLR", {"lr_lambda": abs}))],
    *[(name, {**settings, "last_epoch": -2}, "last_epoch, an integer from -1 up") for name, settings in (
        ("LinearLR", {}), ("OneCycleLR", {"max_lr": 1, "total_steps": 9}),
        ("CosineAnnealingWarmRestarts", {"T_0": 3}))],
]


EACH = REFUSED + OURS


@pytest.mark.parametrize("name, settings, words", EACH, ids=[f"{name}, {words}" for name, _, words in EACH])
def test_settings_that_make_no_sense_change_nothing(name, settings, words):
    optimizer = two()
    before = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(nn.FastnnError, match=words) as caught:
        getattr(S, name)(optimizer, **settings)
    assert name in str(caught.value)
    if "to be a number" not in words:
        assert optimizer.param_groups == before


@pytest.mark.parametrize("name, settings, words", REFUSED, ids=[f"{n}, {words}" for n, _, words in REFUSED])
def test_pytorch_refuses_them_too(torch, name, settings, words):
    with pytest.raises((ValueError, TypeError)):
        getattr(torch.optim.lr_scheduler, name)(optimizer_of(torch), **settings)


def test_cycles_need_a_momentum(torch):
    for name, settings in (("OneCycleLR", {"max_lr": 1, "total_steps": 9}),
                           ("CyclicLR", {"base_lr": 0.1, "max_lr": 1})):
        for lib in (nn, torch):
            optimizer = optimizer_of(lib, "Adagrad")
            with pytest.raises(ValueError, match="momentum"):
                getattr(lib.optim.lr_scheduler, name)(optimizer, **settings)
            getattr(lib.optim.lr_scheduler, name)(optimizer, **settings, cycle_momentum=False).step()


def test_schedules_that_cannot_be_joined():
    o, other = two(), two()
    of_other = S.StepLR(other, 3)
    steps, plateau = S.StepLR(o, 3), S.ReduceLROnPlateau(o)
    by_step = S.StepLR(o, 3, interval="step")
    for call, words in (
            (lambda: S.SequentialLR(o, [steps, of_other], [2]), "another optimizer.*number 1"),
            (lambda: S.SequentialLR(other, [steps], []), "another optimizer"),
            (lambda: S.SequentialLR(o, [steps, plateau], [2]), "number 1 is a ReduceLROnPlateau"),
            (lambda: S.SequentialLR(o, [steps, steps], []), r"milestones, 1 whole numbers.*got \[\]"),
            (lambda: S.SequentialLR(o, [steps]*3, [5, 2]), "that do not fall"),
            (lambda: S.ChainedScheduler([]), "at least one"), (lambda: S.ChainedScheduler([steps, 2]), "number 1"),
            (lambda: S.ChainedScheduler([steps, plateau]), "ReduceLROnPlateau"),
            (lambda: S.ChainedScheduler([steps], other), "another optimizer"),
            (lambda: S.WarmupLR(other, 3, steps), "another optimizer"), (lambda: S.WarmupLR(o, 3, plateau), "Plateau")):
        before = [dict(group) for group in (*o.param_groups, *other.param_groups)]
        with pytest.raises(nn.FastnnError, match=words):
            call()
        assert [*o.param_groups, *other.param_groups] == before
    assert S.ChainedScheduler([steps, by_step]).interval == "step" and S.WarmupLR(o, 3).interval == "step"
    assert S.WarmupLR(o, 3, steps).interval == "epoch" and S.ChainedScheduler([by_step], interval="epoch").interval


def test_steps_that_make_no_sense_change_nothing():
    plateau = S.ReduceLROnPlateau(two())
    for value in ("0.1", None, [1.0, 2.0], object()):
        with pytest.raises(nn.DTypeError, match=r"ReduceLROnPlateau\.step: expected metrics"):
            plateau.step(value)
    for epoch in (-1, 1.5, True, "2", float("nan")):
        for schedule in (S.StepLR(two(), 2), S.CosineAnnealingWarmRestarts(two(), 2)):
            if epoch == 1.5 and not isinstance(schedule, S.StepLR):
                continue
            with pytest.raises(nn.FastnnError, match="epoch"):
                schedule.step(epoch)
            assert schedule.last_epoch == 0 and schedule.get_last_lr() == [0.8, 0.05]
    o = two()
    cycle = S.OneCycleLR(o, 1.0, total_steps=3)
    for _ in range(3):
        cycle.step()
    end = copy.deepcopy((o.state_dict(), cycle.state_dict()))
    assert o.param_groups[0]["lr"] == o.param_groups[0]["min_lr"]       # PyTorch's goes beyond it
    with pytest.raises(nn.RangeError, match=r"OneCycleLR\.step: all steps are done, expected at most 3, got 4"):
        cycle.step()
    assert (o.state_dict(), cycle.state_dict()) == end
    del o.param_groups[1]["max_lr"]
    with pytest.raises(nn.RangeError, match="a group has lost max_lr"):
        cycle.step(1)
    constant = S.ConstantLR(two(), 0.0, 2)
    constant.step()
    with pytest.raises(nn.RangeError, match="multiplied by 0"):
        constant.step()
    assert constant.last_epoch == 1

    def fails(epoch):
        if epoch > 1:
            raise ValueError("of the function")
        return 0.5
    for kind in (S.LambdaLR, S.MultiplicativeLR):
        schedule = kind(two(), fails)
        schedule.step()
        before = schedule.state_dict()
        with pytest.raises(ValueError, match="of the function"):
            schedule.step()
        assert schedule.state_dict() == before


def test_a_schedule_of_the_users_own(torch):
    class Sawtooth:
        def get_lr(self):
            return [base * (1 + self.last_epoch % self.teeth) for base in self.base_lrs]

    def made(lib, optimizer):
        class Own(Sawtooth, lib.optim.lr_scheduler.LRScheduler):
            def __init__(self, optimizer, teeth, last_epoch=-1):
                self.teeth = teeth
                super().__init__(optimizer, last_epoch)
        return Own(optimizer, 4)
    lockstep(torch, made, between=partial(loaded_half_way, made))
    own = made(nn, two())
    assert own.state_dict()["teeth"] == 4
    own.get_lr = lambda: [1.0]
    with pytest.raises(nn.RangeError, match="get_lr: expected a list of 2"):
        own.step()
    with pytest.raises(TypeError, match=r"define get_lr\(\)"):
        S.LRScheduler(two())


# ---- saved states --------------------------------------------------------------------------------
NONSENSE = ["nonsense", None, True, float("nan"), float("inf"), -1, [], [None], {}, {"a": 1}, np.zeros(2), object()]
# (key, value) that makes sense
SENSE = {("best", "inf"), ("best", "-1"), ("default_min_lr", "None"), ("_scale_fn_custom", "None"),
         ("_scale_fn_custom", "{}"), ("lr_lambdas", "[None]"), ("milestones", "{}"),
         ("three_phase", "True")}


@pytest.mark.parametrize("name", [*ALL, "plateau", "sequential", "chained"])
def test_a_saved_state_that_does_not_fit_changes_nothing(name):
    o = two()
    if name == "plateau":
        schedule = S.ReduceLROnPlateau(o)
    elif name in ALL:
        schedule = make(nn, o, ALL[name])
    else:
        both = [S.LinearLR(o), S.ExponentialLR(o, 0.9)]
        schedule = S.SequentialLR(o, both, [3]) if name == "sequential" else S.ChainedScheduler(both)
    for _ in range(2):
        schedule.step(*([0.5] if name == "plateau" else []))
    good = copy.deepcopy(schedule.state_dict())
    tried = 0
    for key, value in itertools.product(good, NONSENSE):
        # where the schedule has a function of its own, the mode says nothing
        of_own = (key, repr(value)) == ("mode", "'nonsense'") and "own" in name
        if (key, repr(value)) in SENSE or value is good[key] or of_own:
            continue
        with pytest.raises(nn.RangeError, match="load_state_dict") as caught:
            schedule.load_state_dict({**good, key: value})
            raise AssertionError(f"{key}={value!r} was taken")
        assert key in str(caught.value) or "keys" in str(caught.value)
        assert schedule.state_dict() == good
        tried += 1
    for key in good:
        if key in type(schedule).optional:
            continue
        with pytest.raises(nn.RangeError, match="the keys"):
            schedule.load_state_dict({k: v for k, v in good.items() if k != key})
    for state in ("nonsense", None, 3, [], {}):
        with pytest.raises(nn.RangeError, match="the keys"):
            schedule.load_state_dict(state)
    assert tried > 15
    schedule.load_state_dict(good)
    assert schedule.state_dict() == good


def test_a_schedule_keeps_no_list_of_the_callers():
    schedule = nn.optim.StepLR(nn.optim.SGD([nn.Parameter([1.0])], lr=0.4), 3)
    state = schedule.state_dict()
    state |= {"last_epoch": 2}
    schedule.load_state_dict(state)
    state["base_lrs"][0] = 7.0
    schedule.state_dict()["base_lrs"][0] = 8.0
    schedule.get_last_lr()[0] = 9.0
    schedule.step()
    assert schedule.base_lrs == [0.4] and schedule.get_last_lr() == [pytest.approx(0.04)]


@pytest.mark.parametrize("base", [0.0, 5e-324, 1e-320, 0.05, 0.1, 3.0])
def test_a_cosine_ends_at_its_minimum_wherever_it_begins(base):
    optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=base)
    schedule = nn.optim.CosineAnnealingLR(optimizer, 10, eta_min=0.1)
    rates = []
    for _ in range(200):
        schedule.step()
        optimizer.step()                            # which takes no learning rate below 0
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[9] == 0.1 and rates[19] == pytest.approx(base, rel=1e-14, abs=1e-15)
    assert rates[4] == pytest.approx((base + 0.1) / 2)
    assert all(0 <= lr and min(base, 0.1) - 1e-12 <= lr <= max(base, 0.1) + 1e-12 for lr in rates)


def test_the_learning_rate_may_be_a_tensor():
    optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=nn.tensor(0.5))
    schedule = nn.optim.ExponentialLR(optimizer, 0.5)
    schedule.step()
    assert schedule.get_last_lr() == [0.25] and schedule.base_lrs == [0.5]
