"""What shares memory with its input: only what does in PyTorch, so that a write in place changes as
much here as there.
"""

import dataclasses
import itertools
import sys
import warnings
from pathlib import Path

import numpy as np

import fastnn as nn

sys.path.insert(0, str(Path(__file__).parents[2]/"tools"))
import fuzz_calls
from fuzz_calls import Array, changed, leaves

SHAPES = [(4,), (3, 3), (1, 2, 2), (1, 4, 1, 1)]


def variations(call):
    """The arguments of a docstring's call; then with 0 or 1 in a number's place, and with the first
    array of another shape: factors of 1 and single rows may leave nothing to do but to copy.
    """
    both = [call.args, call.kwargs]
    yield both
    kinds = [type(leaf) for leaf in leaves(both)]
    plans = [(place, value) for place, kind in enumerate(kinds) if kind is int for value in (0, 1)]
    plans += [(kinds.index(Array), shape) for shape in SHAPES] if Array in kinds else []
    for place, value in plans:
        number = itertools.count()

        def put(leaf, place=place, value=value, number=number):
            if next(number) != place:
                return leaf
            return dataclasses.replace(leaf, shape=value) if isinstance(leaf, Array) else value
        yield changed(both, put)


def shares(function, arguments, wrap, kind, share):
    """For each result whether it shares memory with an argument; None where the call is refused."""
    made = []

    def make(leaf):
        if not isinstance(leaf, Array):
            return leaf
        a = np.full(leaf.shape, min(max(leaf.low, 0), 1), {"f": np.float32, "b": bool}.get(leaf.kind, np.int64))
        made.append(wrap(a))
        return made[-1]
    args, kwargs = changed(arguments, make)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = function(*args, **kwargs)
    except Exception:           # an odd argument, or one that PyTorch lacks: nothing to compare
        return None
    results = results if isinstance(results, (tuple, list)) else [results]
    return [any(share(y, x) for x in made) for y in results if isinstance(y, kind)]


def test_only_what_is_a_view_in_torch_shares_memory(torch):
    views, wrong = set(), {}
    done = set()
    for call in fuzz_calls.watched():
        if call.how != "function" or call.name.endswith("_"):
            continue
        ours = getattr(nn.functional, call.name)
        theirs = [getattr(place, call.name) for place in (torch, torch.nn.functional, torch.Tensor)
                  if hasattr(place, call.name)]
        for arguments in variations(call) if theirs else []:
            key = call.name, repr(arguments)
            if key in done:
                continue
            done.add(key)
            got = shares(ours, arguments, nn.tensor, nn.Tensor, lambda y, x: np.may_share_memory(y.data, x.data))
            if not got or not any(got):
                continue
            given = [arguments[0], {k: v for k, v in arguments[1].items() if v is not None}]
            for f in theirs:
                want = shares(f, given, torch.tensor, torch.Tensor, lambda y, x: y.numel() and (
                    y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()))
                if want and len(want) == len(got):
                    views.add(call.name)
                    if any(a and not b for a, b in zip(got, want)):
                        wrong.setdefault(call.name, arguments)
                    break
    assert not wrong, f"views of their input, where PyTorch copies: {wrong}"
    assert views >= {"reshape", "transpose", "expand", "diagonal", "select", "split", "squeeze"}, sorted(views)


def test_a_write_into_a_copy_leaves_the_input_alone():
    for f in (lambda x: nn.flip(x, (0,)), nn.fliplr, nn.flipud, nn.rot90, lambda x: nn.rot90(x, 2),
              lambda x: nn.rot90(x, 3), lambda x: nn.rot90(x, 4), nn.diag, lambda x: nn.diff(x, n=0),
              lambda x: nn.functional.pixel_shuffle(x[None], 1), lambda x: nn.functional.pixel_unshuffle(x[None], 1),
              lambda x: nn.functional.pixel_shuffle(x.reshape(4, 1, 1), 2),
              lambda x: nn.functional.channel_shuffle(x[None], 1)):
        x = nn.tensor([[1.0, 2.0], [3.0, 4.0]])
        f(x).zero_()
        assert x.tolist() == [[1, 2], [3, 4]]
