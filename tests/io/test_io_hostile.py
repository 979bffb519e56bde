"""Loading files that are damaged or hostile: a FileError or the right data, nothing else."""

import io
import pickle
import random
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from io_cases import both, needs_safetensors, safetensors_file, same, st

import fastnn as nn
from fastnn.io import npz

# ---- damaged files -------------------------------------------------------------------------------
SMALL = {"m": {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False])},
         "e": [1, 2.5, "x", None]}


def damaged_or_same(path, expected):
    """Load; True if it was refused with a FileError that names the file, False if it came back
    right. Never anything else.
    """
    try:
        loaded = nn.load(path)
    except nn.FileError as error:
        assert str(path) in str(error)
        return True
    assert same(expected, loaded), f"silently wrong: {loaded}"
    return False


def overwrite(path, data):
    """As write_bytes, without cutting the file to nothing first: file systems then wait for the
    disk, 5 ms each time.
    """
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()


def small_file(path, compressed=False):
    if compressed:
        np.savez_compressed(path, **SMALL["m"])
        return SMALL["m"]
    nn.save(SMALL, path)
    return SMALL


CASES = [("s.npz", False), ("s.npz", True), pytest.param("s.safetensors", False, marks=needs_safetensors)]


@pytest.mark.parametrize("name, compressed", CASES)
def test_every_truncation_is_noticed(tmp_path, name, compressed):
    path = tmp_path / name
    small_file(path, compressed)
    data = path.read_bytes()
    for length in range(len(data)):
        overwrite(path, data[:length])
        assert damaged_or_same(path, None), f"cut to {length} of {len(data)} bytes"


@pytest.mark.parametrize("name, compressed", CASES)
def test_no_flipped_bit_gives_wrong_data(tmp_path, name, compressed):
    path = tmp_path / name
    expected = small_file(path, compressed)
    data = path.read_bytes()
    noticed = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        overwrite(path, flipped)
        noticed += damaged_or_same(path, expected)
    # what passes is what no one reads: times, versions, permissions, the padding of headers
    assert noticed / (8 * len(data)) > 0.5


@pytest.mark.parametrize("name, compressed", CASES)
def test_no_random_damage_gives_wrong_data(tmp_path, name, compressed):
    path = tmp_path / name
    expected = small_file(path, compressed)
    data, rng = path.read_bytes(), random.Random(0)
    for _ in range(1500):
        broken = bytearray(data)
        a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        how = rng.randrange(4)
        if how == 0:
            broken[a:b] = rng.randbytes(b - a)
        elif how == 1:
            del broken[a:b]
        elif how == 2:
            broken[a:a] = broken[a:b]
        else:
            broken[a:b] = bytes(b - a)
        overwrite(path, broken)
        damaged_or_same(path, expected)


@pytest.mark.parametrize("content, words", [
    (b"", "the file is empty"),
    (b"hello world, this is text" * 9, "it is not an .npz archive: it starts with b'hello '"),
    (pickle.dumps({"a": 1}), "it is a pickle, which fastnn never reads. Pickles run code."),
    (b"\x93NUMPY\x01\x00", "it is a single .npy array, not an .npz archive. Read it with numpy.load."),
    (b"PK\3\4" + bytes(200), "the directory at its end is missing or damaged, so the file was probably cut short"),
])
def test_files_that_are_not_npz(tmp_path, content, words):
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(nn.FileError) as caught:
        nn.load(tmp_path / "s.npz")
    assert words in str(caught.value) and str(caught.value).startswith(f"cannot load {tmp_path / 's.npz'}: ")


# ---- hostile npz ---------------------------------------------------------------------------------
def npy(header, data=b"", version=1, length=None):
    text = header if isinstance(header, bytes) else header.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def archive(path, members, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                 # zipfile warns about the second of a name
        with zipfile.ZipFile(path, "w", **kwargs) as file:
            for name, content in members:
                file.writestr(zipfile.ZipInfo(name), content, kwargs.get("compression"))
    return path


GOOD = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", bytes(8))


def header(descr="<f4", order=False, shape=(2,)):
    return f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}}}"


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


def test_pickles_are_never_run(tmp_path):
    mark = tmp_path / "was-run"
    bomb = np.array([Bomb(str(mark))])
    np.savez(tmp_path / "s.npz", bomb, allow_pickle=True)
    with pytest.raises(nn.FileError, match="holds Python objects, which are pickles, and fastnn never reads pickles"):
        nn.load(tmp_path / "s.npz")
    archive(tmp_path / "s.npz", [("model/data.pkl", pickle.dumps(Bomb(str(mark)))), ("model/data/0", b"x")])
    with pytest.raises(nn.FileError, match=r"it is a PyTorch file of pickles.*safetensors.torch.save_file"):
        nn.load(tmp_path / "s.npz")
    assert not mark.exists()


@pytest.mark.parametrize("content, words", [
    (npy(header(shape=(2**40,)), bytes(8)), "claims shape (1099511627776,) of float32, 4398046511104 bytes, and has 8"),
    (npy(header(shape=(2**62, 2**62)), bytes(8)), "claims shape"),
    (npy(header(shape=(0, 2**70))), "cannot load"),
    (npy(header(shape=(3,)), bytes(8)), "claims shape (3,) of float32, 12 bytes, and has 8"),
    (npy(header(), bytes(9)), "8 bytes, and has 9"),
    (npy(header(shape=(-1,)), bytes(8)), "has a header that is not NumPy's"),
    (npy(header(shape=(True, 2)), bytes(8)), "has a header that is not NumPy's"),
    (npy(header(shape=[2]), bytes(8)), "has a header that is not NumPy's"),
    (npy(header(order=1), bytes(8)), "has a header that is not NumPy's"),
    (npy(header(descr="|O"), bytes(16)), "holds Python objects"),
    (npy(header(descr=[("a", "|O")]), bytes(16)), "holds Python objects"),
    (npy(header(descr=[("a", "<f4")]), bytes(8)), "does not hold numbers but [('a', '<f4')]"),
    (npy(header(descr="<U1"), bytes(8)), "does not hold numbers but '<U1'"),
    (npy(header(descr="<M8[s]"), bytes(16)), "does not hold numbers"),
    (npy(header(descr="<f3"), bytes(6)), "cannot load"),
    (npy(header(descr="|b1"), b"\0\2"), "has booleans other than 0 and 1"),
    (npy("__import__('os').abort()", bytes(8)), "has a header that is not NumPy's (ValueError)"),
    (npy("(" * 5000), "has a header that is not NumPy's"),
    (npy("[]"), "has a header that is not NumPy's"),
    (npy(b"\xff\xfe"), "has a header that is not NumPy's"),
    (npy(header(), bytes(8), version=2, length=2**32 - 1), "has a header of 4294967295 bytes"),
    (npy(header(), bytes(8), version=9), "is not an array in NumPy's format"),
    (b"\x93NUMP", "is not an array in NumPy's format"),
    (b"plain text that is not an array", "is not an array in NumPy's format"),
])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_hostile_array_headers(tmp_path, content, words, compression):
    path = archive(tmp_path / "s.npz", [("good.npy", GOOD), ("bad.npy", content)], compression=compression)
    tracemalloc.start()
    try:
        with pytest.raises(nn.FileError) as caught:
            nn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    assert words in str(caught.value)


def test_the_handmade_member_is_good(tmp_path):
    for version in (1, 2, 3):
        content = npy(header(), struct.pack("<2f", 1, 2), version=version)
        assert nn.load(archive(tmp_path / "s.npz", [("good.npy", content)]))["good"].tolist() == [1, 2]


@pytest.mark.parametrize("members, words", [
    ([("a.npy", GOOD), ("a.npy", GOOD)], "it has two members named 'a.npy'"),
    ([("../a.npy", GOOD)], "'../a.npy' has a name that leads out of the archive. Do not use this file."),
    ([("x/../../a.npy", GOOD)], "leads out of the archive"),
    ([("/etc/a.npy", GOOD)], "leads out of the archive"),
    ([("..\\a.npy", GOOD)], "leads out of the archive"),
    ([("a.txt", b"hello")], "its member 'a.txt' is not an array"),
    ([("folder/", b"")], "its member 'folder/' is not an array"),
])
def test_hostile_names(tmp_path, members, words):
    with pytest.raises(nn.FileError) as caught:
        nn.load(archive(tmp_path / "s.npz", members))
    assert words in str(caught.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_methods(tmp_path, method):
    with pytest.raises(nn.FileError, match=f"uses compression method {method}"):
        nn.load(archive(tmp_path / "s.npz", [("a.npy", GOOD)], compression=method))


def patch_directory(path, offset, layout, value, member=0):
    """Overwrite a field of a member's record in the zip's central directory."""
    data = bytearray(path.read_bytes())
    start = -1
    for _ in range(member + 1):
        start = data.index(b"PK\1\2", start + 1)
    struct.pack_into(layout, data, start + offset, value)
    path.write_bytes(data)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_claims_more_than_it_can_hold(tmp_path, compression):
    path = archive(tmp_path / "s.npz", [("a.npy", GOOD)], compression=compression)
    patch_directory(path, 24, "<I", 2**31)
    with pytest.raises(nn.FileError, match="claims 2147483648 bytes, more than it can hold"):
        nn.load(path)


def test_a_zip_bomb_of_overlapping_members(tmp_path):
    path = archive(tmp_path / "s.npz", [("a.npy", npy(header(shape=(1000,)), bytes(4000))), ("b.npy", GOOD)])
    patch_directory(path, 20, "<I", 4100, member=1)
    patch_directory(path, 24, "<I", 4100, member=1)
    with pytest.raises(nn.FileError, match="the directory of the archive does not fit its content"):
        nn.load(path)


def test_deflated_zeros_at_the_best_ratio_are_no_bomb(tmp_path):
    state = {"zeros": np.zeros(3_000_000, np.uint8)}
    np.savez_compressed(tmp_path / "s.npz", **state)
    assert (tmp_path / "s.npz").stat().st_size < 4000
    assert same(state, nn.load(tmp_path / "s.npz"))


def test_a_deflated_member_shorter_than_claimed(tmp_path):
    content = npy(header(shape=(1000,)), bytes(3000))
    path = archive(tmp_path / "s.npz", [("a.npy", content)], compression=zipfile.ZIP_DEFLATED)
    patch_directory(path, 24, "<I", len(content) + 1000)
    with pytest.raises(nn.FileError):
        nn.load(path)


def test_bytes_that_belong_to_no_member(tmp_path):
    path = archive(tmp_path / "s.npz", [("a.npy", GOOD), ("b.npy", GOOD)])
    data = path.read_bytes()
    directory = data.index(b"PK\1\2")
    prefixed = b"PK" + data                 # zipfile allows it, for programs that unpack themselves
    gap = data[:directory] + b"gap" + data[directory:]
    counts_none = data[:-22] + b"PK\5\6" + bytes(18)
    for broken in (prefixed, gap, counts_none):
        path.write_bytes(broken)
        with zipfile.ZipFile(path) as file:
            assert file.namelist() in ([], ["a.npy", "b.npy"])
        with pytest.raises(nn.FileError, match="does not fit its content"):
            nn.load(path)


def test_an_archive_written_to_a_pipe(tmp_path):
    """Its sizes come behind the data, where a writer that cannot seek puts them."""
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe, state = Pipe(), {"a": np.arange(10.0), "b": np.zeros(0)}
    np.savez(pipe, **state)
    (tmp_path / "s.npz").write_bytes(pipe.data)
    assert same(state, nn.load(tmp_path / "s.npz"))


def test_encrypted_member(tmp_path):
    path = archive(tmp_path / "s.npz", [("a.npy", GOOD)])
    patch_directory(path, 8, "<H", 1)
    with pytest.raises(nn.FileError, match=r"'a.npy' is encrypted\. Save it without a password."):
        nn.load(path)


def test_a_directory_that_lost_members(tmp_path):
    """A comment length can swallow the records behind it, and zipfile does not mind."""
    path = archive(tmp_path / "s.npz", [("a.npy", GOOD), ("b.npy", GOOD)])
    patch_directory(path, 32, "<H", 0x7000)
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == ["a.npy"]
    with pytest.raises(nn.FileError, match="the directory of the archive does not fit its content"):
        nn.load(path)


@pytest.mark.parametrize("text, words", [
    ("not json", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ("[]", "is not one of fastnn's"),
    ('{"fastnn": 1}', "is not one of fastnn's"),
    ('{"fastnn": 2, "state": {}}', "version 2 of the encoding, and this fastnn reads 1. Install the newest fastnn."),
    ('{"fastnn": 1, "state": {}}', "the array 'a' has no place in the structure"),
    ('{"fastnn": 1, "state": {"x": {"$array": "a"}, "y": {"$array": "a"}}}', "wrong at $array 'a'"),
    ('{"fastnn": 1, "state": {"x": {"$array": "b"}}}', "wrong at $array 'b'"),
    ('{"fastnn": 1, "state": {"x": {"$array": ["a"]}}}', "wrong at $array"),
    ('{"fastnn": 1, "state": {"x": {"$array": "a", "y": 1}}}', "wrong at $array"),
    ('{"fastnn": 1, "state": {"x": {"$call": "os.abort"}}}', "wrong at $call 'os.abort'"),
    ('{"fastnn": 1, "state": {"x": {"$float": "1e5"}}}', "wrong at $float"),
    ('{"fastnn": 1, "state": {"x": {"$float": ["nan"]}}}', "wrong at $float"),
    ('{"fastnn": 1, "state": {"x": {"$tuple": {}}}}', "wrong at $tuple"),
    ('{"fastnn": 1, "state": {"x": {"$dict": [[1]]}}}', "wrong at $dict"),
    ('{"fastnn": 1, "state": {"x": {"$dict": [[[], 1]]}}}', "wrong at $dict"),
])
def test_hostile_structures(tmp_path, text, words):
    with pytest.raises(nn.FileError) as caught:
        nn.load(archive(tmp_path / "s.npz", [(npz.META, text), ("a.npy", GOOD)]))
    assert words in str(caught.value)


@both
@pytest.mark.parametrize("depth", [66, 300, 900])
@pytest.mark.parametrize("left, right", [('{"a":', "}"), ("[", "]"), ('{"$tuple":[', "]}")])
def test_what_save_would_not_write_is_not_read(tmp_path, ending, depth, left, right):
    state = f'{{"x":{left * depth}1{right * depth}}}'
    with pytest.raises(nn.FileError, match=r"nested deeper than 64 levels|recursion"):
        nn.load(described(tmp_path / f"s{ending}", f'{{"fastnn":1,"state":{state}}}'))


@both
@pytest.mark.parametrize("state, words", [
    ('{"x":1,"x":2}', "a name twice"), ('{"y":{"x":1,"x":1}}', "a name twice"), ('{"x":NaN}', "NaN for a number"),
    ('{"x":{"$dict":[[1,2],[1,3]]}}', "a name twice"), ('{"x":-Infinity}', "-Infinity for a number"),
    ('{"x":1e999}', "1e999 for a number"), ('{"x":{"b":1,"$array":"a"}}', r"wrong at \$array"),
    ('{"x":{"b":1,"$tuple":[]}}', r"wrong at \$tuple"), ('{"x":' + "9" * 5000 + "}", "4300 digits"),
])
def test_descriptions_that_mean_two_things(tmp_path, ending, state, words):
    with pytest.raises(nn.FileError, match=words):
        nn.load(described(tmp_path / f"s{ending}", f'{{"fastnn":1,"state":{state}}}'))
    with pytest.raises(nn.FileError, match="version True"):
        nn.load(described(tmp_path / f"s{ending}", '{"fastnn":true,"state":{}}'))


def described(path, text):
    """A file without arrays that has this description of its structure."""
    if path.suffix == ".npz":
        return archive(path, [(npz.META, text)])
    from fastnn.io.safetensors import _checksum
    return safetensors_file(path, {"__metadata__": {"__meta__": text, "__crc32__": _checksum(text, {})}})


def test_a_description_that_is_a_bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(npz.META, b" " * (npz.META_FREE + 1))
    with pytest.raises(nn.FileError, match="more than a description takes"):
        nn.load(tmp_path / "s.npz")


def test_an_array_for_which_there_is_no_memory(tmp_path, monkeypatch):
    nn.save({"w": np.zeros(1000)}, tmp_path / "s.npz")

    def none_left(*args):
        raise MemoryError("Unable to allocate")
    monkeypatch.setattr(npz.np, "empty", none_left)
    with pytest.raises(nn.FileError, match=r"'w.npy' holds 8,000 bytes, for which there is no memory. Load it on"):
        nn.load(tmp_path / "s.npz")


def test_running_out_of_memory_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    nn.save(SMALL, tmp_path / "s.npz")
    monkeypatch.setattr(npz, "_read_array", lambda *args: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        nn.load(tmp_path / "s.npz")


# ---- hostile safetensors -------------------------------------------------------------------------
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@needs_safetensors
@pytest.mark.parametrize("head, data, words", [
    ({"a": {**ENTRY, "shape": [2**60]}}, bytes(8), "cannot load"),
    ({"a": {**ENTRY, "shape": [2**63, 2**63]}}, bytes(8), "cannot load"),
    ({"a": {**ENTRY, "shape": [-2]}}, bytes(8), "cannot load"),
    ({"a": {**ENTRY, "data_offsets": [0, 2**50]}}, bytes(8), "cannot load"),
    ({"a": {**ENTRY, "data_offsets": [8, 0]}}, bytes(8), "cannot load"),
    ({"a": ENTRY, "b": ENTRY}, bytes(8), "cannot load"),            # two arrays on the same bytes
    ({"a": ENTRY}, bytes(9), "cannot load"),
    ({"a": ENTRY}, bytes(7), "cannot load"),
    ({"a": {**ENTRY, "dtype": "F128"}}, bytes(8), "cannot load"),
    ({"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, bytes(2),
     "the array 'a' is of type F8_E4M3, which NumPy does not have. Convert it to F32"),
    ({"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}, b"\0\2", "'a' has booleans other than 0 and 1"),
    (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
     bytes(8), "its header has a name twice"),
    (b"not json", b"", "cannot load"),
    (b"[" * 200_000, b"", "cannot load"),
    ({"a": ENTRY, "__metadata__": {"__meta__": "{}"}}, bytes(8), "its metadata is damaged"),
    ({"a": ENTRY, "__metadata__": {"__crc32__": "0"}}, bytes(8), "its metadata is damaged"),
    ({"a": ENTRY, "__metadata__": {"__meta__": "{}", "__crc32__": "00000000"}}, bytes(8), "its checksum is wrong"),
    ({"a": ENTRY, "__metadata__": {"__meta__": 5}}, bytes(8), "cannot load"),
])
def test_hostile_safetensors(tmp_path, head, data, words):
    path = safetensors_file(tmp_path / "s.safetensors", head, data)
    with pytest.raises(nn.FileError) as caught:
        nn.load(path)
    assert words in str(caught.value)


@needs_safetensors
def test_the_handmade_safetensors_is_good(tmp_path):
    path = safetensors_file(tmp_path / "s.safetensors", {"a": ENTRY}, struct.pack("<2f", 1, 2))
    assert nn.load(path)["a"].tolist() == [1, 2]


@needs_safetensors
@pytest.mark.parametrize("content, words", [
    (struct.pack("<Q", 2**60) + b"{}", "cannot load"),
    (b"", "cannot load"),
    (b"PK\3\4" + bytes(100), "it is a zip archive (.npz or PyTorch's .pth)"),
    (pickle.dumps({"a": 1}), "it is a pickle, which fastnn never reads"),
])
def test_files_that_are_not_safetensors(tmp_path, content, words):
    (tmp_path / "s.safetensors").write_bytes(content)
    with pytest.raises(nn.FileError) as caught:
        nn.load(tmp_path / "s.safetensors")
    assert words in str(caught.value)


@needs_safetensors
@pytest.mark.parametrize("old, new", [(b'"F32"', b'"I32"'), (b"[0,4]", b"[0,5]"), (b"[2,3]", b"[3,2]"),
                                      (b'"b":{', b'"c":{')])
def test_a_header_that_lies_plausibly(tmp_path, old, new):
    """The package cannot know better: the sizes still fit."""
    path = tmp_path / "s.safetensors"
    nn.save({"a": np.ones((2, 3), np.float32), "b": np.zeros((0, 4))}, path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    meta = data.index(b'"__crc32__"') + 20
    assert data.count(old, meta, 8 + length) == 1
    path.write_bytes(data[:meta] + data[meta:].replace(old, new, 1))
    assert len(st.load_file(path)) == 2
    with pytest.raises(nn.FileError, match="cannot load"):
        nn.load(path)


@needs_safetensors
def test_a_flipped_bit_in_a_weight_is_noticed(tmp_path):
    """The format has no checksum of its own; ours is what catches this."""
    path = tmp_path / "s.safetensors"
    nn.save({"w": np.arange(1000.0)}, path)
    data = bytearray(path.read_bytes())
    data[-5000] ^= 1
    path.write_bytes(data)
    assert st.load_file(path)["w"].shape == (1000,)
    with pytest.raises(nn.FileError, match=r"its checksum is wrong\. The file is damaged or incomplete"):
        nn.load(path)
