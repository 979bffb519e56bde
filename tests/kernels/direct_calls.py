"""Call a function of fastnn._kernels in this process with arguments that do not fit. Whether it
survives, tests/kernels/test_direct_calls.py looks at from outside.

    python direct_calls.py NAME ...                 all functions, if none is named
    KINDS=4 python direct_calls.py                  up to four right calls of each op to begin from
    python direct_calls.py --positions              what backward does with wrong positions
    python direct_calls.py --scratch                what is done where there is no scratch memory

For each name it writes a line when it begins. Arguments come from the op's record: a call that is
right, and then the same with one array, anywhere in it, of another type, rank, size or layout, or
none at all. Arrays end where a page of memory begins that may not be touched, so that reading one
element too many is noticed, and not only what happens to be fatal.
"""

import ctypes
import inspect
import itertools
import mmap
import os
import sys
import warnings
from pathlib import Path

import numpy as np

import fastnn as nn
from fastnn.op import OPS

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
SEED = 0
KINDS = int(os.environ.get("KINDS", "1"))


def fenced(room):
    """`room` bytes, whole pages, and behind them a page that nobody may read or write."""
    memory = mmap.mmap(-1, room + PAGE)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if hasattr(LIBC, "mprotect"):
        LIBC.mprotect(ctypes.c_void_p(begin + room), ctypes.c_size_t(PAGE), 0)
    return memory


ROOM = 4*PAGE
FENCED = itertools.cycle([fenced(ROOM) for _ in range(256)])        # a call has far fewer arrays


def guarded(a):
    """A copy of `a` that ends at a page that nobody may read or write."""
    room = ROOM if a.nbytes <= ROOM else -(-a.nbytes//PAGE)*PAGE
    b = np.ndarray(a.shape, a.dtype, next(FENCED) if room == ROOM else fenced(room), room - a.nbytes)
    if a.size:
        b[...] = a
    return b


def others(a):
    """What may stand in the place of an array, and does not fit."""
    yield None
    yield 3
    yield 2.5
    yield "text"
    yield [1.0, 2.0]
    yield nn.tensor([1.0, 2.0])
    yield np.float32(1)
    if not isinstance(a, np.ndarray):
        for b in (np.zeros(3, np.float32), np.zeros((2, 3)), np.zeros((1, 1, 2, 2), np.int64)):
            yield guarded(b)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in (np.float32, np.float64, np.int64, np.int32, np.uint8, np.bool_, np.float16, np.complex64, "S3",
                      "O", ">f4", "M8[s]", [("x", "f4")], np.longdouble):
            try:
                b = a.astype(dtype)
            except (TypeError, ValueError):
                b = np.zeros(a.shape, dtype)
            yield guarded(b) if dtype != "O" else b
    yield guarded(a.reshape(-1))
    yield guarded(a[None])
    yield guarded(a[..., None])
    yield guarded(a.T)
    yield np.zeros((1,)*40, a.dtype)
    yield guarded(np.zeros((0,)*a.ndim, a.dtype))
    yield guarded(np.zeros((), a.dtype))
    yield guarded(np.resize(a, (*a.shape, 7)))
    for d in range(a.ndim):
        keep = [slice(None)]*a.ndim
        for part in (slice(0, -1), slice(0, 1), slice(0, 0), 0):
            if a.shape[d]:
                keep[d] = part
                yield guarded(a[tuple(keep)])
        yield guarded(np.concatenate([a, a, a], axis=d))
    if a.ndim:
        yield guarded(np.repeat(a, 2, axis=-1))[..., ::2]
        yield guarded(a)[::-1]
    yield np.broadcast_to(a.ravel()[:1].reshape(()) if a.size else np.zeros((), a.dtype), a.shape)


def places(value, path=()):
    """The paths to the arrays, None and numbers in nested tuples and dicts."""
    if isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            yield from places(item, (*path, i))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif value is None or isinstance(value, (np.ndarray, float, bool, int)):
        yield path


def at(value, path):
    return at(value[path[0]], path[1:]) if path else value


def put(value, path, new):
    """A copy of `value` with `new` at the path."""
    if not path:
        return new
    if isinstance(value, dict):
        return {key: put(item, path[1:], new) if key == path[0] else item for key, item in value.items()}
    return type(value)(put(item, path[1:], new) if i == path[0] else item for i, item in enumerate(value))


def fresh(value):
    """The same with every array in guarded memory of its own."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(fresh, value))
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return guarded(value) if isinstance(value, np.ndarray) else value


def each(function, value):
    return tuple(each(function, item) for item in value) if isinstance(value, tuple) else function(value)


def right_calls(name):
    """(args, kwargs) that the function takes, from the records; for the others, by their kind."""
    function = getattr(nn.kernels.compiled, name)
    for op in OPS.values():
        forward, backward = op.forward, op.backward
        if function not in (forward, backward):
            continue
        seen = set()
        for sample in op.samples():
            inputs = tuple(sample.cast(np.float32))
            kind = tuple(getattr(a, "ndim", a) for a in inputs), str(sorted(sample.attrs))
            if kind in seen or any(a.size > 4096 for a in inputs if isinstance(a, np.ndarray)):
                continue
            seen.add(kind)
            if function is forward:
                yield inputs, dict(sample.attrs)
            else:
                y, saved = op.forward(*inputs, **sample.attrs)
                dy = each(lambda a: np.ones_like(a) if a.dtype.kind == "f" else None, y)
                yield (dy, saved), dict(sample.attrs)
            if len(seen) == KINDS:
                return
        return
    rng = np.random.default_rng(SEED)
    matrix, vector = rng.standard_normal((4, 4)).astype(np.float32), np.ones(4, np.float32)
    lists = [matrix.copy(), vector.copy()], [matrix.copy(), vector.copy()]
    try:
        count = len([p for p in inspect.signature(function).parameters.values()
                     if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD])
    except (TypeError, ValueError):
        count = 3
    for value in (matrix, vector, np.ones((2, 3, 4), np.float32), np.ones((1, 2, 5, 5), np.float32), list(lists[0]),
                  1, (4, 4)):
        yield (value,)*count, {}
    for last in (1, 1.5, (2, 2), "float32", np.dtype(np.float32)):
        for value in (matrix, lists[0], np.ones((1, 2, 5, 5), np.float32), np.ones((3, 2, 4), np.float32), (2, 2)):
            for k in range(1, count):
                yield (value,)*(count - k) + (last,)*k, {}
    if name == "ladder_lstm":
        yield (np.ones((3, 2, 4), np.float32), np.ones((2, 5), np.float32), np.ones((2, 5), np.float32),
               np.ones((20, 4), np.float32), np.ones((20, 5), np.float32), np.ones(20, np.float32), 1), {}
    if name == "ladder_conv2d":
        yield (np.ones((1, 2, 5, 5), np.float32), np.ones((3, 2, 3, 3), np.float32), (1, 1), ((0, 0), (0, 0)), 1), {}


QUIET = {"set_num_threads", "set_memory_limit", "set_l2_bytes", "connect_tape", "watch_tape", "multiply_add_peak",
         # settings of the process; the peak takes any number of steps, and runs them
         "use_fields", "use_level"}


def probe(name):
    function = getattr(nn.kernels.compiled, name)
    calls = 0
    for args, kwargs in right_calls(name):
        whole = {"args": args, "kwargs": kwargs}
        for path in [None, *places(whole)]:
            for new in [None] if path is None else others(at(whole, path)):
                call = fresh(whole)
                if path is not None:
                    call = put(call, path, new)
                calls += 1
                try:
                    function(*call["args"], **call["kwargs"])
                except Exception:           # any error will do: that it is one is what is tested
                    pass
    return calls


def positions_in(value, path=()):
    """The paths to the arrays of whole numbers in nested tuples."""
    return [path for path in places(value) if isinstance(at(value, path), np.ndarray)
            and at(value, path).dtype.kind in "iu"]


def wrong_positions(a):
    """Arrays of the same kind that name elements that there are not."""
    info = np.iinfo(a.dtype)
    for value in (info.max, info.min, -1, a.size, 1 << 20, 1 << 30):
        if info.min <= value <= info.max:
            yield np.full_like(a, value)
    yield np.random.default_rng(SEED).integers(info.min, info.max, a.shape, a.dtype, endpoint=True)


def probe_positions(op):
    """Every backward of an op, with any positions in what its forward saved: a gradient of the
    right shape, or an error.
    """
    calls = 0
    for sample in op.samples():
        y, saved = op.forward(*sample.cast(np.float32), **sample.attrs)
        dy = each(lambda a: np.ones_like(a) if a.dtype.kind == "f" else None, y)
        for path in positions_in(saved):
            want = op.backward(dy, saved, **sample.attrs)
            for wrong in wrong_positions(at(saved, path)):
                calls += 1
                try:
                    got = op.backward(dy, put(saved, path, wrong), **sample.attrs)
                except (ValueError, IndexError, nn.FastnnError):
                    continue
                assert [getattr(g, "shape", None) for g in got] == [getattr(w, "shape", None) for w in want], op.name
    return calls


def probe_scratch():
    """Every op in a thread that gets no scratch memory: MemoryError, or it needs none. Returns how
    many did without.
    """
    import resource
    import threading
    calls = []
    for op in OPS.values():
        for sample in op.samples():
            if op.forward is not None:
                inputs = sample.cast(np.float32)
                y, saved = op.forward(*inputs, **sample.attrs)
                dy = each(lambda a: np.ones_like(a) if a.dtype.kind == "f" else None, y)
                calls += [(op.name, op.forward, inputs, sample.attrs),
                          (op.name, op.backward, (dy, saved), sample.attrs)]
    refused = set()

    def run():
        for name, function, args, attrs in calls:
            print("begin", name, flush=True)
            try:
                if function is not None:
                    function(*args, **attrs)
            except MemoryError:
                refused.add(name)
    nn.memory.limit(0)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages*PAGE + (16 << 20), resource.RLIM_INFINITY))
    threading.stack_size(1 << 20)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(refused) > 20, f"there was scratch memory: only {refused} want some"
    return len(calls) - len(refused)


def names():
    """Every function of the compiled module."""
    module = nn.kernels.compiled
    return [name for name in sorted(vars(module)) if not name.startswith("_") and name not in QUIET
            and type(getattr(module, name)).__name__ == "cython_function_or_method"]


if __name__ == "__main__":
    nn.set_num_threads(1)
    warnings.simplefilter("ignore")
    total = 0
    if sys.argv[1:] == ["--scratch"]:
        total = probe_scratch()
    elif sys.argv[1:] == ["--positions"]:
        for op in OPS.values():
            if op.backward is not None:
                print("begin", op.name, flush=True)
                total += probe_positions(op)
    else:
        for name in sys.argv[1:] or names():
            print("begin", name, flush=True)
            total += probe(name)
    print("calls", total, flush=True)
