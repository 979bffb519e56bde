"""The optimiser's tables of pointers: what does not fit is refused before a kernel sees it.

The class Optimizer looks first and says more; here the compiled functions are called directly.
"""

import numpy as np
import pytest

from fastnn.kernels import compiled

pytestmark = pytest.mark.skipif(compiled is None, reason="kernels are not built")


def columns(dtype=np.float32):
    """p, g, m, v of two parameters: their sizes 6 and 5."""
    return [[np.full((2, 3), 0.5, dtype), np.full(5, 0.5, dtype)] for _ in range(4)]


def sgd(p, g, m, v):
    compiled.sgd_step(p, g, m, [False] * len(p), 0.1, 0.9, 0.0, 0.0, False)


def adam(p, g, m, v):
    compiled.adam_step(p, g, m, v, None, [1] * len(p), 0.9, 0.999, 0.1, 1e-8, 0.0, False)


def square_sum(p, g, m, v):
    compiled.square_sum(p + g + m + v)


def scale_all(p, g, m, v):
    compiled.scale_all(p + g + m + v, 0.5)


def read_only(a):
    return np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape)


SPOILS = {
    "wider": lambda a: a.astype(np.float64), "narrower": lambda a: a.astype(np.float16),
    "int64": lambda a: a.astype(np.int64), "int32": lambda a: a.astype(np.int32), "bool": lambda a: a > 0,
    "complex": lambda a: a.astype(np.complex64), "objects": lambda a: a.astype(object),
    "text": lambda a: a.astype("U8"),
    "shorter": lambda a: a.ravel()[:-1], "longer": lambda a: np.append(a, a), "empty": lambda a: a[:0],
    "None": lambda a: None, "a number": lambda a: 0.5, "a list": lambda a: a.tolist(),
    "bytes": lambda a: a.tobytes(),
}
LAYOUTS = {                             # refused where they would be written, and read elsewhere
    "read-only": read_only, "strided": lambda a: np.repeat(a, 2, -1)[..., ::2], "byte order": lambda a: a.astype(">f4"),
    "misaligned": lambda a: np.frombuffer(bytearray(b"x" + a.tobytes()), a.dtype, offset=1).reshape(a.shape),
}
STEPS = [(sgd, 3, (0, 2)), (adam, 4, (0, 2, 3))]


@pytest.fixture(params=[True, False], ids=["fields", "buffers"])
def fields(request):
    before = compiled.use_fields(request.param)
    yield
    compiled.use_fields(before)


@pytest.mark.parametrize("step, count, written", STEPS, ids=["sgd", "adam"])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("what", SPOILS)
def test_what_does_not_fit_is_refused(step, count, written, row, what, fields):
    for c in range(count):
        table = columns()
        table[c][row] = SPOILS[what](table[c][row])
        before = [[np.array(a).tobytes() for a in column] for column in table]
        with pytest.raises((TypeError, ValueError, AttributeError)):
            step(*table)
        assert [[np.array(a).tobytes() for a in column] for column in table] == before


@pytest.mark.parametrize("step, count, written", STEPS, ids=["sgd", "adam"])
@pytest.mark.parametrize("what", LAYOUTS)
def test_what_is_written_must_be_plain(step, count, written, what, fields):
    want = columns()
    step(*want)
    for c in range(count):
        table = columns()
        table[c][1] = LAYOUTS[what](table[c][1])
        if c in written:
            with pytest.raises(ValueError, match="must be contiguous, aligned, writable"):
                step(*table)
            assert (table[0][0] == 0.5).all()
        else:
            step(*table)
            assert all(np.array_equal(a, b) for a, b in zip(table[0], want[0]))


@pytest.mark.parametrize("step, count, written", STEPS, ids=["sgd", "adam"])
def test_columns_have_one_length(step, count, written, fields):
    for c in range(1, count):
        for wrong in (lambda column: column[:1], lambda column: [*column, column[0]], lambda column: [],
                      lambda column: None, tuple):
            table = columns()
            table[c] = wrong(table[c])
            with pytest.raises((TypeError, ValueError)):
                step(*table)


@pytest.mark.parametrize("call", [square_sum, scale_all])
@pytest.mark.parametrize("what", [key for key in SPOILS if key not in ("shorter", "longer", "empty")])
def test_sums_and_factors_take_one_dtype(call, what, fields):
    table = columns()
    table[1][0] = SPOILS[what](table[1][0])
    with pytest.raises((TypeError, ValueError, AttributeError)):
        call(*table)
    assert (table[0][0] == 0.5).all()


def test_nothing_at_all(fields):
    compiled.sgd_step([], [], [], [], 0.1, 0.9, 0.0, 0.0, False)
    compiled.adam_step([], [], [], [], None, [], 0.9, 0.999, 0.1, 1e-8, 0.0, False)
    assert compiled.square_sum([]) == 0
    compiled.scale_all([], 2.0)
    for junk in (None, 1, "a", [1], [None], (np.ones(2),)):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            compiled.square_sum(junk)


def test_more_dimensions_than_a_kernel_takes(fields):
    """A table wants pointers and sizes, whatever the shape."""
    most = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
    table = [[a.reshape((1,) * (most - a.ndim) + a.shape) for a in column] for column in columns()]
    if compiled.use_fields(True):
        adam(*table)
        assert (table[0][0] != 0.5).all()
