"""Tensors without dimensions: where PyTorch takes dim 0 or -1 of them, so do we, and give the same;
where it refuses, an error of ours says that there is no such dimension.
"""

import inspect
import itertools

import numpy as np
import pytest
from second_opinion import close, flat

import fastnn as nn

F = nn.functional

# Calls of x, a tensor without dimensions, with d for dim; i is a position, also without dimensions.
WITH_DIM = {
    **{name: lambda n, x, d, i, name=name: getattr(n, name)(x, d) for name in (
        "all", "amax", "amin", "any", "argmax", "argmin", "argsort", "count_nonzero", "cummax", "cummin", "cumprod",
        "cumsum", "logcumsumexp", "logsumexp", "max", "mean", "median", "min", "mode", "nanmean", "nanmedian", "nansum",
        "prod", "sort", "squeeze", "std_mean", "sum", "unbind", "unsqueeze", "var_mean")},
    **{name: lambda n, x, d, i, name=name: getattr(n.nn.functional if hasattr(n, "nn") else n, name)(x, d)
       for name in ("glu", "log_softmax", "softmax", "softmin")},
    **{f"{name} of dims": lambda n, x, d, i, name=name: getattr(n, name)(x, (d,)) for name in (
        "all", "amax", "amin", "any", "flip", "mean", "permute", "squeeze", "sum")},
    "aminmax": lambda n, x, d, i: n.aminmax(x, dim=d), "cat": lambda n, x, d, i: n.cat([x, x], d),
    "chunk": lambda n, x, d, i: n.chunk(x, 1, d), "cross": lambda n, x, d, i: n.cross(x, x, d),
    "diff": lambda n, x, d, i: n.diff(x, dim=d), "flatten": lambda n, x, d, i: n.flatten(x, d),
    "flatten to": lambda n, x, d, i: n.flatten(x, 0, d), "gather": lambda n, x, d, i: n.gather(x, d, i),
    "index_add": lambda n, x, d, i: n.index_add(x, d, i, x), "index_copy": lambda n, x, d, i: n.index_copy(x, d, i, x),
    "index_fill": lambda n, x, d, i: n.index_fill(x, d, i, 2.0),
    "index_fill_": lambda n, x, d, i: x.clone().index_fill_(d, i, 2.0),
    "index_reduce": lambda n, x, d, i: n.index_reduce(x, d, i, x, "prod"),
    "index_select": lambda n, x, d, i: n.index_select(x, d, i), "kthvalue": lambda n, x, d, i: n.kthvalue(x, 1, d),
    "movedim": lambda n, x, d, i: n.movedim(x, d, 0), "movedim to": lambda n, x, d, i: n.movedim(x, 0, d),
    "narrow": lambda n, x, d, i: n.narrow(x, d, 0, 1), "norm": lambda n, x, d, i: n.norm(x, 2, d),
    "nanquantile": lambda n, x, d, i: n.nanquantile(x, 0.5, d),
    "normalize": lambda n, x, d, i: getattr(n, "nn", n).functional.normalize(x, dim=d),
    "quantile": lambda n, x, d, i: n.quantile(x, 0.5, d), "renorm": lambda n, x, d, i: n.renorm(x, 2, d, 1.0),
    "repeat_interleave": lambda n, x, d, i: n.repeat_interleave(x, 2, d), "roll": lambda n, x, d, i: n.roll(x, 1, d),
    "scatter": lambda n, x, d, i: n.scatter(x, d, i, x), "scatter_add": lambda n, x, d, i: n.scatter_add(x, d, i, x),
    "scatter_reduce": lambda n, x, d, i: n.scatter_reduce(x, d, i, x, "sum"),
    "select": lambda n, x, d, i: n.select(x, d, 0), "select_scatter": lambda n, x, d, i: n.select_scatter(x, x, d, 0),
    "size": lambda n, x, d, i: x.size(d), "slice_scatter": lambda n, x, d, i: n.slice_scatter(x, x, d, 0, 1),
    "split": lambda n, x, d, i: n.split(x, 1, d), "stack": lambda n, x, d, i: n.stack([x, x], d),
    "std": lambda n, x, d, i: n.std(x, d, unbiased=False), "var": lambda n, x, d, i: n.var(x, d, unbiased=False),
    "tensor_split": lambda n, x, d, i: n.tensor_split(x, 1, d), "topk": lambda n, x, d, i: n.topk(x, 1, d),
    "transpose": lambda n, x, d, i: n.transpose(x, d, 0), "transpose to": lambda n, x, d, i: n.transpose(x, 0, d),
    "unflatten": lambda n, x, d, i: n.unflatten(x, d, (1,)), "unique": lambda n, x, d, i: n.unique(x, dim=d),
    "cosine_similarity": lambda n, x, d, i: getattr(n, "nn", n).functional.cosine_similarity(x, x, dim=d),
    "gumbel_softmax": lambda n, x, d, i: getattr(n, "nn", n).functional.gumbel_softmax(x, dim=d),
    "LogSoftmax": lambda n, x, d, i: getattr(n, "nn", n).LogSoftmax(d)(x),
    "Flatten": lambda n, x, d, i: getattr(n, "nn", n).Flatten(d)(x),
}
# Aliases; which need more dimensions, or have dims that are sizes; and which take one of these here
# and not there.
OTHERS = {"concat", "concatenate", "rot90", "split_with_sizes", "tensordot", "tile", "take_along_dim",
          "unique_consecutive", "cumulative_trapezoid", "gradient", "trapezoid", "trapz"}


def test_every_function_with_a_dim_is_here():
    for name in dir(F):
        function = getattr(F, name, None)
        if not callable(function) or name.startswith("_"):
            continue
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            continue
        if {"dim", "dims", "dim0", "start_dim"} & {*parameters} and "dim1" not in parameters:
            assert name in OTHERS or any(key.split()[0] == name for key in WITH_DIM), name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WITH_DIM)
def test_dim_of_a_tensor_without_dimensions_like_torch(torch, name):
    for dim, requires_grad in itertools.product((0, -1, 1, -2), (False, True)):
        results, grads = [], []
        for library in (torch, nn):
            x = library.tensor(np.array(0.5), requires_grad=requires_grad)
            try:
                y = WITH_DIM[name](library, x, dim, library.tensor(np.array(0)))
            except Exception as error:
                y = error
            results.append(y)
            on_tape = [t for t in flat(y) if getattr(t, "requires_grad", False)]
            if on_tape:
                sum(t.sum() for t in on_tape).backward()
            grads.append(x.grad)
        want, got = results
        assert isinstance(want, Exception) == isinstance(got, Exception), f"{name} of dim {dim}: {got!r}, {want!r}"
        if isinstance(got, Exception):
            assert isinstance(got, nn.errors.FastnnError), repr(got)
            continue
        assert len(flat(got)) == len(flat(want))
        for a, b in zip(flat(got), flat(want)):
            close(a, b, f"{name} of dim {dim}")
        assert (grads[0] is None) == (grads[1] is None)
        if grads[0] is not None:
            close(grads[1], grads[0], f"{name} of dim {dim}: gradient")


def test_a_scalar_cannot_be_cut_into_slices():
    x, i = nn.tensor(1.0), nn.tensor(0)
    for name in ("split", "chunk", "narrow", "select", "roll", "unflatten", "repeat_interleave", "select_scatter",
                 "slice_scatter", "unique"):
        for dim in (0, -1):
            with pytest.raises(nn.RangeError, match=rf"^{name}: dimension {dim} does not exist, expected a tensor"):
                WITH_DIM[name](nn, x, dim, i)


def test_one_shift_without_a_dimension_like_torch(torch):
    a = np.arange(6.0).reshape(2, 3)
    for shift in ((1,), [2], (-1,), 4):
        close(nn.roll(nn.tensor(a), shift), torch.roll(torch.tensor(a), shift))
    close(nn.roll(nn.tensor(2.0), (3,)), torch.roll(torch.tensor(2.0), (3,)))
    for shift in ((1, 2), ()):
        with pytest.raises(nn.errors.FastnnError):
            nn.roll(nn.tensor(a), shift)
