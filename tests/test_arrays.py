"""Arrays that begin a cache line, and arrays that have a shape without memory."""

import threading
import tracemalloc

import numpy as np
import pytest

import fastnn as nn
from fastnn import arrays

INITS = [nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_, nn.init.zeros_, nn.init.ones_,
         nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_,
         nn.init.orthogonal_, lambda t: nn.init.constant_(t, 3.0)]


def test_large_arrays_begin_a_cache_line():
    for make in (arrays.empty((100, 33)), arrays.full((3000,), 1.0), arrays.copied(np.zeros((77, 41)))):
        assert make.ctypes.data % arrays.LINE == 0


def test_meta_arrays_have_a_shape_and_no_memory():
    tracemalloc.start()
    with arrays.meta():
        made = [arrays.empty((10**5, 10**5)), arrays.full((10**6, 10**4), 1, np.float64),
                arrays.copied(np.broadcast_to(np.float32(2), (10**4, 10**5)))]
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert [a.shape for a in made] == [(10**5, 10**5), (10**6, 10**4), (10**4, 10**5)]
    assert [a.dtype for a in made] == ["float32", "float64", "float32"]
    assert all(arrays.is_meta(a) and arrays.is_meta(a[:3].T) for a in made)
    assert not any(map(arrays.is_meta, (arrays.empty((3,)), np.zeros(3), np.zeros((4, 4))[1:])))


@pytest.mark.parametrize("init", INITS)
def test_init_leaves_them_alone_and_draws_nothing(init):
    with arrays.meta():
        w = nn.Parameter(arrays.empty((10**5, 10**4)))
    before = nn.random.random_state()
    assert init(w) is w and nn.random.random_state() == before


def test_a_network_without_memory_has_its_counts():
    def build():
        return nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Embedding(10, 4, padding_idx=0),
                             nn.LSTM(4, 5), nn.MultiheadAttention(8, 2), nn.LayerNorm(7))
    with arrays.meta():
        outline = build()
    model = build()
    assert {k: (v.shape, v.dtype) for k, v in outline.state_dict().items()} == {
        k: (v.shape, v.dtype) for k, v in model.state_dict().items()}


def test_random_tensors_may_be_made():
    with arrays.meta():
        assert nn.randn(10**5, 10**5).shape == nn.rand(10**5, 10**5).shape == (10**5, 10**5)


def test_there_is_room_for_so_many():
    with arrays.meta(most=101):
        arrays.empty((10, 10))
        with pytest.raises(MemoryError, match="room"):
            arrays.empty((0,))                      # an array counts as one more, whatever it holds
    with pytest.raises(ZeroDivisionError), arrays.meta():
        1/0  # noqa: B018
    assert not arrays.is_meta(arrays.empty((3,)))   # it ends with its block


def test_other_threads_go_on_as_they_were():
    seen = []
    with arrays.meta():
        thread = threading.Thread(target=lambda: seen.append(arrays.is_meta(arrays.empty((9,)))))
        thread.start()
        thread.join()
        assert arrays.is_meta(arrays.empty((9,)))
    assert seen == [False]
