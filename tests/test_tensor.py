"""Tensor: what tensor.py, methods.py and creation.py promise, and how it gets along with NumPy,
PyTorch and Python.
"""

import ast
import copy
import inspect
import pickle
import re

import numpy as np
import pytest

import fastnn as nn
from fastnn import methods

F = nn.functional


def leaf(*values, dtype=np.float32):
    return nn.tensor(np.array(values, dtype), requires_grad=True)


# ---- NumPy, PyTorch and others -------------------------------------------------------------------
def test_numpy():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    t = nn.tensor(a)
    assert t.data is a and np.asarray(t) is a and t.numpy() is a and nn.from_numpy(a).data is a
    assert np.shares_memory(np.asarray(t), a) and not np.shares_memory(np.array(t), a)
    assert np.asarray(t, np.float64).dtype == np.float64 and np.array(t, copy=True) is not a
    np.testing.assert_allclose(t, a)                        # a tensor is an array for whoever asks
    assert np.exp(t)[0, 0] == 1 and np.stack([t, t]).shape == (2, 2, 3)
    with pytest.raises(nn.GraphError, match="detach"):
        leaf(1).numpy()
    assert nn.tensor(np.float16([1.5])).dtype == np.float32 and nn.tensor(a.astype(">f4")).dtype.isnative
    assert nn.tensor([1, 2]).dtype == np.int64 and nn.tensor([1.5]).dtype == np.float32
    assert nn.tensor([True]).dtype == np.bool_ and nn.tensor(a, dtype=np.float64).dtype == np.float64
    assert nn.tensor([nn.tensor(1.0), nn.tensor(2.0)]).tolist() == [1, 2]
    for wrong in ("text", [1j], [[1], [2, 3]], [None]):
        with pytest.raises((nn.DTypeError, ValueError)):
            nn.tensor(wrong)


@pytest.mark.parametrize("given, values, dtype", [
    ([1, 2], [1.0, 2.0], np.float32), ([[True], [False]], [[1.0], [0.0]], np.float32), (2.5, 2.5, np.float32),
    ([10**30], [np.float32(1e30)], np.float32), (range(2), [0.0, 1.0], np.float32), ((), [], np.float32),
    (np.arange(2), [0, 1], np.int64), (np.zeros(1, bool), [False], np.bool_), (np.uint8([7]), [7], np.uint8),
    (np.ones(1, np.float16), [1.0], np.float32), (np.ones(1, np.longdouble), [1.0], np.float64),
    (np.ones(1, ">f4"), [1.0], np.float32), (np.ones(1, ">i2"), [1], np.int16), (np.float64(3), 3.0, np.float64),
    (memoryview(np.arange(2)), [0.0, 1.0], np.float32)],
    ids=lambda value: "memory" if isinstance(value, memoryview) else repr(value))
def test_what_the_class_makes_is_a_tensor_like_any_other(given, values, dtype):
    t = nn.Tensor(given)
    assert t.dtype == dtype and t.dtype.isnative and t.tolist() == values
    assert (t + t).dtype == (nn.tensor(values) + nn.tensor(values)).dtype if dtype is np.float32 else True
    made = nn.zeros(1)
    made.data = np.asarray(given, dtype)
    assert made.dtype == dtype and made.tolist() == values
    assert nn.Tensor(t).data is t.data and nn.Tensor().shape == (0,)


@pytest.mark.parametrize("given", [
    np.array(["a"]), np.array([None]), np.array([1j]), np.zeros(1, "M8[s]"), np.zeros(1, [("a", "f4")]), None, "12",
    ["1", "2"], [1j], [[1], [1, 2]], {1: 2}, object(), [10**400]],
    ids=lambda value: "object" if type(value) is object else repr(value))
def test_what_holds_no_real_numbers_is_refused_everywhere(given):
    t = nn.zeros(2)
    for make in (nn.Tensor, nn.tensor, nn.Parameter, lambda a: nn.tensor(a, dtype=np.float32),
                 lambda a: setattr(t, "data", a)):
        with pytest.raises((nn.DTypeError, nn.RangeError), match=r"real numbers|one length|of this size"):
            make(given)
    assert t.tolist() == [0, 0]


@pytest.mark.parametrize("args, fix", [((2, 3), r"nn.empty\(2, 3\)"), ((3,), r"nn.empty\(3\).*nn.tensor\(3\)"),
                                       ((2, 3, 4), r"nn.empty\(2, 3, 4\)"), (([1.0], "yes"), "requires_grad as a bool"),
                                       ((np.ones(2), 3), "requires_grad as a bool")])
def test_sizes_to_the_class_are_told_where_to_go(args, fix):
    with pytest.raises(nn.DTypeError, match=f"^Tensor: .*{fix}"):
        nn.Tensor(*args)


def test_integers_cannot_come_to_require_a_gradient():
    t, p = nn.tensor([1, 2]), nn.Parameter([1.0])
    for change in (lambda: nn.Tensor(np.arange(2), True), lambda: nn.Tensor(np.arange(2), requires_grad=True),
                   lambda: setattr(t, "requires_grad", True), lambda: setattr(p, "data", np.arange(2)),
                   lambda: nn.zeros(2, dtype=np.int64, requires_grad=True), lambda: nn.Parameter(np.arange(2))):
        with pytest.raises(nn.DTypeError, match="only floating-point tensors"):
            change()
    assert not t.requires_grad and p.dtype == np.float32
    y = p * 2
    with pytest.raises(nn.GraphError, match="detach"):
        y.requires_grad = False
    assert nn.Tensor(np.ones(1), np.True_).requires_grad is True


@pytest.mark.parametrize("again", [nn.Tensor, nn.tensor, nn.Parameter, lambda a: nn.Tensor(a[:1]),
                                   lambda a: nn.Tensor(nn.tensor(a))])
@pytest.mark.parametrize("first", [nn.Tensor, nn.Parameter])
def test_tensors_over_one_array_count_changes_together(first, again):
    array = np.ones(2, np.float32)
    p = first(array).requires_grad_()
    y = (p * p).sum()
    with nn.no_grad():
        again(array)[0] = 7
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()
    x = nn.Parameter([1.0, 2.0])
    y = (x * x).sum()
    with nn.no_grad():
        again(x.data)[0] = 7
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()


def test_dlpack_with_numpy():
    t = nn.ones(2, 3)
    a = np.from_dlpack(t)
    assert np.shares_memory(a, t.data) and np.shares_memory(nn.from_dlpack(t).data, t.data)
    with pytest.raises(nn.GraphError, match="detach"):
        np.from_dlpack(leaf(1))


def test_dlpack_with_pytorch(torch):
    theirs = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    ours = nn.from_dlpack(theirs)
    theirs[0, 0] = 9                                              # the same memory
    assert type(ours) is nn.Tensor and ours[0, 0].item() == 9
    t = nn.tensor(np.arange(4.0))
    back = torch.from_dlpack(t)
    back[1] = 7
    assert t[1].item() == 7 and back.dtype == torch.float64
    assert torch.utils.dlpack.from_dlpack(nn.tensor([1, 2])).tolist() == [1, 2]


def test_python():
    x = nn.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]] and x.tolist() == [[1, 2], [3, 4]]
    assert x.size() == (2, 2) and x.size(0) == 2 and x.numel() == 4 and x.dim() == x.ndim == 2 and x.shape == (2, 2)
    one = nn.tensor([2.5])
    assert float(one) == 2.5 and int(one) == 2 and one.item() == 2.5 and f"{one:.1f}" == "2.5"
    assert bool(one) and not nn.tensor(0)
    assert range(5)[nn.tensor(3)] == 3
    for call in (lambda: bool(x), lambda: x.item(), lambda: float(x), lambda: len(nn.tensor(1.0)),
                 lambda: list(nn.tensor(1.0))):
        with pytest.raises((ValueError, TypeError)):
            call()


def test_printing():
    assert repr(nn.tensor([1.0, 2.0])) == "tensor([1., 2.])" == str(nn.tensor([1.0, 2.0]))
    assert repr(leaf(1)) == "tensor([1.], requires_grad=True)" and repr(leaf(1) * 2) == "tensor([2.], grad_fn=<mul>)"
    assert repr(nn.tensor([1.0], dtype=np.float64)) == "tensor([1.], dtype=float64)"
    assert repr(nn.tensor(3)) == "tensor(3)"
    assert repr(nn.zeros(0, 3)) == "tensor([], shape=(0, 3))" and repr(nn.tensor([True])) == "tensor([ True])"
    assert repr(nn.Parameter(np.ones(2, np.float32))) == "parameter([1., 1.], requires_grad=True)"
    assert len(repr(nn.zeros(1000, 1000))) < 1000


def test_copies():
    x = leaf(1, 2)
    x.grad = nn.tensor([3.0, 4.0])
    y = copy.deepcopy(x)
    assert y.requires_grad and y.tolist() == [1, 2] and y.grad.tolist() == [3, 4]
    assert not np.shares_memory(x.data, y.data)
    p = pickle.loads(pickle.dumps(nn.Parameter(np.ones(2, np.float32))))
    assert type(p) is nn.Parameter and p.requires_grad and p.tolist() == [1, 1]
    with pytest.raises(nn.GraphError, match="leaves"):
        copy.deepcopy(x * 2)
    z = x.clone()
    assert not np.shares_memory(z.data, x.data) and z.grad_fn is not None


def test_parameter():
    p = nn.Parameter([1.0, 2.0])
    assert p.requires_grad and isinstance(p, nn.Tensor) and type(p * 2) is nn.Tensor
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad


# ---- methods -------------------------------------------------------------------------------------
def test_methods_of_shape_and_type():
    x = nn.tensor(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    assert x.view(6, 4).shape == x.reshape(6, -1).shape == (6, 4) and x.view_as(nn.zeros(4, 6)).shape == (4, 6)
    assert x.flatten().shape == (24,) and x.flatten(1).shape == (2, 12)
    assert x.T.shape == (4, 3, 2) and x.mT.shape == (2, 4, 3)
    assert x.permute(2, 0, 1).shape == (4, 2, 3) and x.transpose(0, 2).shape == (4, 3, 2) and x[0].t().shape == (4, 3)
    assert x.unsqueeze(0).squeeze(0).shape == (2, 3, 4)
    assert nn.ones(1, 4).expand(3, 4).shape == nn.ones(1, 4).expand_as(nn.ones(3, 4)).shape == (3, 4)
    assert [t.shape for t in x.split(2, dim=2)] == [t.shape for t in x.chunk(2, dim=2)] == [(2, 3, 2)] * 2
    assert x.repeat(1, 2, 1).shape == (2, 6, 4)
    assert x.flip(0)[0, 0, 0].item() == 12 and x.roll(1, 0)[0, 0, 0].item() == 12
    assert (x.double().dtype, x.long().dtype, x.bool().dtype, x.int().dtype, x.double().float().dtype) == (
        np.float64, np.int64, np.bool_, np.int32, np.float32)
    assert x.to(np.float64).dtype == x.to("float64").dtype == x.to(x.double()).dtype == np.float64 and x.to("cpu") is x
    assert x.masked_fill(x > 3, 0).max().item() == 3
    assert x.gather(2, nn.zeros(2, 3, 1, dtype=np.int64)).shape == (2, 3, 1)
    assert x.where(x > 3, 0).sum().item() == 276 - 6 and x[0].tril().sum().item() == 0 + 4 + 5 + 8 + 9 + 10
    assert x.permute(1, 0, 2).contiguous().data.flags.c_contiguous and (x[0] @ x[0].T).shape == (3, 3)


INDEX = nn.tensor([[0, 1], [2, 3]])
ARGUMENTS = {
    "broadcast_to": (4, 4), "expand": (4, 4), "tile": (2, 1), "repeat": (2, 1), "reshape": (2, 8),
    "unflatten": (0, (2, 2)), "chunk": (2,), "split": (2,), "roll": (1, 0), "flip": (0,),
    "permute": (1, 0), "transpose": (0, 1), "swapaxes": (0, 1), "movedim": (0, 1),
    "swapdims": (0, 1), "moveaxis": (0, 1), "prelu": (nn.tensor(0.5),),
    "gather": (0, INDEX), "take_along_dim": (nn.tensor([[1, 0]]), 1), "index_select": (0, nn.tensor([1, 1])),
    "masked_fill": (nn.eye(4) > 0, 7.0), "to": (np.float32,), "clamp": (0.3, 0.7), "clip": (0.3, 0.7),
}
# of other arguments, tested in other places
ELSEWHERE = {"unfold", "bmm", "dot", "mv", "where", "logical_and", "logical_or", "equal", "allclose",
             "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "polygamma"}


def test_methods_are_the_functions():
    """Every method that has a function of its name in nn.functional, and is not that function,
    gives what it gives.
    """
    x = nn.tensor(np.random.default_rng(0).uniform(0.2, 0.9, (4, 4)))
    checked = set()
    for name in dir(nn.Tensor):
        function = getattr(F, name, None)
        if name.startswith("_") or function is None or name in {*ELSEWHERE, *methods.THE_FUNCTIONS.split()}:
            continue
        for arguments in [ARGUMENTS[name]] if name in ARGUMENTS else [(), (0,), (x,)]:
            try:
                want = function(x, *arguments)
            except TypeError:                                     # too few arguments
                continue
            got = getattr(x, name)(*arguments)
            for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (want, got))):
                np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=name)
            checked.add(name)
            break
        assert name in checked, name
    assert len(checked) > 40
    np.testing.assert_array_equal(x.polygamma(2), F.polygamma(2, x))    # the function has n first


def test_the_functions_that_are_methods_are_all_named():
    """What type checkers see is what `connect` puts there, and each is the function itself."""
    tree = ast.parse(inspect.getsource(methods.TensorMethods))
    seen, = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    pairs = {node.targets[0].id: node.value.attr for node in seen.body}
    assert sorted(pairs) == methods.THE_FUNCTIONS.split()
    for name, function in pairs.items():
        assert getattr(nn.Tensor, name) is getattr(F, name) is getattr(F, function)


def test_creation():
    assert nn.zeros(2, 3).tolist() == [[0] * 3] * 2 == nn.zeros((2, 3)).tolist() and nn.ones(2).dtype == np.float32
    assert nn.full((2,), 7).dtype == np.int64 and nn.full((2,), 0.5).tolist() == [0.5, 0.5]
    assert nn.eye(2).tolist() == [[1, 0], [0, 1]]
    assert nn.arange(3).tolist() == [0, 1, 2] and nn.arange(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert nn.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    x = nn.ones(2, 3, dtype=np.float64)
    for like in (nn.zeros_like, nn.ones_like, nn.empty_like, nn.rand_like, nn.randn_like, lambda t: nn.full_like(t, 2)):
        assert like(x).shape == (2, 3) and like(x).dtype == np.float64

    def draw():
        nn.seed(1)
        return [t.tolist() for t in (nn.rand(100), nn.randn(100), nn.randint(5, (100,)), nn.randperm(9))]
    uniform, normal, whole, order = draw()
    assert [uniform, normal, whole, order] == draw()
    assert 0 <= min(uniform) and max(uniform) < 1 and set(whole) == {0, 1, 2, 3, 4} and sorted(order) == list(range(9))
    assert nn.zeros(2, requires_grad=True).requires_grad and nn.empty(2, 0).shape == (2, 0) and nn.randn(()).shape == ()


@pytest.mark.parametrize("rows, got", [
    ([[1, 2], [3]], "a row of 1 at row 1 after a row of 2"), ([1, [2]], "a row of 1 at row 1 after a number"),
    ([nn.ones(2), nn.ones(3)], "a row of 3 at row 1 after a row of 2"),
    ([np.ones(2), [1, 2, 3]], "a row of 3 at row 1 after a row of 2"),
    ([[[1], [2]], [[1], [2, 3]]], "a row of 2 at row 1, column 1 after a row of 1"),
    ([[1, 2], None], "None at row 1. Is a value missing there"),
    ([np.ones((2, 2)), np.ones((3, 2))], r"a row of shape \(3, 2\) at row 1 after a row of shape \(2, 2\)")])
def test_rows_of_different_lengths_are_said(rows, got):
    with pytest.raises(nn.DTypeError, match="rows of one length, of numbers, got " + got):
        nn.tensor(rows)


@pytest.mark.parametrize("data, words", [
    ([1, None], "None at row 1. Is a value missing"), ([[1, 2], [3, None]], "None at row 1, column 1. Is a"),
    ([[[1, None]]], r"None at \[0\]\[0\]\[1\]. Is a"), (None, "None. Did a function return nothing"),
    (np.array([1.5, None]), "None at row 1. Is a"), ([nn.tensor([1.0]).data, [None]], "None at row 1, column 0. Is a"),
    ([1, "2"], "'2' at row 1. Text becomes"), ([b"x"], "b'x' at row 0. Text becomes"), ("abc", "'abc'. Text becomes"),
    (np.array(["a"]), "<U1. Text becomes"), ([1j], "complex at row 0. There are no complex"),
    (np.array(["2020-01-01"], "M8[D]"), r"datetime64\[D\]. Times become"), ([{"a": 1}], "dict at row 0. Take out"),
    ({1, 2}, "set. It has no order"), ([object()], "object at row 0. Each must"), (np.zeros(0, object), "object"),
    (np.zeros(0, "U3"), "<U3. Text"), (np.zeros(2, [("a", int)]), "'a'.*Each must")])
def test_what_is_no_number_is_said_with_its_place(data, words):
    with pytest.raises(nn.DTypeError, match=rf"^tensor: a tensor holds real numbers.*|rows of.*, got {words}") as error:
        nn.tensor(data)
    assert re.search(words, str(error.value))



@pytest.mark.parametrize("value", [2**64, 1.5, "a", None, True])
def test_a_seed_is_a_whole_number(value):
    before = nn.random.random_state()
    with pytest.raises((TypeError, ValueError), match=r"seed: expected (a whole number|seed as an int)"):
        nn.seed(value)
    assert nn.random.random_state() == before


@pytest.mark.parametrize("name", ["dropout_key", "dropout_calls"])
@pytest.mark.parametrize("value", [-1, 1.5, 2**70, "a", True])
def test_a_random_state_that_is_damaged_changes_nothing(name, value):
    before = nn.random.random_state()
    with pytest.raises(ValueError, match=name):
        nn.random.set_random_state({**before, name: value})
    assert nn.random.random_state() == before


# ---- NumPy's functions ---------------------------------------------------------------------------
NUMPY = {
    "exp": np.exp, "add": lambda t: np.add(np.ones(2, np.float32), t), "asarray": np.asarray, "array": np.array,
    "stack": lambda t: np.stack([t, t]), "concatenate": lambda t: np.concatenate((t, np.ones(1))),
    "where": lambda t: np.where([True, False], t, 0), "sum": np.sum, "mean with an axis": lambda t: np.mean(t, axis=0),
    "dot": lambda t: np.dot(np.ones(2), t), "einsum": lambda t: np.einsum("i->", t), "clip": lambda t: np.clip(t, 0, 1),
    "copyto": lambda t: np.copyto(np.zeros(2), t), "out": lambda t: np.add(np.ones(2), t, out=np.zeros(2)),
    "linalg": lambda t: np.linalg.norm(t), "fft": np.fft.fft, "item": lambda t: np.zeros(2).__setitem__(slice(None), t),
    "sort": np.sort, "reduce": np.add.reduce,
}


@pytest.mark.parametrize("name", NUMPY)
def test_functions_of_numpy_lose_no_history(name):
    x = leaf(1, 2)
    plain = NUMPY[name](x.detach())
    assert np.allclose(plain, NUMPY[name](x.detach().numpy())) if plain is not None else True
    for t in (x, x * 1):
        with pytest.raises(nn.GraphError, match="detach"):
            NUMPY[name](t)
        with nn.no_grad(), pytest.raises(nn.GraphError, match="detach"):
            NUMPY[name](t)


def test_what_has_no_gradient_may_be_asked_of_any_tensor():
    x = leaf(1, 3)
    assert np.array_equal(x, x) and np.argmax(x) == 1 and np.shape(x) == (2,) and np.allclose(x, [1, 3])
    assert nn.tensor([x[0], x[1]]).tolist() == [1, 3]


class Own(np.ndarray):
    pass


@pytest.mark.parametrize("kind", [lambda a: a.view(np.matrix), np.ma.masked_array, lambda a: a.view(Own)])
def test_a_tensor_is_over_a_plain_array(kind):
    """A matrix has arithmetic of its own: its product with 1.0 is float64."""
    array = kind(np.ones((2, 2), np.float32))
    t = nn.Tensor(array)
    assert type(t.data) is np.ndarray and np.shares_memory(t.data, array)
    with nn.use_backend("reference"):
        assert (t * 1.0).dtype == np.float32


def test_in_says_which_shapes_fit():
    x = nn.ones(4, 3)
    assert 1 in x and 2.0 not in x and (1, 1, 1) in x and nn.ones(3) in x
    for value in ((), [1, 2], nn.ones(2), np.ones((3, 4))):
        with pytest.raises(nn.ShapeError, match=r"^in: expected what broadcasts to \(4, 3\)"):
            assert value in x


def test_a_wrong_place_and_a_wrong_shape_are_a_wrong_place():
    x = nn.ones(4, 3)
    with pytest.raises(nn.RangeError, match=r"^setitem: index 7 is out of bounds"):
        x[[7]] = nn.ones(2, 4)


# ---- without its fields --------------------------------------------------------------------------
def lacking(kind=nn.Tensor):
    """What a class leaves that forgets super().__init__."""
    return kind.__new__(kind)


MEMBERS = sorted({name for kind in nn.Tensor.__mro__[:-1] for name, what in vars(kind).items()
                  if name.startswith(("__", "_repr_")) or name[0] != "_" if callable(what) or type(what) is property}
                 # what needs no field
                 - {"__dir__", "__hash__", "__init__", "__pos__", "cpu", "cuda", "device", "is_cuda"})


@pytest.mark.parametrize("kind", [nn.Tensor, nn.Parameter])
def test_every_method_says_that_the_fields_are_lacking(kind):
    """None of Python's AttributeErrors from somewhere inside, and no crash."""
    assert len(MEMBERS) > 350
    for name in MEMBERS:
        told = []
        # arguments of some number and kind are those that the method takes
        for args in ((), (1,), (nn.ones(1),), (1.0, 2.0), ("cpu",), (0, nn.tensor([0]), 1.0), ({},)):
            try:
                getattr(lacking(kind), name)(*args)
            except (nn.errors.FastnnError, TypeError) as error:
                # TypeError: a protocol takes another number of arguments
                told.append(str(error))
        assert any("lacks its fields" in text for text in told), f"{name}: {told}"


@pytest.mark.parametrize("use", [
    repr, str, pickle.dumps, copy.copy, copy.deepcopy, np.asarray, np.exp, bool, len, float, int, list, nn.tensor,
    nn.Parameter, nn.exp, "{:.2f}".format, nn.Linear(2, 3), lambda t: nn.cat([t, t]),
    lambda t: nn.tensor([t]), lambda t: t + 1, lambda t: 1 + t, lambda t: t[0], lambda t: t.shape, lambda t: t.T,
    lambda t: t.__setitem__(0, 1.0), lambda t: setattr(t, "data", np.ones(2)), lambda t: setattr(t, "requires_grad", 1),
    lambda t: 1 in t, lambda t: nn.ones(2).copy_(t), lambda t: nn.autograd.backward([t], [nn.ones(1)]),
    lambda t: nn.optim.SGD([t], lr=0.1), lambda t: nn.equal(t, t)])
def test_every_use_says_that_the_fields_are_lacking(use):
    for kind in (nn.Tensor, nn.Parameter):
        with pytest.raises(nn.errors.FastnnError, match=r"lacks its fields.*super\(\).__init__\(data\)"):
            use(lacking(kind))


def test_a_class_that_forgets_to_call_init():
    class Marked(nn.Tensor):
        def __init__(self, data, mark):
            self.mark = mark
    with pytest.raises(nn.GraphError, match=r"Marked: this tensor lacks its fields. Its class must call super"):
        Marked([1.0], "a").sum()
    # an error can be read that shows one among other things that it got
    with pytest.raises(nn.DTypeError, match=r"^to: expected .* got <tuple>"):
        nn.ones(1).to(1.0, lacking())


def test_small_methods_of_pytorch():
    x = nn.tensor([[1.0, float("nan")], [3.0, 4.0]])
    assert x.type(nn.float64).dtype == np.float64 and x.get_device() == -1 and not x.is_complex()
    assert x.clone().nan_to_num_(7.0).tolist() == [[1, 7], [3, 4]]
    assert nn.zeros(4, 2).fill_diagonal_(5.0).tolist() == [[5, 0], [0, 5], [0, 0], [0, 0]]
    assert nn.zeros(4, 2).fill_diagonal_(5.0, wrap=True).tolist() == [[5, 0], [0, 5], [0, 0], [5, 0]]
    with pytest.raises(nn.ShapeError, match="fill_diagonal_: expected a matrix"):
        nn.zeros(4).fill_diagonal_(1.0)
    assert nn.tensor([2.0]).is_nonzero() and not nn.tensor(0).is_nonzero()
    with pytest.raises(nn.ShapeError, match="is_nonzero: expected one element"):
        x.is_nonzero()


def test_unfold_takes_windows_along_a_dimension():
    x = nn.tensor(np.arange(10.0).reshape(2, 5), requires_grad=True)
    y = x.unfold(1, 3, 2)
    assert y.tolist() == [[[0, 1, 2], [2, 3, 4]], [[5, 6, 7], [7, 8, 9]]]
    assert x.unfold(0, 2, 1).shape == (1, 5, 2)
    y.sum().backward()                              # the third column is in two windows
    assert x.grad.tolist() == [[1, 1, 2, 1, 1]] * 2
    for arguments, told in (((2, 1, 1), "dimension 2 does not exist"), ((1, 6, 1), "0 <= size <= 5"),
                            ((1, 2, 0), "step >= 1")):
        with pytest.raises(nn.RangeError, match=told):
            x.unfold(*arguments)


def test_functions_with_one_argument_less():
    rows, columns = nn.where(nn.tensor([[True, False], [True, True]]))
    assert rows.tolist() == [0, 1, 1] and columns.tolist() == [0, 0, 1]
    with pytest.raises(nn.DTypeError, match="where: the argument is missing: other"):
        nn.where(nn.tensor([True]), 1)
    assert nn.repeat_interleave(nn.tensor([2, 0, 1])).tolist() == [0, 0, 2]
    drawn = nn.randint_like(nn.zeros(50), 3, 5)
    assert set(drawn.tolist()) == {3.0, 4.0} and drawn.dtype == np.float32
    assert nn.LSTM(2, 3).flatten_parameters() is None


def test_softmax_without_dim_is_pytorch_s_choice(monkeypatch):
    for shape, dim in (((4,), 0), ((3, 4), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)):
        x = nn.randn(*shape)
        for layer, function in ((nn.Softmax, nn.softmax), (nn.LogSoftmax, nn.log_softmax),
                                (nn.Softmin, nn.functional.softmin)):
            monkeypatch.setattr(nn.errors, "_told", set())
            with pytest.warns(nn.MistakeWarning, match=f"dim is not given, and {dim} is taken"):
                got = layer()(x)
            np.testing.assert_array_equal(got.numpy(), function(x, dim).numpy())
