"""What the tests of optimisers share: all rules and their samples as cases, and an optimiser half
way.
"""

import numpy as np
import pytest

import fastnn as nn
from fastnn.optim.rule import RULES

DTYPES = [np.float32, np.float64]
CASES = [(optimizer, sample) for optimizer, rule in RULES.items() for sample in rule.samples]
per_case = pytest.mark.parametrize("optimizer, sample", CASES, ids=[f"{c.__name__}, {s}" for c, s in CASES])
per_rule = pytest.mark.parametrize("optimizer", RULES, ids=lambda c: c.__name__)
VECTORS = [optimizer for optimizer, rule in RULES.items() if rule.dimensions is None]
per_rule_of_vectors = pytest.mark.parametrize("optimizer", VECTORS, ids=lambda c: c.__name__)
per_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)

# The compiled glance at a step, and the way that looks at everything
paths = pytest.mark.parametrize("path", ["compiled", "in Python"])

NONSENSE = ["nonsense", None, True, float("nan"), float("inf"), -1, 1.5, 2**70, 10**400, [], [None], {}, {"a": 1},
            (1, 2), np.zeros((2, 7)), np.array("x"), np.array([None]), np.float32(1), np.zeros(3, ">f8"),
            nn.Tensor(np.ones(2)), object(), b"x", 1j, nn.Linear, range(3)]


def forced(array, t=None):
    """A tensor over what no tensor is over, float16 or NumPy's scalar: only by force."""
    t = nn.zeros(1) if t is None else t
    t._data = array
    return t


def three_groups(optimizer, dtype=np.float32):
    """Three groups after two steps, the gradients of the next step in place."""
    shapes = [(4, 3), (5,), (2, 2), (6,)] if optimizer.rule.dimensions is None else [(4, 3), (5, 1), (2, 2), (2, 3)]
    params = [nn.Parameter(np.full(shape, 0.5, dtype)) for shape in shapes]
    settings = next(iter(reversed(optimizer.rule.samples.values())))
    opt = optimizer([{"params": params[:2]}, {"params": params[2:3]}, {"params": params[3:]}], **settings)
    for _ in range(2):
        for p in params:
            p.grad = nn.Tensor(np.full(p.shape, 0.25, dtype))
        opt.step()
    return opt, params


def arrays_of_the_last(opt, params):
    """The names of the arrays that a rule keeps for the last parameter."""
    return [name for name, value in opt.state[params[-1]].items() if isinstance(value, np.ndarray)]


def everything(opt, params):
    """All that a step may change."""
    return ([(p.data.tobytes(), p.dtype, p._version[0]) for p in params],
            {i: {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in s.items()}
             for i, s in opt.state_dict()["state"].items()},
            opt.state_dict()["param_groups"])


def everything_but_groups(opt, params):
    """The same, where what is in the groups makes no sense."""
    return ([(p.data.tobytes(), p.dtype, p._version[0]) for p in params],
            {id(p): repr(state) for p, state in opt.state.items()})


def take(path, monkeypatch):
    """Go this one of `paths`."""
    if path == "in Python":
        monkeypatch.setattr(nn.optim.optimizer, "gathered", None)
        monkeypatch.setattr(nn.optim.optimizer, "gathered_states", None)
