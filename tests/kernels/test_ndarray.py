"""How kernels open arrays and make results (fastnn/kernels/ndarray.pxi): by fields and by the
buffer protocol, with one outcome.
"""

import itertools
import pickle

import numpy as np
import pytest

import fastnn as nn
from fastnn import functional as F
from fastnn.autograd import apply, apply_in_python
from fastnn.kernels import compiled

pytestmark = pytest.mark.skipif(compiled is None, reason="no kernels")


@pytest.fixture
def protocol():
    """Kernels that see arrays through the buffer protocol alone."""
    before = compiled.use_fields(False)
    yield
    compiled.use_fields(before)


class Named(np.ndarray):
    pass


def misaligned(a):
    room = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    room[...] = a
    return room


def one_row_of_any_stride(a):
    return np.lib.stride_tricks.as_strided(a[:1], (1, a.shape[1]), (3, a.itemsize))


def odd_steps(a):
    """In records of six or ten bytes."""
    records = np.zeros(a.shape, [("x", a.dtype), ("y", np.int16)])
    records["x"] = a
    return records["x"]


def read_only(a):
    a.flags.writeable = False
    return a


AWKWARD = {
    "plain": lambda a: a,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "backwards": lambda a: a[::-1, ::-1],
    "every second": lambda a: a[:, ::2],
    "misaligned": misaligned,
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder()),
    "subclass": lambda a: a.view(Named),
    "read-only": lambda a: read_only(a.copy()),
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "one row": one_row_of_any_stride,
    "unpickled": lambda a: pickle.loads(pickle.dumps(a)),
    "empty": lambda a: a[:0],
    "odd steps": odd_steps,
}


def test_fields_are_read():
    assert compiled.use_fields(True) is True, "no NumPy of this ABI, or another test has left the protocol in use"
    assert compiled.use_fields(True) is True


def test_the_protocol_can_be_asked_for(protocol):
    assert compiled.use_fields(False) is False


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", AWKWARD)
def test_same_bits_both_ways(form, dtype):
    a = AWKWARD[form](np.random.default_rng(7).standard_normal((12, 18)).astype(dtype))
    w = np.random.default_rng(8).standard_normal((a.shape[1], 5)).astype(dtype)
    row = a[0] if len(a) else np.ones(a.shape[1], dtype)
    calls = [lambda: compiled.matmul_forward(a, w)[0], lambda: compiled.matmul_forward(a.T, a)[0],
             lambda: compiled.matmul_forward(row, w)[0],
             lambda: compiled.relu_forward(a)[0], lambda: compiled.softmax_forward(a, dim=1)[0],
             lambda: compiled.add_forward(a, a)[0]]
    quick = [call() for call in calls]
    before = compiled.use_fields(False)
    try:
        slow = [call() for call in calls]
    finally:
        compiled.use_fields(before)
    for x, y in zip(quick, slow):
        assert type(x) is np.ndarray and x.dtype == y.dtype == dtype
        assert x.shape == y.shape and x.strides == y.strides and x.tobytes() == y.tobytes()
        assert x.flags.c_contiguous and x.flags.writeable and x.flags.aligned
        assert x.flags.owndata == y.flags.owndata


def test_protocol_trains(protocol):
    """A whole step: integers, booleans, several outputs, numbers without dimensions."""
    x, w = nn.tensor(np.ones((4, 3), np.float32)), nn.tensor(np.eye(3, dtype=np.float32), requires_grad=True)
    loss = F.cross_entropy(F.linear(F.dropout(x, 0.5), w), nn.tensor([0, 1, 2, 0]))
    loss.backward()
    assert loss.shape == () and w.grad.shape == (3, 3)
    assert F.max_pool2d(nn.tensor(np.ones((1, 1, 4, 4), np.float32)), 2).shape == (1, 1, 2, 2)


@pytest.mark.parametrize("fields", [True, False])
def test_large_results_give_their_memory_back(fields):
    before = compiled.use_fields(fields)
    try:
        x = np.ones(1 << 20, np.float32)
        used = compiled.memory_in_use()
        y = compiled.relu_forward(x)[0]
        part = y[5:7]
        assert compiled.memory_in_use() >= used + x.nbytes
        del y
        assert compiled.memory_in_use() >= used + x.nbytes and part.tolist() == [1, 1], "a view keeps the memory"
        del part
        assert compiled.memory_in_use() == used
    finally:
        compiled.use_fields(before)


def test_what_is_no_array_is_told():
    with pytest.raises(TypeError, match="list"):
        compiled.relu_forward([1.0, 2.0])


# ---- the glance before the check (fastnn/kernels/fits.pxi) ---------------------------------------
GLANCED = [op for op in nn.op.OPS.values() if op.fits is not None]
CANDIDATES = [
    *[np.ones(shape, dtype) for dtype in (np.float32, np.float64, np.int64)
      for shape in ((), (3,), (1,), (2, 3), (3, 2), (2, 3, 3), (0, 3))],
    None, 2.0, 3, True, "3", [1.0, 2.0, 3.0], np.float32(2), np.ones((2, 3), np.float32).astype(">f4"),
    np.ones((2, 3)).view(Named)]
ATTRIBUTES = {
    "softmax": [{"dim": d} for d in (0, 1, 2, -1, 2**70, True, 1.0)],
    "log_softmax": [{"dim": d} for d in (0, 1, -1, -2**70)],
    "layer_norm": [{"normalized_shape": s, "eps": 1e-5}
                   for s in ((3,), (2, 3), (), (2**70,), (True,), (3.0,), [3])],
    "gather": [{"dim": d} for d in (0, 1, -1, 2**70, 1.0)] + [{}],
    "scatter_add": [{"dim": d} for d in (0, 1, -1, 2**70, 1.0)] + [{}],
    "scatter": [{"dim": d} for d in (0, 1, -1, 2**70)],
    "scatter_value": [{"dim": d, "value": 2.0} for d in (0, 1, -1, 2**70)],
    "index_add": [{"dim": d} for d in (0, 1, -1, 2**70)],
    "index_copy": [{"dim": d} for d in (0, 1, -1, 2**70)],
    "put": [{"accumulate": True}],
    "rms_norm": [{"normalized_shape": s, "eps": 1e-5} for s in ((3,), (2, 3), (), (-1,))],
}


IMAGES = [*[np.ones(shape, dtype) for dtype in (np.float32, np.float64) for shape in
            ((2, 4, 5, 6), (4, 2, 3, 2), (4, 4, 1, 1), (0, 4, 3, 3), (3, 4, 6, 1), (2, 0, 3, 3), (2, 4, 0, 3),
             (4, 5, 6), (4,), (2,))],
          None, 2.0, np.ones((2, 4, 5, 6), int), np.ones((2, 4, 5, 6)).view(Named)]


def conv_attributes(stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def pool_attributes(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1), ceil_mode=False):
    return {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
            "ceil_mode": ceil_mode, "return_indices": False}


CONVOLVED = [conv_attributes(), conv_attributes(groups=2), conv_attributes(groups=4, dilation=(2, 3)),
             conv_attributes(padding=((0, 1), (2, 0))),
             conv_attributes(padding=((2**60, 2**60), (0, 0))), conv_attributes(padding=((2**23, 0), (2**23, 0))),
             conv_attributes(groups=0), conv_attributes(groups=2**70)]
POOLED = [pool_attributes(), pool_attributes((3, 1), padding=(1, 0)), pool_attributes((3, 3), padding=(2, 0)),
          pool_attributes((5, 6), dilation=(1, 1)), pool_attributes((3, 3), dilation=(2, 3)),
          pool_attributes((6, 6), ceil_mode=True), pool_attributes((2**70, 1)), pool_attributes((2, 2), (2**30, 1))]
ATTRIBUTES |= {"conv2d": CONVOLVED, "conv2d_relu": CONVOLVED, "max_pool2d": POOLED}


def refused(function, *inputs, **attrs):
    try:
        function(*inputs, **attrs)
    except ValueError:                              # which our own errors are as well
        return True
    return False


@pytest.mark.parametrize("op", GLANCED, ids=lambda op: op.name)
def test_what_fits_passes_the_check(op):
    """Of all combinations, wrong ones mostly, those that fit pass the check, or the kernel refuses
    them; and the usual call does fit.
    """
    assert any(op.fits(*s.cast("float32"), **s.attrs) for s in op.samples())
    seen = set()
    for attrs in ATTRIBUTES.get(op.name, [{}]):
        for inputs in itertools.product(IMAGES if op.name in ("conv2d", "conv2d_relu", "max_pool2d") else CANDIDATES,
                                        repeat=len(op.inputs)):
            fits = op.fits(*inputs, **attrs)
            seen.add(fits)
            if fits and refused(op.check, *inputs, **attrs):
                assert refused(op.forward, *inputs, **attrs)
    assert seen == {True, False}
    assert not op.fits() and not op.fits(*[CANDIDATES[3]] * 4)


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", ["gather", "scatter", "scatter_value", "scatter_add", "put", "index_copy",
                                  "index_add"])
def test_what_the_kernel_refuses_has_the_words_of_the_check(name, backend, rule):
    """A glance leaves the positions to the kernel, which says only that something is wrong; a
    definition would take those below 0 from the end.
    """
    op, dim = nn.op.OPS[name], {"accumulate": False} if name == "put" else {"dim": 0}
    attrs = dim | ({"value": 1.0} if name == "scatter_value" else {})
    for wrong in (3, -4) if name == "gather" else (3, -1):
        inputs = [np.ones(3), np.array([0, wrong]), np.ones(2)][:len(op.inputs)]
        assert op.fits(*inputs, **attrs)
        with nn.use_backend(backend), pytest.raises(nn.RangeError, match=f"index {wrong} is out of range"):
            rule(op, *inputs, **attrs)


def test_without_fields_nothing_fits(protocol):
    assert not any(op.fits(*s.cast("float32"), **s.attrs) for op in GLANCED for s in op.samples())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_views_with_rows_apart(dtype):
    """What transposes of sequences leave: copied row by row, by all threads, whatever order the
    axes and signs have.
    """
    x = np.random.default_rng(9).standard_normal((17, 3, 41, 67)).astype(dtype)
    views = {"exchanged": x.transpose(1, 0, 2, 3), "three ways": x.transpose(2, 0, 1, 3),
             "from the end": x[::-1, :, ::-1],
             "parts": x[:, :, 1:, 3:66], "broadcast": np.broadcast_to(x[:, :1], x.shape), "one axis less": x[:, 1],
             "two axes": x.reshape(-1, 67)[::2], "columns apart": x.transpose(0, 2, 3, 1), "short rows": x[..., :5]}
    before = nn.get_num_threads()
    try:
        for threads in (1, 3):
            nn.set_num_threads(threads)
            for name, view in views.items():
                assert not view.flags.c_contiguous, name
                assert np.array_equal(compiled.neg_forward(view)[0], -view), (name, threads)
    finally:
        nn.set_num_threads(before)
