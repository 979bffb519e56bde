"""Datasets, splits, batches in a reproducible order, the bundled digits, toy problems."""

import collections
import hashlib
from importlib import resources

import numpy as np
import pytest

import fastnn as nn
from fastnn.data import DataLoader, Dataset, Subset, TensorDataset, digits, moons, random_split, spirals, xor
from fastnn.data.dataset import permutation


class Squares(Dataset):
    """A dataset of Python samples, which counts how often it is asked for one."""

    def __init__(self, n):
        self.n, self.calls = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.calls += 1
        return float(i), i * i


class Counted(TensorDataset):
    def __getitem__(self, index):
        raise AssertionError("the loader took a single sample of a TensorDataset")


def counting(n=10):
    return TensorDataset(np.arange(n, dtype=np.float32)[:, None] * np.float32([1, 2]), np.arange(n))


def labels(loader):
    return [y.data.tolist() for *_, y in loader]


# ---- datasets ------------------------------------------------------------------------------------
def test_tensor_dataset_keeps_arrays_without_a_copy():
    x, y = np.zeros((4, 2), np.float32), nn.tensor([1, 2, 3, 4])
    dataset = TensorDataset(x, y)
    assert dataset.tensors[0].data is x and dataset.tensors[1] is y
    assert len(dataset) == 4
    row, label = dataset[2]
    assert row.shape == (2,) and int(label) == 3
    assert [int(label) for _, label in dataset] == [1, 2, 3, 4]
    assert dataset[1:3][1].tolist() == [2, 3]


def test_tensor_dataset_takes_lists_as_nn_tensor_does():
    x, y = TensorDataset([[0.5], [1.5]], [3, 4]).tensors
    assert x.dtype == np.float32 and y.dtype == np.int64


@pytest.mark.parametrize("arrays, words", [
    ((), "no array given"),
    ((np.zeros(3), 1.0), "array 1: expected (n, ...), got a single number"),
    ((np.zeros((3, 2)), np.zeros(4)), "got (3, 2) and (4,). The first axis of every array counts the samples."),
])
def test_tensor_dataset_refuses(arrays, words):
    with pytest.raises(nn.ShapeError) as error:
        TensorDataset(*arrays)
    assert words in str(error.value)


def test_subset_by_indices_mask_and_subset():
    dataset = counting()
    assert labels(DataLoader(Subset(dataset, [3, 1, -1]), 3)) == [[3, 1, 9]]
    assert labels(DataLoader(Subset(dataset, dataset.tensors[1].data % 4 == 0), 3)) == [[0, 4, 8]]
    assert labels(DataLoader(Subset(dataset, nn.tensor([5, 6])), 3)) == [[5, 6]]
    inner = Subset(Subset(dataset, range(2, 8)), [0, 5])
    assert labels(DataLoader(inner, 3)) == [[2, 7]] and int(inner[1][1]) == 7
    assert len(Subset(dataset, [])) == 0 and labels(DataLoader(Subset(dataset, []), 3)) == []
    assert labels(DataLoader(Subset([(0.5, 4), (0.5, 5)], [1]), 3)) == [[5]]


@pytest.mark.parametrize("indices, error, words", [
    ([0, 10], nn.RangeError, "expected indices below 10, the dataset's length, got 10"),
    ([-11], nn.RangeError, "got -11"),
    ([True, False], nn.ShapeError, "expected a mask of 10 samples, got 2"),
    ([0.5], nn.DTypeError, "expected integer indices or a boolean mask, got float64"),
    ([[1, 2]], nn.ShapeError, "expected indices of shape (m,), got (1, 2)"),
])
def test_subset_refuses(indices, error, words):
    with pytest.raises(error) as caught:
        Subset(counting(), indices)
    assert words in str(caught.value)


@pytest.mark.parametrize("lengths, sizes", [
    ([7, 3], [7, 3]), ([10, 0], [10, 0]), ([0.8, 0.2], [8, 2]), ([0.33, 0.33, 0.34], [4, 3, 3]), ([1], [10]),
                                            ([1.0], [10]),
    ([0.29, 0.71], [3, 7]),
])
def test_random_split_deals_out_every_sample_once(lengths, sizes):
    parts = random_split(counting(), lengths, seed=3)
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate([part.indices for part in parts])) == list(range(10))
    again = random_split(counting(), lengths, seed=3)
    assert all(np.array_equal(a.indices, b.indices) for a, b in zip(parts, again))


def test_random_split_fractions_do_not_lose_to_rounding():
    # 0.29 * 100 < 29 in floating point
    assert [len(part) for part in random_split(range(100), [0.71, 0.29])] == [71, 29]


def test_random_split_is_random_and_depends_on_the_seed():
    orders = {tuple(random_split(range(20), [20], seed=seed)[0].indices) for seed in range(50)}
    assert len(orders) == 50 and tuple(range(20)) not in orders


@pytest.mark.parametrize("lengths", [[7, 4], [0.5, 0.4], [-1, 11], [], [9.5, 0.5], [float("nan"), 1]])
def test_random_split_refuses(lengths):
    with pytest.raises(nn.RangeError, match="integers that add up to 10, or fractions that add up to 1"):
        random_split(counting(), lengths)


def test_permutation_is_the_same_everywhere():
    # A change would silently reorder every resumed training.
    assert permutation(10, seed=0).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert permutation(10, seed=2**64 - 1, stream=7).tolist() == [3, 0, 7, 4, 6, 9, 8, 1, 5, 2]


def test_permutation_is_uniform():
    """Each of the 24 orders of 4 things, over 2,400 epochs, some 100 times: chi-squared with 23
    degrees of freedom.
    """
    orders = [tuple(permutation(4, 5, epoch)) for epoch in range(2400)]
    counts = np.array([orders.count(order) for order in set(orders)])
    assert len(counts) == 24
    # exceeded once in a thousand; the seed is fixed
    assert ((counts - 100) ** 2 / 100).sum() < 49.7


# ---- the loader ----------------------------------------------------------------------------------
def test_batches_in_order():
    loader = DataLoader(counting(), batch_size=4)
    batches = list(loader)
    assert len(loader) == 3 and labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    x = batches[1][0]
    assert isinstance(x, nn.Tensor) and isinstance(batches[1], tuple)
    assert x.dtype == np.float32 and x.data.tolist() == [[4, 8], [5, 10], [6, 12], [7, 14]]


def test_drop_last_and_sizes():
    assert labels(DataLoader(counting(), 4, drop_last=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    for n in range(7):
        for size in range(1, 8):
            for drop_last in (False, True):
                loader = DataLoader(counting(n), size, drop_last=drop_last)
                assert len(loader) == len(list(loader)) == (n // size if drop_last else -(-n // size))
                assert loader.epoch == 1


def test_batches_are_copies_and_take_no_single_samples():
    x = np.arange(6, dtype=np.float32)
    for dataset in (Counted(x), Subset(Counted(x), range(6))):
        for (batch,) in DataLoader(dataset, 3):
            batch.data[:] = -1
    assert x.tolist() == [0, 1, 2, 3, 4, 5]


def test_shuffle_gives_each_sample_once_in_another_order_every_epoch():
    def orders(batch_size, seed):
        loader = DataLoader(counting(50), batch_size, shuffle=True, seed=seed)
        return [[i for batch in labels(loader) for i in batch] for _ in range(5)]

    epochs = orders(7, 1)
    assert all(sorted(order) == list(range(50)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 5
    assert orders(7, 1) == epochs and orders(11, 1) == epochs and orders(7, 2)[0] != epochs[0]


def test_the_order_does_not_touch_or_use_the_global_seeds():
    first = labels(DataLoader(counting(), 3, shuffle=True))
    nn.seed(123)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    assert labels(DataLoader(counting(), 3, shuffle=True)) == first
    assert np.array_equal(before, np.random.get_state()[1])


def noisy(batch, rng):
    x, y = batch
    x += rng.standard_normal(x.shape).astype(np.float32)
    return x, y


@pytest.mark.parametrize("stop_after", range(1, 10))
def test_resumes_anywhere_bit_for_bit(stop_after):
    def new():
        return DataLoader(counting(10), 3, shuffle=True, seed=4, transform=noisy)

    def batches(loader, epochs):
        return [(x.data.tolist(), y.data.tolist()) for _ in range(epochs) for x, y in loader]

    whole = batches(new(), 3)
    first, begun = new(), []
    while len(begun) < stop_after:
        for x, y in first:
            begun.append((x.data.tolist(), y.data.tolist()))
            if len(begun) == stop_after:
                break
    second = new()
    second.load_state_dict(first.state_dict())
    rest = batches(second, 3 - first.state_dict()["epoch"])
    assert begun + rest == whole


def test_an_epoch_left_early_counts():
    loader = DataLoader(counting(), 3, shuffle=True)
    full = [labels(loader) for _ in range(2)]
    loader = DataLoader(counting(), 3, shuffle=True)
    next(iter(loader))
    assert loader.state_dict() == {"seed": 0, "epoch": 0, "position": 3, "next": 1}
    assert labels(loader) == full[1] and loader.state_dict() == {"seed": 0, "epoch": 2, "position": 0, "next": 2}


def test_two_loops_over_one_loader_are_two_epochs():
    fresh = DataLoader(counting(), 4, shuffle=True)
    epochs = [labels(fresh) for _ in range(4)]
    loader = DataLoader(counting(), 4, shuffle=True)
    side_by_side = [(a[1].data.tolist(), b[1].data.tolist()) for a, b in zip(loader, loader)]
    assert list(zip(*side_by_side)) == [tuple(epochs[0]), tuple(epochs[1])]
    loader = DataLoader(counting(), 4, shuffle=True)
    outer, inner = [], []
    for _, y in loader:
        outer.append(y.data.tolist())
        inner.append(labels(loader))
    assert outer == epochs[0] and inner == epochs[1:]
    assert loader.epoch == 4


def test_a_loop_within_a_loop_resumes_where_it_stood():
    whole = DataLoader(counting(), 4, shuffle=True)
    epochs = [labels(whole) for _ in range(3)]
    loader = DataLoader(counting(), 4, shuffle=True)
    for _, y in loader:
        if y.data.tolist() == epochs[0][1]:
            break
        labels(loader)                                  # say, an evaluation after the first batch
    second = DataLoader(counting(), 4, shuffle=True)
    second.load_state_dict(loader.state_dict())
    assert labels(second) == epochs[0][2:] and labels(second) == epochs[2]


def test_state_survives_a_file(tmp_path):
    loader = DataLoader(counting(), 4, shuffle=True, seed=2**64 - 1)
    next(iter(loader))
    nn.save({"loader": loader.state_dict()}, tmp_path / "c.npz")
    other = DataLoader(counting(), 4, shuffle=True)
    other.load_state_dict(nn.load(tmp_path / "c.npz")["loader"])
    assert other.state_dict() == loader.state_dict() == {"seed": 2**64 - 1, "epoch": 0, "position": 4, "next": 1}


@pytest.mark.parametrize("state, error, words", [
    ({"seed": 0, "epoch": 0}, nn.RangeError, "expected the keys seed, epoch, position and next, got ['epoch', 'seed']"),
    (None, nn.RangeError, "expected the keys seed, epoch, position and next, got NoneType"),
    ({"seed": 0, "epoch": 3, "position": 0, "next": 2}, nn.RangeError, "at least 3, got 2"),
    ({"seed": 0, "epoch": 3, "position": 4, "next": 3}, nn.RangeError, "at least 4, got 3"),
    ({"seed": 0, "epoch": -1, "position": 0, "next": 0}, nn.RangeError, "epoch: expected at least 0, got -1"),
    ({"seed": 0, "epoch": 1.5, "position": 0, "next": 2}, nn.DTypeError, "epoch: expected an integer, got 1.5"),
    ({"seed": 0, "epoch": 0, "position": 10, "next": 1}, nn.RangeError, "expected a position below 10"),
])
def test_load_state_dict_refuses_and_changes_nothing(state, error, words):
    loader = DataLoader(counting(), 4, seed=3)
    with pytest.raises(error) as caught:
        loader.load_state_dict(state)
    assert words in str(caught.value)
    assert loader.state_dict() == {"seed": 3, "epoch": 0, "position": 0, "next": 0}


def test_transform_gets_arrays_and_its_own_random_numbers():
    seen = []

    def look(batch, rng):
        seen.append(rng.random(4).tolist())
        assert isinstance(batch, tuple) and all(type(array) is np.ndarray for array in batch)
        return batch[0] * 2

    loader = DataLoader(counting(), 4, transform=look)
    assert [len(batch) for batch in loader] == [1, 1, 1]
    list(loader)
    flat = np.ravel(seen)
    # no two batches, of either epoch, share a number
    assert len(seen) == 6 and len(set(flat)) == 24
    order_words = np.random.Philox(key=np.array([0, 0], np.uint64)).random_raw(100)
    assert not set(flat) & {(word >> 11) * 2.0**-53 for word in order_words.tolist()}


# ---- samples that are stacked one by one ---------------------------------------------------------
def test_collates_python_samples():
    dataset = Squares(5)
    x, y = next(iter(DataLoader(dataset, 3)))
    assert x.dtype == np.float32 and y.dtype == np.int64 and y.data.tolist() == [0, 1, 4] and dataset.calls == 3
    assert dataset.batch(np.array([4, 2]))[1].tolist() == [16, 4]


def test_collates_plain_sequences():
    samples = [(np.full((2, 2), i), nn.tensor([i]), [0.5, i], True) for i in range(4)]
    a, b, c, d = next(iter(DataLoader(samples, 4)))
    assert a.shape == (4, 2, 2) and b.shape == (4, 1) and c.shape == (4, 2) and d.shape == (4,)
    assert c.dtype == np.float32 and d.dtype == bool and a.dtype == np.int64
    (only,) = next(iter(DataLoader([1.0, 2.0], 2)))
    assert only.data.tolist() == [1, 2] and only.dtype == np.float32


Point = collections.namedtuple("Point", ["x", "y"])
STRUCTURES = {
    "tuple": (1, 2.5), "dict of a tuple": {"x": (1, 2.5)}, "tuple of tuples": ((1, 2), (3.5, (4, True))),
    "dict of a tuple of a dict": {"a": ({"b": np.ones(2, np.float32), "c": "word"}, 1)}, "names": Point(1, 2.5),
    "dict of names": {"p": Point(np.ones((2, 2)), "word")}, "names of names": Point(Point(1, 2), [np.ones(1), "w"]),
    "text": ("word", b"bytes"), "list of text": (["a", "b"], 0), "list of tuples": ([(1, 2), (3, 4)], 0),
    "list of arrays": [np.ones(2), np.ones(3)], "empty": ((), {}, 1), "ordered": collections.OrderedDict(a=1, b=2),
    "with a default": collections.defaultdict(list, a=(1, 2)), "NumPy's numbers": (np.float64(1), np.int16(2)),
    "user's": collections.UserDict(a=1),
}


@pytest.mark.parametrize("kind", STRUCTURES)
def test_structures_are_pytorchs(kind, torch):
    """The same arrays at the same places; Python's floats are float32, and lists tuples, here."""
    def told(x):
        if hasattr(x, "numpy"):
            return str(x.dtype).replace("torch.", "").replace("float64", "float32"), x.tolist()
        if hasattr(x, "keys"):
            return type(x), {key: told(x[key]) for key in x}
        if isinstance(x, (tuple, list)) and not (x and isinstance(x[0], (str, bytes))):
            return type(x) if hasattr(x, "_fields") else "several", [told(part) for part in x]
        return list(x)
    samples = [STRUCTURES[kind]] * 3
    batch = next(iter(DataLoader(samples, batch_size=3)))
    assert told(batch) == told(torch.utils.data.default_collate(samples))


def test_python_numbers_of_two_types_are_one_type(torch):
    for samples in ([1, 2.5], [True, 2], [2.5, 1]):
        (batch,) = next(iter(DataLoader(samples, 2)))
        assert batch.tolist() == torch.utils.data.default_collate(samples).tolist()
        assert batch.dtype == (np.int64 if samples[0] is True else np.float32)


def test_a_list_of_numbers_is_a_row():
    x, _ = next(iter(DataLoader([([1, 2.5], 0), ([[3, 4]][0], 1)], 2)))
    assert x.tolist() == [[1, 2.5], [3, 4]] and x.dtype == np.float32
    x, _ = next(iter(DataLoader([([[1, 2], [3, 4]], 0)], 1)))
    assert x.shape == (1, 2, 2) and x.dtype == np.int64


@pytest.mark.parametrize("samples, error, words", [
    ([(np.zeros(2),), (np.zeros(3),)], nn.ShapeError,
     "field 0 of the samples differs in shape, expected (2,), got (3,)"),
    ([(1, 2), (1,)], nn.ShapeError, "number of fields, expected 2, got 1"),
    ([("a", 1), (2, 1)], nn.DTypeError, "field 0 of sample 0 is no array of numbers, expected numbers, arrays or "
                                        "Tensors, got 'a'. Text becomes"),
    ([(1, 1), ("a", 1)], nn.DTypeError, "field 0 of sample 1 is no array of numbers"),
    ([(2**70, 1)], nn.DTypeError, "field 0 of sample 0 is no array of numbers"),
    ([((1, 2), 0), ((1,), 0)], nn.ShapeError, "field 0 of the samples differs in its number of parts, expected 2, "
                                              "got 1"),
    ([{"x": 1}, {"y": 1}], nn.ShapeError, "samples differ in their keys, expected ['x'], got ['y']"),
    ([{"x": 1}, 1], nn.ShapeError, "samples differ in their keys, expected ['x'], got int"),
    ([{"x": object()}], nn.DTypeError, "field x of sample 0 is no array of numbers"),
    ([(1, 2), (3, None)], nn.DTypeError, "field 1 of sample 1, the target in fit, is no array of numbers, expected "
                                         "numbers, arrays or Tensors, got None. A label that is not to count is -100"),
    ([(1, 2), (None, 3)], nn.DTypeError, "field 0 of sample 1 is no array of numbers, expected numbers, arrays or "
                                         "Tensors, got None. Leave out the samples that have none"),
    ([1, None], nn.DTypeError, "field 0 of sample 1 is no array of numbers, expected numbers, arrays or Tensors, got "
                               "None. Does __getitem__ return nothing?"),
    ([([1, None], 2)], nn.DTypeError, "got None at row 1. Is a value missing"),
    ([([[1], [1, 2]], 2)], nn.DTypeError, "got a row of 2 at row 1 after a row of 1"),
    ([(np.array([1, None]), 2)], nn.DTypeError, "got None at row 1"),
    ([(1, object())], nn.DTypeError, "got object. Each must be a number"),
])
def test_collate_refuses(samples, error, words):
    with pytest.raises(error) as caught:
        list(DataLoader(samples, 2))
    assert words in str(caught.value)


def test_the_sample_that_is_no_number_has_its_number_in_the_dataset():
    samples = [(1.0, 0)] * 5 + [(1.0, None)]
    loader = DataLoader(nn.data.Subset(samples, [0, 5, 1]), batch_size=2)
    with pytest.raises(nn.DTypeError, match="field 1 of sample 5, the target in fit"):
        next(iter(loader))
    with pytest.raises(nn.DTypeError, match="field 1 of sample 5, the target in fit"):
        list(DataLoader(samples, batch_size=2))
    with pytest.raises(nn.DTypeError, match=r"^TensorDataset, array 1: .* got None at row 1"):
        nn.data.TensorDataset(np.ones(2), [1, None])



@pytest.mark.parametrize("make, error, words", [
    (lambda: DataLoader(counting(), 0), nn.RangeError, "batch_size: expected at least 1, got 0"),
    (lambda: DataLoader(counting(), 2.0), nn.DTypeError, "expected batch_size as an int or None, got 2.0"),
    (lambda: DataLoader(counting(), "2"), nn.DTypeError, "batch_size"),
    (lambda: DataLoader(counting(), True), nn.DTypeError, "got True. A bool goes by its name"),
    (lambda: DataLoader(counting(), seed=-1), nn.RangeError, "seed: expected at least 0, got -1"),
    (lambda: DataLoader(counting(), seed=2**64), nn.RangeError, "seed: expected at most 18446744073709551615"),
    (lambda: DataLoader(iter([1, 2])), nn.DTypeError,
     "expected a dataset with __len__ and __getitem__, got list_iterator"),
    (lambda: DataLoader(np.zeros(3)), nn.DTypeError, "Wrap arrays in TensorDataset(x, y)."),
    (lambda: DataLoader(nn.tensor([1.0])), nn.DTypeError, "Wrap arrays in TensorDataset(x, y)."),
])
def test_loader_refuses(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


def test_a_dataset_without_its_methods_says_so():
    with pytest.raises(NotImplementedError, match="Dataset must define __len__"):
        len(Dataset())
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]


# ---- the bundled digits --------------------------------------------------------------------------
def test_digits_are_what_the_source_has():
    images, y = (t.data for t in digits().tensors)
    assert images.shape == (1797, 1, 8, 8) and images.dtype == np.float32 and y.dtype == np.int64
    assert images.min() == 0 and images.max() == 1
    # as scikit-learn's page says
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    pixels = (images * 16).astype(np.uint8)
    assert np.array_equal(pixels / np.float32(16), images)
    assert hashlib.sha256(pixels.tobytes() + y.astype(np.uint8).tobytes()).hexdigest() == (
        "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826")


def test_digits_equal_scikit_learns():
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = datasets.load_digits()
    images, y = digits().tensors
    assert np.array_equal(images.data[:, 0] * 16, bunch.images) and np.array_equal(y.data, bunch.target)


def test_digits_split_is_a_fixed_stratified_fifth():
    (x, y), (x_train, y_train), (x_test, y_test) = (
        [t.data for t in digits(split).tensors] for split in (None, "train", "test"))
    assert len(y_train) == 1438 and len(y_test) == 359
    assert np.abs(np.bincount(y_test) - np.bincount(y) / 5).max() <= 0.5
    for c in range(10):
        third_of_five = np.arange((y == c).sum()) % 5 == 2
        assert np.array_equal(x[y == c][third_of_five], x_test[y_test == c])
        assert np.array_equal(x[y == c][~third_of_five], x_train[y_train == c])


def test_digits_gives_fresh_arrays_and_refuses_other_splits():
    digits().tensors[0].data[:] = 0
    assert digits().tensors[0].data.max() == 1
    with pytest.raises(nn.RangeError, match="\"train\" or \"test\", got 'valid'"):
        digits("valid")


def test_digits_file_is_small_and_has_its_licence_beside_it():
    folder = resources.files("fastnn.data")
    assert len(folder.joinpath("digits.npz").read_bytes()) < 60_000
    note = folder.joinpath("LICENSE-digits.txt").read_text()
    for words in ("Optical Recognition of Handwritten Digits", "E. Alpaydin, C. Kaynak (1998)",
                  "UCI Machine Learning Repository", "CC BY 4.0", "scikit-learn", "pack_digits"):
        assert words in note


def test_digits_can_be_packed_again(tmp_path):
    pytest.importorskip("sklearn.datasets")
    from fastnn.data.sets.digits import pack_digits
    pack_digits(tmp_path / "digits.npz")
    with np.load(tmp_path
                 / "digits.npz") as new, resources.files("fastnn.data").joinpath("digits.npz").open("rb") as file:
        with np.load(file) as old:
            assert set(new) == set(old) == {"images", "labels"}
            assert all(np.array_equal(new[k], old[k]) and new[k].dtype == old[k].dtype == np.uint8 for k in new)


# ---- toy problems --------------------------------------------------------------------------------
def test_xor_is_exclusive_or():
    for (a, b), c in zip(*(t.data.tolist() for t in xor().tensors)):
        assert c == (bool(a) != bool(b))


def test_moons_without_noise_lie_on_their_half_circles():
    x, y = (t.data for t in moons(101, noise=0).tensors)
    assert np.bincount(y).tolist() == [51, 50]
    centre, side = np.where(y[:, None], [1, 0.5], [0, 0]), np.where(y, -1, 1)
    offset = x - centre
    assert np.allclose(np.hypot(*offset.T), 1, atol=1e-6) and (offset[:, 1] * side > -1e-6).all()


def test_spirals_without_noise_turn_once():
    x, y = (t.data for t in spirals(302, noise=0, classes=3).tensors)
    assert np.bincount(y).tolist() == [101, 101, 100]
    radius = np.hypot(*x.T)
    assert radius.min() == 0 and abs(radius.max() - 1) < 1e-6
    rounds = (np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) - y / 3 - radius)[radius > 0]
    assert np.abs(rounds - np.round(rounds)).max() < 1e-5


@pytest.mark.parametrize("make", [moons, spirals])
def test_toys_depend_on_the_seed_and_on_nothing_else(make):
    a, b, c = (make(60, 0.1, seed=seed).tensors[0].data for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c) and a.dtype == np.float32
    noise = make(20000, 0.1).tensors[0].data - make(20000, 0).tensors[0].data
    assert len(make(0)) == 0 and len(make(1)) == 1
    assert abs(noise.std() - 0.1) < 0.002 and abs(noise.mean()) < 0.002


@pytest.mark.parametrize("call, words", [
    (lambda: moons(-1), "moons, n: expected at least 0, got -1"),
    (lambda: moons(10, -0.1), "moons, noise: expected at least 0, got -0.1"),
    (lambda: spirals(10, float("nan")), "spirals, noise: expected at least 0, got nan"),
    (lambda: spirals(10, classes=0), "spirals, classes: expected at least 1, got 0"),
])
def test_toys_refuse(call, words):
    with pytest.raises(nn.RangeError) as caught:
        call()
    assert words in str(caught.value)


def test_a_sampler_is_an_array_or_a_tensor_of_indices():
    samples = nn.data.TensorDataset(np.arange(10.0))
    for sampler in ([3, 1], np.array([3, 1]), nn.tensor([3, 1]), (3, 1)):
        assert [batch[0].data.tolist() for batch in nn.data.DataLoader(samples, sampler=sampler)] == [[3.0], [1.0]]
    assert [batch[0].data.tolist() for batch in nn.data.DataLoader(samples, sampler=np.array([0]))] == [[0.0]]
