"""What an optimiser is beside its rule, as PyTorch's: groups with keys of the user's, names of
parameters, hooks, closures, classes with a step of their own.
"""

import copy
import pickle
from collections import defaultdict

import numpy as np
import pytest
from optim_cases import per_rule

import fastnn as nn
from fastnn.optim.rule import RULES


def layers_of(lib):
    return lib if lib is nn else lib.nn


def model_of(lib):
    layers = layers_of(lib)
    model = layers.Sequential(layers.Linear(2, 3), layers.ReLU(), layers.Linear(3, 1))
    for p in model.parameters():
        p.requires_grad_(False).fill_(0.5).requires_grad_(True)
    return model


def train(lib, model, optimizer):
    optimizer.zero_grad()
    model(lib.ones(4, 2)).sum().backward()
    optimizer.step()


def test_nothing_public_is_missing(torch):
    """Beside PyTorch's own tools."""
    theirs = {name for name in dir(torch.optim.Optimizer) if not name.startswith("_")}
    assert theirs - set(dir(nn.optim.Optimizer)) == {"OptimizerPostHook", "OptimizerPreHook", "profile_hook_step"}


# ---- groups --------------------------------------------------------------------------------------
def parameters(optimizer):
    shape = (2, 2) if optimizer.rule.dimensions is not None else (2,)
    return [nn.Parameter(np.ones(shape, np.float32)) for _ in range(2)]


EXTRAS = {"name": "head", "lr_mult": 0.1, "lr_scale": 1.0, "tag": ["a", 1], "no_decay": True, "layer": None, 3: 4,
          "weight_decay_mult": 2.0, "group_name": "x"}


@per_rule
def test_keys_of_the_users_own_are_kept(optimizer):
    p, q = parameters(optimizer)
    one = optimizer([{"params": [p], **EXTRAS}, {"params": [q]}], lr=0.1)
    p.grad = q.grad = nn.tensor(np.ones(p.shape, np.float32))
    one.step()
    group = one.param_groups[0]
    assert {key: group[key] for key in EXTRAS} == EXTRAS and "name" not in one.param_groups[1]
    state = one.state_dict()
    group["name"] = "tail"
    other = optimizer([{"params": [p], **EXTRAS}, {"params": [q]}], lr=0.2)
    bare = optimizer([{"params": [p]}, {"params": [q], "name": "goes"}], lr=0.2)
    for again in (other, bare):
        again.load_state_dict(state)
        assert {key: again.param_groups[0][key] for key in EXTRAS} == EXTRAS
        assert again.param_groups[0]["tag"] is not state["param_groups"][0]["tag"]
        assert set(again.param_groups[1]) == set(one.param_groups[1])
        again.step()


@per_rule
def test_a_misspelt_setting_is_told(optimizer):
    p, q = parameters(optimizer)
    for name in optimizer.rule.settings:
        if len(name) < 4:
            continue
        for wrong in (name[:-2] + name[-1], name[0] + name[2] + name[1] + name[3:], name + "s", name.upper()):
            if wrong in optimizer.rule.settings:
                continue
            with pytest.raises(nn.RangeError, match=f"unknown settings .'{wrong}'.*Did you mean '"):
                optimizer([{"params": [p], wrong: 0.1}])
            opt = optimizer([q])
            with pytest.raises(nn.RangeError, match=wrong):
                opt.add_param_group({"params": [p], wrong: 0.1})
            state = optimizer([p]).state_dict()
            state["param_groups"][0][wrong] = 0.1
            before = copy.deepcopy(opt.state_dict())
            with pytest.raises(nn.RangeError, match=wrong):
                opt.load_state_dict(state)
            assert opt.state_dict() == before
    for wrong in ("learning_rate", "LR", "Lr"):
        with pytest.raises(nn.RangeError, match="Did you mean 'lr'"):
            optimizer([{"params": [p], wrong: 0.1}])


def groups_course(lib):
    """What PyTorch's groups are after adding, stepping, saving and loading."""
    model = model_of(lib)
    optimizer = lib.optim.SGD([{"params": model[0].named_parameters(), "name": "body"}], lr=0.1)
    seen = [copy.copy(optimizer.param_groups[0]["param_names"])]
    optimizer.add_param_group({"params": list(model[2].named_parameters()), "lr": 0.2, "extra": 5})
    train(lib, model, optimizer)
    state = copy.deepcopy(optimizer.state_dict())
    seen += [group["param_names"] for group in state["param_groups"]]
    others = lib.optim.SGD([{"params": [p for p in model[0].parameters()]},
                            {"params": [p for p in model[2].parameters()]}], lr=1.0)
    others.load_state_dict(state)                   # names are taken, where there are none
    seen += [[group["param_names"], group.get("name"), group.get("extra"), group["lr"]]
             for group in others.param_groups]
    for group in state["param_groups"]:
        del group["param_names"]
    optimizer.load_state_dict(state)                # and stay, where none are saved
    seen += [group["param_names"] for group in optimizer.param_groups]
    with pytest.raises(ValueError):
        optimizer.add_param_group({"params": [layers_of(lib).Parameter(lib.ones(1))]})
    with pytest.raises(ValueError):
        lib.optim.SGD([("w", layers_of(lib).Parameter(lib.ones(1))), layers_of(lib).Parameter(lib.ones(1))], lr=0.1)
    return seen


def test_names_of_parameters_like_pytorchs(torch):
    assert groups_course(nn) == groups_course(torch)
    assert groups_course(nn)[0] == ["weight", "bias"]


def test_names_that_do_not_fit_change_nothing():
    model = model_of(nn)
    optimizer = nn.optim.Adam(model.named_parameters())
    before = copy.deepcopy(optimizer.state_dict())
    for names in ("abc", ["a"], [1, 2, 3, 4], {}, 3):
        state = copy.deepcopy(before)
        state["param_groups"][0]["param_names"] = names
        with pytest.raises(nn.RangeError, match="param_names, 4 names"):
            optimizer.load_state_dict(state)
        assert optimizer.state_dict() == before
    assert "0.weight" not in repr(optimizer)


def test_a_set_of_parameters_has_no_order(torch):
    for lib in (nn, torch):
        with pytest.raises(TypeError, match="set"):
            lib.optim.SGD([{"params": {layers_of(lib).Parameter(lib.ones(1))}}], lr=0.1)


def test_the_state_is_a_defaultdict(torch):
    for lib in (nn, torch):
        model = model_of(lib)
        optimizer = lib.optim.Adam(model.parameters())
        foreign = layers_of(lib).Parameter(lib.ones(1))
        assert type(optimizer.state) is defaultdict and optimizer.state[foreign] == {} and not optimizer.state[foreign]
        del optimizer.state[foreign]
        assert optimizer.state[next(iter(model.parameters()))] == {}        # before the first step
        train(lib, model, optimizer)
        train(lib, model, optimizer)
        optimizer.load_state_dict(optimizer.state_dict())
        for again in (optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
            assert type(again.state) is defaultdict and len(again.state) == 4 and again.state[foreign] == {}
            assert {int(state["step"]) for state in again.state.values() if state} == {2}


# ---- closures, hooks -----------------------------------------------------------------------------
@per_rule
def test_a_closure_has_gradients_under_no_grad(optimizer):
    p, _ = parameters(optimizer)
    one = optimizer([p], lr=0.1)

    def closure():
        one.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss
    before = p.data.copy()
    with nn.no_grad():
        loss = one.step(closure)
        assert not nn.is_grad_enabled()
    assert loss.requires_grad and (p.data != before).any()


POINTS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")


def hooks_course(lib):
    model = model_of(lib)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.1)
    log, handles = [], []
    for point in POINTS:
        register = getattr(optimizer, f"register_{point}_hook")
        handles.append(register(lambda *args, point=point: log.append((point, [type(a).__name__ for a in args]))))
        if "dict" in point:
            handles.append(register(lambda *args, point=point: log.append(f"{point} first"), prepend=True))

    def closure():
        log.append("closure")
        return 3.5
    seen = []
    train(lib, model, optimizer)
    seen.append(optimizer.step(closure))
    seen.append(optimizer.step(closure=closure))
    handles += [optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: ((args[0], lambda: 7), {}))]
    seen.append(optimizer.step(closure))
    handles += [optimizer.register_state_dict_post_hook(lambda optimizer, state: {**state, "more": 1})]
    handles += [optimizer.register_load_state_dict_pre_hook(lambda optimizer, state: state.pop("more") and None)]
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    seen.append(sorted(state))
    with pytest.raises(Exception, match=r"None or a|None or \("):
        handles.append(optimizer.register_step_pre_hook(lambda *args: 3))
        optimizer.step()
    for handle in handles:
        handle.remove()
    n = len(log)
    train(lib, model, optimizer)
    optimizer.load_state_dict(optimizer.state_dict())
    assert len(log) == n > 15
    optimizer.register_step_post_hook(lambda *args: log.append("again"))
    twin = copy.deepcopy(optimizer)
    twin.step()
    optimizer.step()
    return log, seen


def test_hooks_like_pytorchs(torch):
    assert hooks_course(nn) == hooks_course(torch)


def test_what_is_no_hook_is_refused():
    optimizer = nn.optim.SGD([nn.Parameter([1.0])])
    for point in POINTS:
        with pytest.raises(nn.DTypeError, match="a hook that can be called"):
            getattr(optimizer, f"register_{point}_hook")(3)
    with pytest.raises(nn.DTypeError, match=r"SGD\.step: there are 2 arguments"):
        optimizer.step(None, None)
    with pytest.raises(nn.DTypeError, match=r"SGD\.step: there is no argument 'closur'.*closure="):
        optimizer.step(closur=None)


# ---- a class with a step of its own --------------------------------------------------------------
def own_course(lib):
    """The optimiser that a course writes."""
    class Momentum(lib.optim.Optimizer):
        def __init__(self, params, lr=0.1, mu=0.5):
            super().__init__(params, {"lr": lr, "mu": mu})

        def step(self, closure=None):
            with lib.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        m = state.get("m")
                        state["m"] = p.grad.clone() if m is None else m * group["mu"] + p.grad
                        p.add_(state["m"], alpha=-group["lr"])

    model = model_of(lib)
    optimizer = Momentum([{"params": model[0].parameters(), "mu": 0.9}, {"params": model[2].parameters(), "name": "h"}])
    schedule = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    log = []
    optimizer.register_step_post_hook(lambda *args: log.append(len(args)))
    for i in range(6):
        if i == 3:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = Momentum([{"params": model[0].parameters()}, {"params": model[2].parameters()}], lr=7)
            schedule = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.9, last_epoch=-1)
            optimizer.load_state_dict(state)
        train(lib, model, optimizer)
        schedule.step()
    defaults = {key: value for key, value in optimizer.defaults.items() if key != "differentiable"}
    return ([p.detach().numpy().tolist() for p in model.parameters()], log, defaults,
            [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups],
            [state["m"].tolist() for state in optimizer.state.values()])


def test_a_class_with_a_step_of_its_own(torch):
    for ours, theirs in zip(own_course(nn), own_course(torch)):
        if isinstance(ours, list) and ours and not isinstance(ours[0], dict):
            for a, b in zip(ours, theirs):
                np.testing.assert_allclose(a, b, rtol=1e-6)
        else:
            assert ours == theirs


def test_the_base_alone():
    p = nn.Parameter([1.0])
    base = nn.optim.Optimizer([p], {"lr": 0.1})
    assert base.param_groups[0]["lr"] == 0.1 and type(base) not in RULES
    with pytest.raises(nn.DTypeError, match=r"Optimizer must define step\(\)"):
        base.step()
    for call, words in ((lambda: nn.optim.Optimizer([p]), "the argument is missing: defaults"),
                        (lambda: nn.optim.Optimizer(), "missing: params, defaults"),
                        (lambda: nn.optim.Optimizer([p], 0.1), "defaults, a dict"),
                        (lambda: nn.optim.Optimizer([p], {}, 3), "3 arguments"),
                        (lambda: nn.optim.Optimizer(3, {}), "an iterable of parameters, got int")):
        with pytest.raises(nn.DTypeError, match=words):
            call()
