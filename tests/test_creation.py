"""New tensors: shapes, dtypes, values, as PyTorch has them."""

import copy
import pickle

import numpy as np
import pytest

import fastnn as nn
from fastnn import RangeError, ShapeError
from fastnn.op import ACTIVE

CALLS = {
    "zeros": lambda n, f64: n.zeros(2, 3),
    "zeros tuple": lambda n, f64: n.zeros((2, 3), dtype=f64),
    "zeros scalar": lambda n, f64: n.zeros(()),
    "ones": lambda n, f64: n.ones(2, 0),
    "full": lambda n, f64: n.full((2, 3), 1.5),
    "full int": lambda n, f64: n.full((3,), 2),
    "full bool": lambda n, f64: n.full((3,), True),
    "eye": lambda n, f64: n.eye(3),
    "eye wide": lambda n, f64: n.eye(2, 4),
    "zeros_like": lambda n, f64: n.zeros_like(n.ones(2, 3, dtype=f64)),
    "ones_like": lambda n, f64: n.ones_like(n.zeros(2), dtype=f64),
    "full_like": lambda n, f64: n.full_like(n.zeros(2), 3.5),
    "arange": lambda n, f64: n.arange(5),
    "arange from": lambda n, f64: n.arange(2, 9, 3),
    "arange down": lambda n, f64: n.arange(5, 0, -2),
    "arange real": lambda n, f64: n.arange(0, 1, 0.25),
    "arange typed": lambda n, f64: n.arange(3, dtype=f64),
    "linspace": lambda n, f64: n.linspace(-1, 1, 5),
    "logspace": lambda n, f64: n.logspace(0, 2, 3),
    "logspace of 2": lambda n, f64: n.logspace(-2, 6, 5, base=2, dtype=f64),
    "logspace of -2": lambda n, f64: n.logspace(0, 3, 4, base=-2),
    "logspace of 0": lambda n, f64: n.logspace(0, 3, 4, base=0),
    "logspace of one": lambda n, f64: n.logspace(1, 3, 1),
    "logspace cut off": lambda n, f64: n.logspace(0, 10.7, 5, base=2, dtype=n.int64),
    **{f"{name} {args}": lambda n, f64, name=name, args=args: getattr(n, name)(*args)
       for name in ("tril_indices", "triu_indices")
       for args in ((3, 3), (2, 4, 1), (4, 2, -1), (3, 3, 9), (3, 3, -9), (0, 2), (2, 0))},
    "tril_indices typed": lambda n, f64: n.tril_indices(2, 2, dtype=n.int32),
}


@pytest.mark.parametrize("name", CALLS)
def test_constants_equal_torch(torch, name):
    got, want = CALLS[name](nn, np.float64), CALLS[name](torch, torch.float64).numpy()
    assert got.dtype == want.dtype and got.shape == want.shape and not got.requires_grad
    np.testing.assert_array_equal(got.data, want)


def test_random_numbers_follow_the_seed():
    def draw():
        nn.seed(3)
        like = nn.zeros(4)
        drawn = (nn.rand(1000), nn.randn(1000, dtype=np.float64), nn.randint(-2, 5, (1000,)), nn.randint(3, (4, 5)),
                 nn.rand_like(like), nn.randn_like(like, dtype=np.float64))
        return [t.data for t in drawn]
    first = draw()
    assert all(np.array_equal(a, b) for a, b in zip(first, draw()))
    uniform, normal, whole, low, like, normal_like = first
    assert uniform.dtype == np.float32 and 0 <= uniform.min() < 0.05 and 0.95 < uniform.max() < 1
    assert normal.dtype == np.float64 and abs(normal.mean()) < 0.15 and normal.std() == pytest.approx(1, rel=0.1)
    assert whole.dtype == np.int64 and set(whole) == set(range(-2, 5))
    assert low.shape == (4, 5) and set(low.flat) == {0, 1, 2}
    assert like.shape == (4,) and like.dtype == np.float32 and normal_like.dtype == np.float64


def test_requires_grad():
    for t in (nn.zeros(2, requires_grad=True), nn.randn(2, requires_grad=True), nn.arange(3.0, requires_grad=True)):
        assert t.requires_grad and t.is_leaf


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.zeros(-1), ShapeError, "zeros: expected sizes"),
    (lambda: nn.ones(1.5), nn.DTypeError, "ones: expected sizes"),
    (lambda: nn.randn("3"), nn.DTypeError, "randn"),
    (lambda: nn.arange(0, 3, 0), RangeError, "step other than 0"),
    (lambda: nn.arange(3, 0), RangeError, "leads away"),
    (lambda: nn.randint(3, 3, (2,)), RangeError, "low < high"),
    (lambda: nn.randint(3), RangeError, "a size"),
    (lambda: nn.zeros(2, dtype=np.int64, requires_grad=True), nn.DTypeError, "gradient"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


# its dtype equals NumPy's own, and is another object
ODD = np.ones(3, np.dtype(np.float32).newbyteorder("="))
MORE_CALLS = {
    "randn": lambda n, f64: n.randn(3), "rand": lambda n, f64: n.rand(3, dtype=f64),
    "tensor": lambda n, f64: n.tensor([1.5]),
    "randint": lambda n, f64: n.randint(3, (2,)), "randperm": lambda n, f64: n.randperm(3),
    "float()": lambda n, f64: n.tensor([1, 2]).float(), "double()": lambda n, f64: n.randn(3).double().float(),
    "to": lambda n, f64: n.tensor([1, 2]).to(f64), "pickled": lambda n, f64: pickle.loads(pickle.dumps(n.randn(3))),
    "deep copy": lambda n, f64: copy.deepcopy(n.randn(3)), "odd array": lambda n, f64: n.tensor(ODD),
    "from_numpy": lambda n, f64: n.from_numpy(ODD), "Tensor": lambda n, f64: n.Tensor(ODD),
    "other byte order": lambda n, f64: n.tensor(np.ones(3, ">f8")),
    "long long": lambda n, f64: n.tensor(np.ones(3, "q")),
    "weight": lambda n, f64: pickle.loads(pickle.dumps(n.Linear(3, 4))).weight,
    "weight cast": lambda n, f64: n.Linear(3, 4).double().float().weight,
    "result": lambda n, f64: n.functional.relu(n.tensor([1, 2]).float() + n.randn(2)),
}


@pytest.mark.parametrize("name", [*CALLS, *MORE_CALLS])
def test_dtype_is_numpys_own_object(name):
    """Kernels know it by its address; with an equal object small ops took four times as long."""
    t = {**CALLS, **MORE_CALLS}[name](nn, np.float64)
    assert t.dtype is np.dtype(t.dtype.str.lstrip("<>"))
    fits = ACTIVE["relu"].fits
    assert t.dtype.kind != "f" or fits is None or fits(t._data)


def test_an_assigned_array_has_numpys_own_dtype():
    t = nn.zeros(3)
    t.data = ODD
    assert t.dtype is np.dtype(np.float32)
    assert np.shares_memory(t._data, ODD)


def test_a_pickled_optimizer_has_numpys_own_dtypes():
    model = nn.Linear(3, 4)
    optimizer = nn.optim.Adam(model.parameters())
    model(nn.randn(2, 3)).sum().backward()
    optimizer.step()
    _, twin = pickle.loads(pickle.dumps((model, optimizer)))
    arrays = [a for entry in twin.state.values() for a in entry.values() if isinstance(a, np.ndarray)]
    assert arrays and all(a.dtype is np.dtype(np.float32) for a in arrays)


def test_normal_and_bernoulli():
    nn.seed(0)
    x = nn.normal(2.0, 3.0, (20_000,), dtype=nn.float64)
    # the mean of n numbers strays by 3/sqrt(n), their deviation by 3/sqrt(2n)
    assert abs(x.mean().item() - 2) < 5 * 3 / 141 and abs(x.std().item() - 3) < 5 * 3 / 200
    assert nn.normal(nn.zeros(2, 1), nn.ones(3)).shape == (2, 3) and nn.normal(nn.zeros(4)).dtype == np.float32
    assert abs(nn.bernoulli(nn.full((10_000,), 0.25)).mean().item() - 0.25) < 5 * 0.0044
    for wrong in (lambda: nn.normal(0.0, 1.0), lambda: nn.normal(0.0, -1.0, (2,)),
                  lambda: nn.bernoulli(nn.tensor([1.5])), lambda: nn.bernoulli(nn.tensor([float("nan")]))):
        with pytest.raises(RangeError, match=r"^(normal|bernoulli): expected "):
            wrong()


def test_new_tensors_have_the_type_of_the_old_one():
    x = nn.ones(2, dtype=np.float64)
    for y in (x.new_zeros(3), x.new_ones((3,)), x.new_empty(3), x.new_full((3,), 2), x.new_tensor([1, 2, 3])):
        assert y.shape == (3,) and y.dtype == np.float64 and not y.requires_grad
    assert x.new_zeros(3, dtype=nn.int64, device="cpu").dtype == np.int64 and x.new_full((1,), 2).tolist() == [2]
    a = np.zeros(2)
    assert x.new_tensor(a, requires_grad=True).data is not a


@pytest.mark.parametrize("args", [(0, 10, 5), (-3, 7, 6), (5, -2, 4), (1, 1, 3), (2, 9, 1), (0, 1, 0)])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32", "float64"])
def test_linspace_like_torch(torch, args, dtype):
    if dtype == "uint8" and min(args) < 0:
        return
    want = torch.linspace(*args, dtype=getattr(torch, dtype)).numpy()
    got = nn.linspace(*args, dtype=dtype).data
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=2e-7, atol=1e-6 if dtype == "float32" else 1e-15)
