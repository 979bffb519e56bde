"""The state of an optimiser: it continues bit for bit, PyTorch's is taken, and one that does not
fit changes nothing.
"""

import copy
import pickle

import numpy as np
import pytest
from optim_cases import NONSENSE, everything, per_case, per_rule, three_groups
from sabotage import every_place, replaced

import fastnn as nn
from fastnn.testing import trajectory


@per_case
def test_state_continues_bit_for_bit(optimizer, sample):
    settings = optimizer.rule.samples[sample]
    _, whole = trajectory.class_course(optimizer, settings, np.float32, 10)
    opt, half = trajectory.class_course(optimizer, settings, np.float32, 5)
    params = [nn.Parameter(p.data.copy()) for p in half]
    again = optimizer(trajectory.groups(params, {}, 0.777))
    again.load_state_dict(opt.state_dict())
    for step in range(5, 10):
        for p, g in zip(params, trajectory.gradients(step, np.float32, optimizer)):
            p.grad = None if g is None else nn.tensor(g)
        again.step()
    assert all(p.data.tobytes() == b.data.tobytes() for p, b in zip(params, whole))


@per_case
def test_copies_keep_their_state(optimizer, sample):
    settings = optimizer.rule.samples[sample]
    model = nn.Linear(3, 2, bias=optimizer.rule.dimensions is None)
    opt = optimizer(model.parameters(), **settings)
    for copied in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        model(nn.ones(4, 3)).sum().backward()
        opt.step()
        opt.zero_grad()
        twin, twins_opt = copied((model, opt))
        for m, o in ((model, opt), (twin, twins_opt)):
            m(nn.ones(4, 3)).sum().backward()
            o.step()
            o.zero_grad()
        assert twin.weight.data.tobytes() == model.weight.data.tobytes()
        assert twin.weight is not model.weight and set(twins_opt.state) <= set(twin.parameters())


@per_case
def test_a_state_of_pytorch_is_taken(torch, optimizer, sample):
    if not hasattr(torch.optim, optimizer.__name__):
        assert optimizer is nn.optim.Lion
        return
    settings = optimizer.rule.samples[sample]
    start = np.random.default_rng(0).standard_normal((3, 2))
    theirs, ours = torch.nn.Parameter(torch.tensor(start)), nn.Parameter(start.copy())
    topt = getattr(torch.optim, optimizer.__name__)([theirs], **settings)
    opt = optimizer([ours], lr=0.777)
    theirs.grad = torch.tensor(start) ** 2
    topt.step()
    ours.data[...] = theirs.detach().numpy()
    opt.load_state_dict(topt.state_dict())
    ours.grad = nn.tensor(start ** 3)
    theirs.grad = torch.tensor(start) ** 3
    topt.step()
    opt.step()
    # PyTorch's Muon rounds to bfloat16, and the numbers in its states to float32
    close = {nn.optim.Muon: 3e-3, nn.optim.NAdam: 1e-7, nn.optim.ASGD: 1e-7}.get(optimizer, 1e-13)
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=close, atol=close if close > 1e-3 else 0)


def test_what_pytorch_saved_for_another_rule_is_refused(torch):
    p, q = nn.Parameter(np.ones(2)), torch.nn.Parameter(torch.ones(2))
    with pytest.raises(nn.RangeError, match="amsgrad"):
        nn.optim.NAdam([p]).load_state_dict(torch.optim.Adam([q], amsgrad=True).state_dict())
    with pytest.raises(nn.RangeError, match="decoupled_weight_decay"):
        nn.optim.AdamW([p]).load_state_dict(torch.optim.Adam([q]).state_dict())
    nn.optim.AdamW([p]).load_state_dict(torch.optim.AdamW([q]).state_dict())
    adam = nn.optim.Adam([p])
    adam.load_state_dict(torch.optim.AdamW([q]).state_dict())
    assert adam.param_groups[0]["decoupled_weight_decay"]


def test_after_double_the_state_is_refused_and_can_be_converted():
    model = nn.Linear(64, 64)
    opt = nn.optim.Adam(model.parameters(), lr=1e-3)
    model(nn.ones(2, 64)).sum().backward()
    opt.step()
    opt.zero_grad()
    model.double()
    before = model.weight.data.copy()
    model(nn.ones(2, 64, dtype=np.float64)).sum().backward()
    with pytest.raises(nn.DTypeError, match=r"exp_avg.*float64.*float32.*load_state_dict"):
        opt.step()
    assert (model.weight.data == before).all()
    opt.load_state_dict(opt.state_dict())
    opt.step()
    assert 0 < np.abs(model.weight.data - before).max() < 1.1e-3


def saved(**changes):
    """A state of Adam's for one parameter of shape (3,), with one thing changed."""
    state = {"step": 2, "exp_avg": np.ones(3), "exp_avg_sq": np.ones(3)}
    group = {"lr": 0.5, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False,
             "decoupled_weight_decay": False, "params": [0]}
    for key, value in changes.items():
        (group if key in group else state)[key] = value
    return {"state": {0: state}, "param_groups": [group]}


BAD_STATES = [
    ("nonsense", "nonsense", nn.RangeError, "not the state of an optimiser"),
    ("empty", {}, nn.RangeError, "not the state of an optimiser"),
    ("no dicts", {"state": [1], "param_groups": [{"params": [0]}]}, nn.RangeError, "not the state of an optimiser"),
    ("groups", {"state": {}, "param_groups": ["x"]}, nn.RangeError, "not the state of an optimiser"),
    ("a number of nobody", saved(params=[1]), nn.RangeError, "whose"),
    ("no number", saved(params=["x"]), nn.RangeError, "not the state of an optimiser"),
    ("more parameters", saved(params=[0, 1]), nn.ShapeError, r"groups of \[1\], got groups of \[2\]"),
    ("shape", saved(exp_avg=np.ones(4)), nn.ShapeError, r"exp_avg of parameter 0"),
    ("text", saved(exp_avg=np.array(["a", "b", "c"])), nn.DTypeError, "exp_avg of parameter 0"),
    ("step", saved(step="two"), nn.DTypeError, "step of parameter 0"),
    ("half a step", saved(step=1.5), nn.RangeError, "step of parameter 0"),
    ("negative step", saved(step=-1), nn.RangeError, "step of parameter 0"),
    ("a negative square", saved(exp_avg_sq=np.array([1.0, -2.0, 0.0])), nn.RangeError,
     r"the saved exp_avg_sq of parameter 0, expected numbers >= 0, got -2.0"),
    ("missing", saved(exp_avg_sq=None), nn.RangeError, "exp_avg_sq"),
    ("unknown", saved(momentum_buffer=np.ones(3)), nn.RangeError, "momentum_buffer"),
    ("setting", saved(lr=-1.0), nn.RangeError, "lr >= 0"),
    ("betas", saved(betas="ab"), nn.RangeError, "betas"),
]


@pytest.mark.parametrize("what, state, error, words", BAD_STATES, ids=[row[0] for row in BAD_STATES])
def test_a_state_that_does_not_fit_changes_nothing(what, state, error, words):
    p = nn.Parameter(np.ones(3))
    opt = nn.optim.Adam([p], lr=0.1)
    p.grad = nn.tensor(np.ones(3))
    opt.step()
    before = everything(opt, [p])
    with pytest.raises(error, match=words):
        opt.load_state_dict(state)
    assert str(everything(opt, [p])) == str(before)
    opt.load_state_dict(saved())
    assert opt.param_groups[0]["lr"] == 0.5 and opt.state[p]["step"] == 2


@per_rule
def test_nonsense_in_a_saved_state_is_refused_when_it_is_loaded(optimizer):
    """Or it makes sense: then the next step takes it."""
    good = three_groups(optimizer)[0].state_dict()
    opt, params = three_groups(optimizer)
    for place in every_place(good):
        if place[:1] == ("state",) and place[1:2] > (1,):
            continue                                # as those of the first two parameters
        for value in NONSENSE:
            before = str(everything(opt, params))
            try:
                opt.load_state_dict(replaced(good, place, value))
            except nn.FastnnError:
                assert str(everything(opt, params)) == before, (place, value)
            else:
                opt.step()
                opt, params = three_groups(optimizer)
