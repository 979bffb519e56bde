"""The tape: what fastnn/autograd promises, beyond any single op."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import fastnn as nn

F = nn.functional


def leaf(*values, dtype=np.float32):
    return nn.tensor(np.array(values, dtype), requires_grad=True)


# ---- gradients -----------------------------------------------------------------------------------
def test_by_hand():
    x, w = leaf(1, 2, 3), leaf(4, 5, 6)
    ((x * w).sum() * 2 + x.sum()).backward()                     # d/dx = 2 w + 1, d/dw = 2 x
    assert x.grad.tolist() == [9, 11, 13] and w.grad.tolist() == [2, 4, 6]


def test_a_tensor_used_many_times():
    x = leaf(3)
    (x * x * x + x / x + (x - x)).backward()
    assert x.grad.tolist() == [27]
    y = leaf(2)
    z = y * y                                                     # a diamond: z is used twice
    (z * z + z).backward()
    assert y.grad.tolist() == [4 * 8 + 4]


def test_only_what_is_needed():
    x, w = leaf(1, 2), nn.tensor([3.0, 4.0])
    y = x * w
    y.sum().backward()
    assert w.grad is None and y.grad is None and x.grad.tolist() == [3, 4]
    assert not (w * 2).requires_grad and (w * 2).grad_fn is None
    assert y.requires_grad and not y.is_leaf and x.is_leaf and y.grad_fn.name == "mul"


def test_deep_chain():
    """100,000 ops: no recursion anywhere, neither in backward nor when the graph is let go of."""
    for use in (True, False):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y + 1
        assert y.item() == 100_001
        if use:
            y.backward()
            assert x.grad.tolist() == [1]
        del y
        gc.collect()


def test_wide_graph():
    x = leaf(1.0)
    F.stack([x * i for i in range(1000)]).sum().backward()
    assert x.grad.tolist() == [sum(range(1000))]


def test_accumulation():
    x = leaf(1, 2)
    for i in range(1, 4):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2 * i, 4 * i]
    first = x.grad
    (x * 1).sum().backward()
    # a gradient once handed out does not change
    assert first.tolist() == [6, 12] and x.grad.tolist() == [7, 13]
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_several_outputs_of_one_op():
    x = leaf(*range(6))
    a, b, c = F.split(x, 2)
    (a * 2 + c * 3).sum().backward()                              # b gets no gradient
    assert x.grad.tolist() == [2, 2, 0, 0, 3, 3] and b.requires_grad
    values, indices = leaf(1, 5, 2).max(0)
    assert values.requires_grad and not indices.requires_grad and indices.dtype == np.int64


def test_upstream_gradient():
    x = leaf(1, 2)
    (x * 3).backward([10, 20])
    assert x.grad.tolist() == [30, 60]
    (x * 3).backward(nn.tensor([1.0, 0.0]))
    assert x.grad.tolist() == [33, 60]
    with pytest.raises(nn.ShapeError, match=r"scalar.*\(2,\).*sum"):
        (x * 3).backward()
    with pytest.raises(nn.ShapeError, match=r"shape.*\(2,\).*\(3,\)"):
        (x * 3).backward([1, 2, 3])
    with pytest.raises(nn.GraphError, match=r"require.*no_grad"):
        nn.tensor([1.0]).backward()
    x = leaf(2.0)
    x.backward()                                                  # a leaf is its own derivative
    assert x.grad.tolist() == [1]


# ---- the life of a graph -------------------------------------------------------------------------
def test_second_backward():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 8]
    with pytest.raises(nn.GraphError, match=r"second time.*retain_graph=True"):
        y.backward()
    z = x * x                                                   # half of a graph is used by another
    z.sum().backward()
    with pytest.raises(nn.GraphError, match="second time"):
        (z * 2).sum().backward()


def test_memory_is_let_go_of():
    gc.collect()
    gc.disable()                                            # by reference counts alone: no cycles
    try:
        x = leaf(*range(100))
        hidden = x * 2
        watched = [weakref.ref(hidden), weakref.ref(hidden.grad_fn)]
        y = (hidden * hidden).sum()
        array = weakref.ref(hidden.data)
        del hidden
        # the tensor is gone, its array is saved for backward
        assert watched[0]() is None and array() is not None
        y.backward()
        assert array() is None and watched[1]() is None   # used, and gone at once though y is alive
        y = (x * 2).exp().sum()
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None                               # a graph that is never used goes too
    finally:
        gc.enable()


def test_kernel_memory_comes_back():
    if not nn.kernels.compiled:
        pytest.skip("no compiled kernels")
    gc.collect()
    before = nn.memory.in_use()
    x = nn.tensor(np.ones(100_000, np.float32), requires_grad=True)
    (x.exp() * x).sum().backward()
    assert nn.memory.in_use() > before                            # the gradient
    x.grad = None
    assert nn.memory.in_use() == before


def test_gradients_never_share_memory():
    def roots(*tensors):
        return [t.grad.data if t.grad.data.base is None else t.grad.data.base for t in tensors]
    a, b = leaf(1, 2), leaf(3, 4)
    (a + b).sum().backward()                                      # add hands the same array to both
    assert not np.shares_memory(a.grad.data, b.grad.data)
    a.grad = b.grad = None
    dy = np.array([1.0, 2.0], np.float32)
    (a + b).backward(dy)
    assert not any(np.shares_memory(g, dy) for g in roots(a, b)) and not np.shares_memory(*roots(a, b))
    dy[:] = 0
    assert a.grad.tolist() == [1, 2] == b.grad.tolist()
    a.grad = b.grad = None
    given = nn.tensor([5.0, 6.0])
    a.backward(given)
    assert not np.shares_memory(a.grad.data, given.data)
    a.grad = None
    F.reshape(a, 2, 1).sum().backward()                           # a view of dy comes back
    a.grad.data[0] = 7                                            # and can be written to
    x = leaf(1, 2, 3, 4)
    F.broadcast_to(F.reshape(x, 4, 1), 4, 3).sum().backward()
    assert x.grad.data.flags.writeable and x.grad.tolist() == [3] * 4
    p, q = nn.autograd.grad((a + b).sum(), (a, b))
    assert not np.shares_memory(p.data, q.data)


def test_grad_without_accumulating():
    x, y = leaf(1, 2), leaf(3, 4)
    z = x * y
    g, h = nn.grad((z * z).sum(), (x, z))
    assert g.tolist() == [18, 64] and h.tolist() == [6, 16] and x.grad is None
    with pytest.raises(nn.GraphError, match=r"not used.*allow_unused"):
        nn.grad(x.sum(), y)
    assert nn.grad(x.sum(), (x, y), allow_unused=True)[1] is None
    assert nn.grad(x * 2, x, [1.0, 10.0])[0].tolist() == [2, 20]


# ---- modes ---------------------------------------------------------------------------------------
def test_no_grad():
    x = leaf(1)
    with nn.no_grad():
        assert not nn.is_grad_enabled() and not (x * 2).requires_grad
        with nn.enable_grad():
            assert (x * 2).requires_grad
        with nn.set_grad_enabled(False):
            assert not (x * 2).requires_grad
        assert not nn.is_grad_enabled()
    assert nn.is_grad_enabled() and (x * 2).requires_grad

    @nn.no_grad()
    def evaluate(t):
        return t * 2
    assert not evaluate(x).requires_grad
    with pytest.raises(KeyError), nn.no_grad():
        raise KeyError
    assert nn.is_grad_enabled()


def test_modes_belong_to_threads():
    seen = []
    with nn.no_grad():
        thread = threading.Thread(target=lambda: seen.append(nn.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_have_graphs_of_their_own():
    w = nn.tensor(np.arange(1000, dtype=np.float32))
    failures = []

    def work(seed):
        x = nn.tensor(np.random.default_rng(seed).standard_normal(1000).astype(np.float32), requires_grad=True)
        for _ in range(50):
            x.grad = None
            (x * w).sum().backward()
            if not np.array_equal(x.grad.data, w.data):
                failures.append(seed)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_detach():
    x = leaf(1, 2)
    y = x.detach()
    assert not y.requires_grad and np.shares_memory(x.data, y.data)
    (x * y).sum().backward()
    assert x.grad.tolist() == [1, 2]
    z = (x * 3).detach()
    assert z.is_leaf and z.grad_fn is None


def test_requires_grad_():
    x = nn.tensor([1.0])
    assert x.requires_grad_() is x and x.requires_grad and not x.requires_grad_(False).requires_grad
    for call in (lambda: nn.tensor([1]).requires_grad_(), lambda: nn.tensor([1], requires_grad=True)):
        with pytest.raises(nn.DTypeError, match="floating-point"):
            call()
    with pytest.raises(nn.GraphError, match="detach"):
        (leaf(1) * 2).requires_grad_(False)


# ---- hooks ---------------------------------------------------------------------------------------
def test_hook_on_a_leaf():
    x = leaf(1, 2)
    seen = []
    remove = x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 3 + x).sum().backward()
    assert seen == [[4, 4]]                                 # once, when the gradient is complete
    remove()
    remove()                                                      # twice does no harm
    x.register_hook(lambda g: g * 10)
    x.grad = None
    (x * 3).sum().backward()
    assert len(seen) == 1 and x.grad.tolist() == [30, 30]
    x.register_hook(lambda g: nn.ones(3))
    with pytest.raises(nn.ShapeError, match="hook"):
        (x * 3).sum().backward()
    with pytest.raises(nn.GraphError, match="hook"):
        nn.ones(1).register_hook(print)


def test_hook_on_an_intermediate():
    x = leaf(1, 2)
    y = x * 2
    seen = []
    remove = y.register_hook(lambda g: seen.append(g.tolist()) or g * 100)
    (y * y + y).sum().backward(retain_graph=True)
    assert seen == [[5, 9]] and x.grad.tolist() == [1000, 1800]
    remove()
    x.grad = None
    (y * 3).sum().backward()
    assert len(seen) == 1 and x.grad.tolist() == [6, 6]


def test_hooks_do_not_keep_a_leaf_alive():
    x = leaf(1)
    x.register_hook(lambda g: None)
    from fastnn.autograd.hooks import leaf_hooks
    count = len(leaf_hooks)
    del x
    gc.collect()
    assert len(leaf_hooks) == count - 1


def test_retain_grad():
    x = leaf(1, 2)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [4, 8] and x.grad.tolist() == [8, 16]


# ---- changes in place ----------------------------------------------------------------------------
def test_a_change_of_what_was_saved_is_noticed():
    for change in (lambda t: t.mul_(2), lambda t: t.__setitem__(0, 5.0), lambda t: t.zero_(), lambda t: t.fill_(1),
                   lambda t: t.copy_(t + 1)):
        w = nn.tensor([1.0, 2.0])
        x = leaf(3, 4)
        y = (x * w).sum()
        change(w)
        with pytest.raises(nn.GraphError, match=r"mul.*changed in place"):
            y.backward()


def test_a_change_of_what_was_not_saved_is_allowed():
    x, w = leaf(3, 4), nn.tensor([1.0, 2.0])
    y = (x + w).sum()                                             # add saves no values
    w.zero_()
    y.backward()
    assert x.grad.tolist() == [1, 1]


def test_views_share_their_version():
    for view in (lambda t: t.reshape(2, 1), lambda t: t[1:], lambda t: t.detach(),
                 lambda t: F.transpose(t.reshape(1, 2), 0, 1)):
        w = nn.tensor([1.0, 2.0])
        x = leaf(3, 4)
        y = (x * w).sum()
        view(w).fill_(9)                                        # the view is changed, and w with it
        assert 9 in w
        with pytest.raises(nn.GraphError, match="changed in place"):
            y.backward()


def test_a_parameter_is_changed_under_no_grad():
    w = leaf(1, 2)
    with pytest.raises(nn.GraphError, match=r"in place.*no_grad"):
        w[0] = 3
    with nn.no_grad():
        w[0] = 3
        w.copy_(nn.tensor([5.0, 6.0]))
    assert w.tolist() == [5, 6] and w.requires_grad
    y = (w * w).sum()
    with nn.no_grad():
        w.zero_()
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()
    with pytest.raises(TypeError):
        nn.tensor([1]).copy_(nn.tensor([0.5]))


def test_changes_through_numpy_are_noticed_on_request():
    x, w = leaf(3, 4), nn.tensor([1.0, 2.0])
    with nn.autograd.detect_anomaly():
        y = (x * w).sum()
        w.data[0] = 7
        with pytest.raises(nn.GraphError, match="changed through NumPy"):
            y.backward()


def test_anomalies_are_named():
    with nn.autograd.detect_anomaly():
        with pytest.raises(nn.NonFiniteError, match=r"^log: made NaN or infinity"):
            nn.tensor([0.0, 1.0]).log()
        x = leaf(0.0, 1.0)
        y = x.sqrt().sum()
        with pytest.raises(nn.NonFiniteError, match=r"^sqrt: its backward"):
            y.backward()
        nan = nn.tensor([np.nan]) * 2                             # it came in from outside
    assert np.isnan(nan.item()) and np.isinf(nn.tensor([0.0]).log().item())


# ---- a function of one's own ---------------------------------------------------------------------
class Cube(nn.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale=1.0):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x**3

    @staticmethod
    def backward(ctx, dy):
        x, = ctx.saved_tensors
        return 3 * ctx.scale * x**2 * dy


class MinMax(nn.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a < b)
        return np.minimum(a, b), np.maximum(a, b)

    @staticmethod
    def backward(ctx, low, high):
        first, = ctx.saved_tensors
        low, high = (np.zeros(first.shape) if g is None else g for g in (low, high))
        return np.where(first, low, high), np.where(first, high, low)


def test_function():
    x = leaf(1, 2)
    y = Cube.apply(x, scale=2.0)
    y.sum().backward()
    assert y.tolist() == [2, 16] and y.grad_fn.name == "Cube"
    assert x.grad.tolist() == [6, 24] and x.grad.dtype == np.float32
    assert not Cube.apply(nn.tensor([1.0])).requires_grad
    assert nn.testing.gradcheck(lambda t: Cube.apply(t, scale=0.5), np.array([1.0, -2.0]))

    class Doubled(Cube):
        @staticmethod
        def backward(ctx, dy):
            return [2.0, nn.tensor(4.0)]            # a list of numbers and tensors is an array too
    x = leaf(1, 2)
    Doubled.apply(x).sum().backward()
    assert x.grad.tolist() == [2, 4] and x.grad.dtype == np.float32
    a, b = leaf(1, 5), leaf(2, 3)
    low, high = MinMax.apply(a, b)
    (high * 10).sum().backward()
    assert low.tolist() == [1, 3] and a.grad.tolist() == [0, 10] and b.grad.tolist() == [10, 0]


def test_wrong_functions():
    class TooMany(Cube):
        @staticmethod
        def backward(ctx, dy):
            return dy, dy

    class WrongShape(Cube):
        @staticmethod
        def backward(ctx, dy):
            return dy[:1]

    class NotNumbers(Cube):
        @staticmethod
        def forward(ctx, x):
            return "text"

    class NoGradient(Cube):
        @staticmethod
        def backward(ctx, dy):
            return "text"
    with pytest.raises(nn.GraphError, match=r"TooMany.*one gradient per input.*1.*2"):
        TooMany.apply(leaf(1, 2)).sum().backward()
    with pytest.raises(nn.ShapeError, match=r"WrongShape.*\(2,\).*\(1,\)"):
        WrongShape.apply(leaf(1, 2)).sum().backward()
    with pytest.raises(nn.DTypeError, match=r"NotNumbers: forward must return numbers"):
        NotNumbers.apply(leaf(1))
    with pytest.raises(nn.DTypeError, match=r"NoGradient: backward must return numbers"):
        NoGradient.apply(leaf(1)).backward()
    with pytest.raises(TypeError, match="forward"):
        nn.autograd.Function.apply(leaf(1))


def test_gradcheck():
    x = np.array([0.5, -1.5, 2.0])
    assert nn.testing.gradcheck(lambda a, b: (a * b).exp(), x, x + 1)

    class Wrong(Cube):
        @staticmethod
        def backward(ctx, dy):
            x, = ctx.saved_tensors
            return 3.003 * x**2 * dy
    with pytest.raises(AssertionError, match=r"relative error"):
        nn.testing.gradcheck(Wrong.apply, x)
    with pytest.raises(AssertionError, match="proves nothing"):
        nn.testing.gradcheck(lambda t: t * 0, x)


# ---- the rule and its compiled form --------------------------------------------------------------
def what_was_recorded(apply, op, inputs, attrs):
    """Everything that can be seen of one call: the results' fields and those of the node."""
    result = apply(op, *inputs, **attrs)
    results = result if isinstance(result, tuple) else (result,)
    seen = []
    for t in results:
        node = t.node
        shared = [i for i, x in enumerate(inputs) if isinstance(x, nn.Tensor) and x._version is t._version]
        seen.append((type(t), t.data.tolist(), t.dtype, t.shape, t.requires_grad, t.grad, t.index, t._version, shared,
                     node is None))
        if node is not None:
            parents = [p if p is None else ("leaf", id(p)) if isinstance(p, nn.Tensor) else ("node", id(p[0]), p[1])
                       for p in node.parents]
            seen.append((type(node), node.name, node.backward, node.takes_needs, node.attrs, parents,
                         list(node.outputs), node.tuple_output,
                         [(id(version), count, array) for version, count, array in node.versions], node.extras,
                         node.kept is not None and any(v is t._version for v in (node.kept, *node.kept)),
                         [np.asarray(a).tolist() if isinstance(a, np.ndarray) else a for a in (node.saved or ())]))
    return seen


def test_the_compiled_rule_is_the_rule():
    from fastnn.op import OPS
    autograd = nn.autograd
    compiled = nn.kernels.compiled is not None and getattr(sys, "_is_gil_enabled", lambda: True)()
    assert (autograd.apply is not autograd.apply_in_python) == compiled

    def parameter(*shape):
        return nn.Parameter(np.linspace(-1, 2, np.prod(shape), dtype=np.float32).reshape(shape))
    a, w, b = parameter(2, 3), parameter(4, 3), parameter(4)
    plain, made, whole = nn.tensor([[1.0, -2.0, 3.0]]), a * 2, nn.tensor([[1, 2, 3], [4, 5, 6]])
    buffer = nn.zeros(2, 3)
    written = buffer, buffer[0]
    calls = [("relu", (a,), {}), ("relu", (plain,), {}), ("relu", (made,), {}),
             ("add", (a, plain), {}), ("add", (made, 2.0), {}),
             ("linear", (a, w, None), {}), ("linear", (made, w, b), {}), ("linear_relu", (plain, w, b), {}),
             ("sum", (a,), {"dim": (0, 1), "keepdim": False}),
             ("reshape", (a,), {"shape": (3, 2)}), ("reshape", (made,), {"shape": (6,)}),
             ("permute", (plain,), {"dims": (1, 0)}),
             ("getitem", (made,), {"key": 0}), ("getitem", (whole,), {"key": (slice(None), 1)}),
             ("to", (a,), {"dtype": np.dtype(np.int64)}),
             ("argmax", (a,), {"dim": 1, "keepdim": False}), ("amax", (a,), {"dim": (0,), "keepdim": True}),
             ("cat", (a, made, plain), {"dim": 0}),
             ("max", (a,), {"dim": 1, "keepdim": False}), ("exp", (made,), {}),
             ("embedding", (nn.tensor([1, 0, 1]), a), {"padding_idx": None}), ("relu", (written[1],), {})]
    written[0][0] = made[0]                                       # the view is out of date now
    for name, inputs, attrs in calls:
        for recording in (True, False):
            with autograd.set_grad_enabled(recording):
                one = what_was_recorded(autograd.apply_in_python, OPS[name], inputs, attrs)
                two = what_was_recorded(autograd.apply, OPS[name], inputs, attrs)
            assert one == two, name
    ages = [apply(OPS["relu"], a).node.order for apply in (autograd.apply, autograd.apply_in_python, autograd.apply)]
    assert ages == sorted(ages)


def test_forward_is_told_whether_backward_may_follow():
    told = []

    def forward(x, save=True):
        told.append(save)
        return np.maximum(x, 0), (x,) if save else ()

    def backward(dy, saved):
        return (dy * (saved[0] > 0),)
    wanted, plain = nn.Parameter(np.array([-1.0, 2.0])), nn.tensor([1.0])
    with nn.use_kernel("relu", forward, backward):
        relu = nn.op.OPS["relu"]
        for apply in (nn.autograd.apply, nn.autograd.apply_in_python):
            told.clear()
            apply(relu, wanted).sum().backward()
            apply(relu, plain)
            with nn.no_grad():
                apply(relu, wanted)
            assert told == [True, False, False]
    assert wanted.grad.data.tolist() == [0, 2]                  # one for each rule


def test_the_rule_in_python_trains_as_the_compiled_one(monkeypatch):
    from fastnn.ops import activation, linear
    losses = []
    for apply in (nn.autograd.apply, nn.autograd.apply_in_python):
        for module in (activation, linear):
            monkeypatch.setattr(module, "apply", apply)
        nn.seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        opt = nn.optim.SGD(model.parameters(), lr=0.1)
        x = nn.tensor(np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32))
        for _ in range(5):
            opt.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            opt.step()
        losses.append(loss.item())
    assert losses[0] == losses[1]


def test_the_compiled_rule_keeps_nothing_alive():

    x = leaf(1, 2)
    before = sys.getrefcount(nn.Tensor), sys.getrefcount(x._version), sys.getrefcount(None)
    refs = []
    for _ in range(1000):
        y = F.relu(x)
        refs.append(weakref.ref(y))
        del y
    assert all(ref() is None for ref in refs)
    after = sys.getrefcount(nn.Tensor), sys.getrefcount(x._version), sys.getrefcount(None)
    assert after[0] - before[0] < 20 and after[1] == before[1] and abs(after[2] - before[2]) < 500


def test_the_compiled_rule_knows_the_rows_that_it_reads():
    from fastnn.op import ACTIVE, Running
    assert all(type(row) is Running for row in ACTIVE.values())
    if nn.kernels.compiled is not None:
        # a field more, and every number would be wrong
        with pytest.raises(ImportError, match=r"forward.*build them again"):
            nn.kernels.compiled.connect_tape(nn.Tensor, nn.autograd.Node, ACTIVE, ("new", *Running._fields), None, None,
                                             None, None, None, None)
        assert (nn.tensor([-1.0]).relu()).tolist() == [0]         # and nothing was changed
