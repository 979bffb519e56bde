"""Saving and loading: round trips, other programs' files, and files that survive accidents."""

import os
import random
import re
import stat
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections import OrderedDict

import numpy as np
import pytest
from io_cases import both, needs_safetensors, safetensors_file, same, st

import fastnn as nn
from fastnn.io import tree
from fastnn.layers.module import Module

DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]


def random_array(rng):
    dtype = np.dtype(rng.choice(DTYPES))
    shape = tuple(rng.randrange(4) for _ in range(rng.randrange(4)))
    count = int(np.prod(shape, dtype=int))
    if dtype.kind == "b":
        return np.array([rng.random() < 0.5 for _ in range(count)], bool).reshape(shape)
    # NaNs with payloads too
    return np.frombuffer(rng.randbytes(count * dtype.itemsize), dtype).reshape(shape).copy()


def random_state(rng, depth=0):
    """A random dict of everything that can be saved."""
    def value():
        kind = rng.randrange(9 if depth < 3 else 6)
        return [
            lambda: random_array(rng), lambda: nn.tensor(np.float32(rng.random())),
                lambda: rng.choice([None, True, False]),
            lambda: rng.choice([0, -1, 2**63, 10**40]), lambda: rng.choice(["", "text", "ünï\n\0", "\ud800", "$array"]),
            lambda: rng.choice([0.1, -0.0, 1e-310, float("inf"), float("-inf"), float("nan")]),
            lambda: random_state(rng, depth + 1), lambda: [value() for _ in range(rng.randrange(3))],
            lambda: tuple(value() for _ in range(rng.randrange(3)))][kind]()

    keys = ["", "w", "layer.0.weight", "a/b", "a", "b", "..", "../up", "/root", "back\\slash", "ünï", "nul\0", "$array",
            "$x", "__metadata__", "__meta__", "__meta__.json", "array0", "array1", 0, 1, -7, "0", "long" * 400]
    return {key: value() for key in rng.sample(keys, rng.randrange(8))}


# ---- round trips ---------------------------------------------------------------------------------
@both
@pytest.mark.parametrize("seed", range(60))
def test_random_states_come_back(tmp_path, ending, seed):
    state = random_state(random.Random(seed))
    nn.save(state, tmp_path / f"s{ending}")
    loaded = nn.load(tmp_path / f"s{ending}")
    assert same(state, loaded)
    assert os.listdir(tmp_path) == [f"s{ending}"]


@both
def test_names_that_archives_dislike_come_back(tmp_path, ending):
    keys = ["", ".", "..", "../x", "/x", "a\\b", "C:\\x", "nul\0", "new\nline", "ünï", "\ud800", "__metadata__",
            "__meta__", "array0", "array1", "array2", "x" * 70_000, "$array", "a.npy", " ", "%"]
    state = {key: np.full(2, i) for i, key in enumerate(keys)}
    nn.save(state, tmp_path / f"s{ending}")
    assert same(state, nn.load(tmp_path / f"s{ending}"))


@both
def test_paths_that_spell_the_same_name_stay_apart(tmp_path, ending):
    a, b, c, d, e = (np.full(1, i) for i in range(5))
    state = {"a/b": a, "a": {"b": b, "/b": c}, "a/": [d], "array1": e}
    nn.save(state, tmp_path / f"s{ending}")
    assert same(state, nn.load(tmp_path / f"s{ending}"))


@pytest.mark.parametrize("dtype", [*DTYPES, "f2", "c8", "c16", ">f4", ">f8", ">i2", ">u8", ">c8"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (5,), (2, 3), (2, 0, 4), (1, 1, 1, 1, 1, 1)])
def test_npz_keeps_dtype_byte_order_shape_and_memory_order(tmp_path, dtype, shape):
    c = np.asarray(np.random.default_rng(0).integers(0, 2, shape)).astype(dtype)
    f = np.asfortranarray(c) if c.ndim else c
    strided = np.repeat(c, 2, axis=-1)[..., ::-2] if c.ndim else c
    nn.save({"c": c, "f": f, "strided": strided}, tmp_path / "s.npz")
    loaded = nn.load(tmp_path / "s.npz")
    for name, array in (("c", c), ("f", f), ("strided", strided)):
        assert loaded[name].dtype.str == array.dtype.str and loaded[name].shape == shape
        assert np.array_equal(loaded[name], array)
        column_major = array.flags.f_contiguous and not array.flags.c_contiguous
        assert loaded[name].flags.f_contiguous if column_major else loaded[name].flags.c_contiguous
        assert loaded[name].flags.writeable


@needs_safetensors
@pytest.mark.parametrize("dtype", [*DTYPES, ">f4", ">i2"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (5,), (2, 3)])
def test_safetensors_keeps_values_and_shape_of_any_layout(tmp_path, dtype, shape):
    c = np.asarray(np.random.default_rng(0).integers(0, 2, shape)).astype(dtype)
    f = np.asfortranarray(c) if c.ndim else c
    nn.save({"c": c, "f": f}, tmp_path / "s.safetensors")
    for array in nn.load(tmp_path / "s.safetensors").values():
        assert array.dtype == c.dtype.newbyteorder("=") and array.shape == shape and np.array_equal(array, c)
        assert array.flags.writeable and array.dtype.isnative


class Subclass(np.ndarray):
    pass


@both
def test_tensors_parameters_and_subclasses(tmp_path, ending):
    state = OrderedDict(t=nn.tensor([1.0, 2.0]), p=nn.Parameter(np.ones((2, 2), np.float32)),
                        view=np.ones(2).view(Subclass))
    nn.save(state, tmp_path / f"s{ending}")
    loaded = nn.load(tmp_path / f"s{ending}")
    assert list(loaded) == ["t", "p", "view"] and all(type(a) is np.ndarray for a in loaded.values())
    assert same({k: np.asarray(getattr(v, "data", v)) for k, v in state.items()}, loaded)


@both
def test_numpy_scalars_become_python_numbers(tmp_path, ending):
    nn.save({"a": np.float32(0.1), "b": np.int8(3), "c": np.bool_(True), "d": np.float64("nan"), "e": np.str_("x")},
            tmp_path / f"s{ending}")
    assert same(nn.load(tmp_path / f"s{ending}"),
                {"a": float(np.float32(0.1)), "b": 3, "c": True, "d": float("nan"), "e": "x"})


@both
def test_a_whole_checkpoint_and_a_model(tmp_path, ending):
    class Tiny(Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32))
            self.register_buffer("count", nn.tensor(np.array(5)))

    model = Tiny()
    nn.save(model.state_dict(), tmp_path / f"m{ending}")
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": {"state": {0: {"step": 7, "exp_avg": np.ones((2, 3), np.float32)}},
                      "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}]},
        "loader": {"seed": 0, "epoch": 3, "position": 0}, "history": {"loss": [0.5, 0.25]}, "best": None,
        "rng": np.random.Philox(key=5).state,
    }
    nn.save(checkpoint, tmp_path / f"c{ending}")
    loaded = nn.load(tmp_path / f"c{ending}")
    assert same(checkpoint, loaded)
    for state in (nn.load(tmp_path / f"m{ending}"), loaded["model"]):
        fresh = Tiny()
        fresh.weight.data[:] = 0
        assert repr(fresh.load_state_dict(state)) == "<All keys matched successfully>"
        assert np.array_equal(fresh.weight.data, model.weight.data)


@both
def test_the_same_state_gives_the_same_bytes(tmp_path, ending):
    state = {"b": np.arange(4), "a": {"x": np.zeros(3)}, "n": 1}
    nn.save(state, tmp_path / f"1{ending}")
    nn.save(state, str(tmp_path / f"2{ending.upper()}"))        # text, and an ending in capitals
    assert (tmp_path / f"1{ending}").read_bytes() == (tmp_path / f"2{ending.upper()}").read_bytes()


def test_zip64(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 300)                 # as if 300 bytes were 2 GB
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    state = {f"w{i}": np.full(100, i) for i in range(5)}
    nn.save(state, tmp_path / "s.npz")
    assert same(state, nn.load(tmp_path / "s.npz"))
    assert b"PK\6\6" in (tmp_path / "s.npz").read_bytes()


# ---- other programs ------------------------------------------------------------------------------
def test_a_flat_npz_is_numpys(tmp_path):
    state = {"conv.weight": np.ones((2, 3), np.float32), "conv.bias": np.zeros(2)}
    nn.save(state, tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz", allow_pickle=False) as archive:
        assert archive.files == ["conv.weight", "conv.bias"] and same(state, dict(archive))
    nn.save({"net": state, "epoch": 1}, tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz", allow_pickle=False) as archive:
        assert archive.files == ["__meta__.json", "net/conv.weight", "net/conv.bias"]
        assert np.array_equal(archive["net/conv.weight"], state["conv.weight"])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_numpys_npz(tmp_path, save):
    state = {"a": np.arange(1000.0), "ünï": np.asfortranarray(np.ones((3, 4))), "sub/b": np.zeros((0, 2), ">i4"),
             "0d": np.array(5)}
    save(tmp_path / "s.npz", **state)
    assert same(state, nn.load(tmp_path / "s.npz"))
    save(tmp_path / "s.npz")
    assert nn.load(tmp_path / "s.npz") == {}


@needs_safetensors
def test_safetensors_written_by_us_and_by_others(tmp_path):
    state = {"z": np.ones((2, 3), np.float32), "a": np.zeros(2, np.int64)}
    nn.save(state, tmp_path / "s.safetensors")
    theirs = st.load_file(tmp_path / "s.safetensors")
    assert theirs.keys() == state.keys() and all(same(state[key], theirs[key]) for key in state)
    for metadata in (None, {"format": "pt"}):
        st.save_file(state, tmp_path / "s.safetensors", metadata)
        loaded = nn.load(tmp_path / "s.safetensors")
        assert same(dict(sorted(state.items())), dict(sorted(loaded.items())))


@needs_safetensors
def test_safetensors_data_starts_at_a_multiple_of_8(tmp_path):
    # programs map the file into memory and want it aligned
    for n in range(9):
        nn.save({"w" * n: np.ones(3), "text": "x" * n}, tmp_path / "s.safetensors")
        assert int.from_bytes((tmp_path / "s.safetensors").read_bytes()[:8], "little") % 8 == 0


@needs_safetensors
def test_safetensors_16_bit_floats_are_widened_exactly(tmp_path):
    bits = np.arange(65536, dtype="<u2")
    path = safetensors_file(tmp_path / "s.safetensors", {
        "b": {"dtype": "BF16", "shape": [256, 256], "data_offsets": [0, 131072]},
        "h": {"dtype": "F16", "shape": [65536], "data_offsets": [131072, 262144]}}, bits.tobytes() * 2)
    loaded = nn.load(path)
    assert loaded["b"].dtype == loaded["h"].dtype == np.float32 and loaded["b"].shape == (256, 256)
    # a bfloat16 is the upper half of a float32; a float16 is what struct's "e" reads
    assert loaded["b"].tobytes() == b"".join(b"\0\0" + struct.pack("<H", i) for i in range(65536))
    expected = np.array([struct.unpack("<e", struct.pack("<H", i))[0] for i in range(65536)])
    assert np.array_equal(loaded["h"], expected, equal_nan=True)


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: nn.save({}, tmp_path / "s.safetensors"), lambda: nn.load(tmp_path / "s.safetensors")):
        with pytest.raises(ImportError,
                           match=re.escape('need the package safetensors: pip install "fastnn-engine[safetensors]"')):
            call()
    assert os.listdir(tmp_path) == []


def test_import_does_not_pay_for_formats():
    code = "import sys, fastnn; print(any(m in sys.modules for m in ('fastnn.io.npz', 'safetensors')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# ---- what cannot be saved ------------------------------------------------------------------------
class Thing:
    pass


def cycle():
    state = {}
    state["self"] = state
    return state


@pytest.mark.parametrize("state, error, words", [
    ({"a": {"b": [1, Thing()]}}, nn.DTypeError, "cannot save state['a']['b'][1], expected an array, a Tensor"),
    ({"a": {1, 2}}, nn.DTypeError, "cannot save state['a']"),
    ({"a": b"x"}, nn.DTypeError, "got bytes"),
    ({"a": 1j}, nn.DTypeError, "got complex"),
    ({"a": np.array([None])}, nn.DTypeError, "cannot save state['a'], expected an array of numbers, got dtype object"),
    ({"a": np.array(["x"])}, nn.DTypeError, "got dtype <U1"),
    ({"a": np.zeros(2, "f4,i4")}, nn.DTypeError, "expected an array of numbers"),
    ({"a": {1.5: 0}}, nn.DTypeError,
     "cannot save state['a'], expected keys that are strings or integers, got the key 1.5"),
    ({True: 0}, nn.DTypeError, "got the key True"),
    (cycle(), nn.FileError, "nested deeper than 64 levels. Does it contain itself?"),
    ([1, 2], nn.DTypeError, 'save: expected a dict, got list. Write save({"x": x}, path).'),
    (np.zeros(2), nn.DTypeError, "got ndarray"),
    (Module(), nn.DTypeError, "expected a dict, got Module. Save model.state_dict()."),
])
@both
def test_refuses_what_needs_pickle_and_writes_nothing(tmp_path, ending, state, error, words):
    path = tmp_path / f"s{ending}"
    path.write_bytes(b"old")
    with pytest.raises(error) as caught:
        nn.save(state, path)
    assert words in str(caught.value)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == [path.name]


@needs_safetensors
@pytest.mark.parametrize("dtype", ["c8", "c16", "g"])
def test_safetensors_refuses_dtypes_without_a_word(tmp_path, dtype):
    with pytest.raises(nn.DTypeError,
                       match=r"the array 'a/b' does not go into a .safetensors file, got dtype .*as .npz"):
        nn.save({"a": {"b": np.zeros(2, dtype)}}, tmp_path / "s.safetensors")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["model.pth", "model", "model.npz.gz", "npz"])
def test_other_endings(tmp_path, name):
    words = re.escape("expected a file name that ends in .npz or .safetensors, got '")
    with pytest.raises(nn.FileError, match="save: " + words):
        nn.save({}, tmp_path / name)
    with pytest.raises(nn.FileError, match="load: " + words):
        nn.load(str(tmp_path / name))


# ---- accidents while saving ----------------------------------------------------------------------
OLD = {"w": np.arange(5.0), "epoch": 1}
NEW = {"w": np.arange(200_000.0), "v": np.ones(100_000), "epoch": 2}


@both
@pytest.mark.parametrize("limit", [0, 1, 1000, 100_000, 1_600_000, 2_400_000])
@pytest.mark.parametrize("existing", [True, False])
def test_full_disk(tmp_path, ending, limit, existing):
    """No file can grow past the limit, in the middle of a write, as on a full disk."""
    resource = pytest.importorskip("resource")
    path = tmp_path / f"s{ending}"
    if existing:
        nn.save(OLD, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError) as caught:
            nn.save(NEW, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "while saving; nothing was written, and a file that was there is unchanged" in str(caught.value)
    assert str(path) in str(caught.value)
    assert os.listdir(tmp_path) == ([path.name] if existing else [])
    if existing:
        assert same(OLD, nn.load(path))
    nn.save(NEW, path)
    assert same(NEW, nn.load(path))


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@both
def test_ctrl_c_while_saving(tmp_path, ending, where, monkeypatch):
    path = tmp_path / f"s{ending}"
    nn.save(OLD, path)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    if where == "write":
        module = sys.modules["fastnn.io" + ending]
        inner = module.write
        monkeypatch.setattr(module, "write", lambda *args: (inner(*args), interrupt()))
    else:
        monkeypatch.setattr(os, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        nn.save(NEW, path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == [path.name] and same(OLD, nn.load(path))


def test_a_process_that_dies_while_saving(tmp_path):
    path = tmp_path / "s.npz"
    nn.save(OLD, path)
    code = ("import os, sys, numpy as np, fastnn as nn; os.fsync = lambda f: os._exit(7);"
            "nn.save({'w': np.arange(200_000.0)}, sys.argv[1])")
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == 7
    assert same(OLD, nn.load(path))


def test_readers_never_see_half_a_file(tmp_path):
    path = tmp_path / "s.npz"
    states = [{"w": np.full(20_000, i), "n": i} for i in range(2)]
    nn.save(states[0], path)
    done = threading.Event()
    problems = []

    def read():
        while not done.is_set():
            state = nn.load(path)
            if not same(state, states[state["n"]]):
                problems.append(state)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(40):
        nn.save(states[i % 2], path)
    done.set()
    reader.join()
    assert not problems


@pytest.mark.skipif(os.name != "posix", reason="links and modes are POSIX's")
def test_links_and_modes_stay(tmp_path):
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    nn.save(OLD, real)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~umask
    real.chmod(0o640)
    link.symlink_to(real)
    nn.save(NEW, link)
    assert link.is_symlink() and same(NEW, nn.load(real)) and stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["\U0001f600" * 60, "\u00fc" * 120, "a" * 250, "a" + "\u20ac" * 80])
@pytest.mark.parametrize("ending", [".npz"])
def test_names_as_long_as_the_file_system_takes(tmp_path, name, ending):
    """Names are cut by bytes, of which a character may have four, and never within one."""
    path = tmp_path / (name + ending)
    assert 240 <= len(os.fsencode(path.name)) <= 255
    for state in (OLD, NEW):
        nn.save(state, path)
        assert same(state, nn.load(path)) and os.listdir(tmp_path) == [path.name]


posix = pytest.mark.skipif(os.name != "posix", reason="links, modes and signals are POSIX's")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o604, 0o666, None])
def test_nobody_else_reads_the_file_while_it_is_written(tmp_path, mode, monkeypatch):
    path = tmp_path / "s.npz"
    if mode is not None:
        path.write_bytes(b"old")
        path.chmod(mode)
    seen = []
    create, write = os.open, np.lib.format.write_array

    def look(*args, **kwargs):
        descriptor = create(*args, **kwargs)
        seen.extend(stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir() if entry.suffix == ".tmp")
        return descriptor

    def write_and_look(*args, **kwargs):
        write(*args, **kwargs)
        seen.extend(stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir() if entry.suffix == ".tmp")
    monkeypatch.setattr(os, "open", look)
    monkeypatch.setattr(np.lib.format, "write_array", write_and_look)
    umask = os.umask(0o022)
    try:
        nn.save(NEW, path)
    finally:
        os.umask(umask)
    wanted = 0o644 if mode is None else mode
    assert len(seen) >= 3 and all(m & ~wanted == 0 for m in seen), [oct(m) for m in seen]
    assert stat.S_IMODE(path.stat().st_mode) == wanted and set(seen[1:]) <= {wanted, wanted & ~0o022}


KILLED = """if True:
    import os, sys, numpy as np, fastnn as nn
    os.fsync = lambda file: os.kill(os.getpid(), 9)
    nn.save({'w': np.arange(200_000.0)}, sys.argv[1])
"""


@posix
def test_what_killed_processes_leave_goes_with_the_next_save(tmp_path):
    path, other = tmp_path / ("\u00fc" * 60 + ".npz"), tmp_path / "other.npz"
    nn.save(OLD, path)
    for target in (path, path, other):
        assert subprocess.run([sys.executable, "-c", KILLED, target]).returncode == -9
    assert len(os.listdir(tmp_path)) == 3 and same(OLD, nn.load(path))
    nn.save(NEW, path)
    left = sorted(os.listdir(tmp_path))
    assert left[0].startswith(".other.npz.") and left[1:] == [path.name] and same(NEW, nn.load(path))
    nn.save(NEW, other)
    assert sorted(os.listdir(tmp_path)) == ["other.npz", path.name]


@posix
def test_what_others_are_writing_stays(tmp_path):
    """A file that is locked, one of a process that runs, and what only looks like one."""
    import fcntl

    from fastnn.io.atomic import atomic_write

    path, dead = tmp_path / "s.npz", 2**22 + 7              # above the largest number of a process
    locked = tmp_path / f".s.npz.{dead}-00000001.tmp"
    kept = [f".s.npz.{os.getppid()}-00000002.tmp", f".s.npz.{dead}-0000003.tmp", f".s.npz.{dead}-00000004.tmp.x",
            f".t.npz.{dead}-00000005.tmp", f"s.npz.{dead}-00000006.tmp", f".s_npz.{dead}-00000007.tmp"]
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / f".s.npz.{dead}-00000008.tmp").symlink_to(tmp_path / kept[0])
    (tmp_path / f".s.npz.{dead}-00000009.tmp").mkdir()
    gone = tmp_path / f".s.npz.{dead}-0000000a.tmp"
    reused = tmp_path / f".s.npz.{os.getpid()}-0000000b.tmp"        # another process had our number
    for file in (gone, reused):
        file.touch()
    os.utime(reused, (1e9, 1e9))
    with open(locked, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with atomic_write(path):
            nn.save(OLD, path)                      # two of this process at a time
            assert sum(name.startswith(f".s.npz.{os.getpid()}-") for name in os.listdir(tmp_path)) == 1
    assert not gone.exists() and not reused.exists()
    assert set(os.listdir(tmp_path)) == {*kept, "s.npz", locked.name, f".s.npz.{dead}-00000008.tmp",
                                         f".s.npz.{dead}-00000009.tmp"}


@posix
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_that_is_not_followed_is_replaced(tmp_path, dangling):
    from fastnn.io.atomic import atomic_write

    precious, link = tmp_path / "precious", tmp_path / "link"
    if not dangling:
        precious.write_bytes(b"precious")
        precious.chmod(0o600)
    link.symlink_to(precious)
    with atomic_write(link, follow_links=False) as file:
        file.write(b"new")
    assert not link.is_symlink() and link.read_bytes() == b"new" and precious.exists() != dangling
    assert dangling or precious.read_bytes() == b"precious"


@both
def test_paths_that_are_not_there(tmp_path, ending):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        nn.save(OLD, tmp_path / "nowhere" / f"s{ending}")
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / f"s{ending}")
    (tmp_path / f"d{ending}").mkdir()
    with pytest.raises(OSError, match="nothing was written"):
        nn.save(OLD, tmp_path / f"d{ending}")
    with pytest.raises(OSError):
        nn.load(tmp_path / f"d{ending}")
    assert os.listdir(tmp_path) == [f"d{ending}"]


# ---- the encoding --------------------------------------------------------------------------------
def test_the_encoding_is_what_the_documentation_says():
    w = np.zeros(1)
    state = {"a": [w, (1, None)], "b": {1: w, "$x": 2.5}, "c": float("-inf"), "ü": w}
    structure, arrays = tree.flatten(state)
    assert structure == {
        "a": [{"$array": "a/0"}, {"$tuple": [1, None]}],
        "b": {"$dict": [[1, {"$array": "b/1"}], ["$x", 2.5]]},
        "c": {"$float": "-inf"},
        "ü": {"$array": "array2"},
    }
    assert list(arrays) == ["a/0", "b/1", "array2"] and all(array is w for array in arrays.values())
    assert tree.dumps({"x": 1}) == '{"fastnn":1,"state":{"x":1}}'


def test_npz_checksums_are_crc32(tmp_path):
    nn.save({"w": np.arange(3.0)}, tmp_path / "s.npz")
    with zipfile.ZipFile(tmp_path / "s.npz") as file:
        assert file.testzip() is None and file.infolist()[0].CRC == zlib.crc32(file.read("w.npy"))
