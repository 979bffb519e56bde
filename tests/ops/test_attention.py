"""Attention beyond the laws: hand-worked numbers, masks, invariances, memory, dropout, PyTorch as
second opinion.
"""

import itertools
import tracemalloc

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn
from fastnn.ops.attention import ATTENTION
from fastnn.reference.philox import keep_mask, philox

attention = nn.functional.scaled_dot_product_attention
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])


def qkv(T, U, HS, HV, lead=(), dtype=np.float64, seed=0, grad=False):
    rng = np.random.default_rng(seed)
    shapes = (*lead, T, HS), (*lead, U, HS), (*lead, U, HV)
    return [nn.tensor(rng.standard_normal(s).astype(dtype), requires_grad=grad) for s in shapes]


def gradients(tensors, **kwargs):
    """The result and the gradients of q, k, v, for one fixed upstream gradient."""
    for t in tensors:
        t.grad = None
    y = attention(*tensors, **kwargs)
    y.backward(np.random.default_rng(9).standard_normal(y.shape).astype(y.dtype))
    return [y.data, *(t.grad.data for t in tensors)]


# ---- what is hidden ------------------------------------------------------------------------------
JUNK = [np.nan, np.inf, -np.inf]


def hidden_keys(kind, T, U, junk, lead, dtype):
    """q, k, v, mask, dy and is_causal, with junk in keys and values that no query may see."""
    rng = np.random.default_rng(5)
    q, k, v, dy = (rng.standard_normal((*lead, n, size)).astype(dtype)
                   for n, size in ((T, 5), (U, 5), (U, 19), (T, 19)))
    hidden, mask = rng.integers(0, U, max(1, U // 5)), None
    if kind == "causal":
        hidden = np.arange(T, U)
    elif kind == "bool":
        mask = np.ones((T, U), bool)
        mask[:, hidden] = False
    else:
        mask = rng.standard_normal((T, U)).astype(dtype)
        mask[:, hidden] = -np.inf
    if kind == "nothing allowed":               # and then the query itself and its dy do not count
        mask[T // 2] = -np.inf
        q[..., T // 2, :] = dy[..., T // 2, :] = junk
    k[..., hidden, 0] = v[..., hidden, :] = junk
    return q, k, v, mask, dy, kind == "causal"


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("kind", ["bool", "added", "causal", "nothing allowed"])
@pytest.mark.parametrize("T, U", [(1, 3), (2, 130), (4, 9), (5, 7), (67, 131), (130, 257)])
def test_what_is_hidden_has_no_effect(T, U, kind, junk):
    """NaN and infinity behind a mask, in each way of computing: row by row, in one tile, in
    several; with dropout and without.
    """
    for dtype, lead, dropout in itertools.product((np.float32, np.float64), ((), (3,)), (0.0, 0.3)):
        q, k, v, mask, dy, causal = hidden_keys(kind, T, U, junk, lead, dtype)
        attrs = {"is_causal": causal, "scale": 0.5, "dropout_p": dropout, "key": 77, "call": 3}
        results = []
        for forward, backward in (ATTENTION.kernels, ATTENTION.definition):
            y, saved = forward(q, k, v, mask, **attrs)
            results.append([y, *backward(dy, saved, **attrs)])
        for got, want in zip(*results):
            if want is not None:
                assert np.isfinite(want).all()
                np.testing.assert_allclose(got, want, rtol=0, atol=20 * TOLERANCE[dtype])


@pytest.mark.parametrize("wanted", ["qkv", "q", "k", "v"])
@pytest.mark.parametrize("T, U, causal", [(2, 5, False), (7, 6, False), (130, 257, False), (200, 200, True)])
def test_one_hidden_number_has_no_effect(T, U, causal, wanted):
    """Wherever it stands: in a key or a value that no query sees, in a query that sees nothing or
    in what comes from above for it. Kernels look at some rows only to notice it.
    """
    rng = np.random.default_rng(6)
    clean = {"q": rng.standard_normal((T, 5)), "k": rng.standard_normal((U, 5)),
             "v": rng.standard_normal((U, 19)), "dy": rng.standard_normal((T, 19))}
    for name, row, column, last_sees in itertools.product(clean, (0, 0.5, -1), (0, -1), (True, False)):
        at = int(row * len(clean[name])) if row >= 0 else -1
        allowed = np.ones((T, U), bool)
        allowed[(slice(None), at) if name in "kv" else at] = False
        allowed[-1] &= last_sees
        results = []
        for junk in (1.0, np.nan):
            arrays = {n: a.astype(np.float32) for n, a in clean.items()}
            arrays[name][at, column] = junk
            tensors = [nn.tensor(arrays[n], requires_grad=n in wanted) for n in "qkv"]
            y = attention(*tensors, attn_mask=nn.tensor(allowed), is_causal=causal)
            y.backward(arrays["dy"])
            results.append([y.data, *(t.grad.data for t in tensors if t.grad is not None)])
        for want, got in zip(*results):
            np.testing.assert_allclose(got, want, rtol=0, atol=20 * TOLERANCE[np.float32],
                                       err_msg=f"NaN in {name} {at}, the last query sees {last_sees}")


@pytest.mark.parametrize("name", ["k", "v"])
def test_a_key_seen_by_later_queries_only(name):
    """causal: it stands in one tile with queries that do not see it."""
    for T in (3, 6, 64, 200):
        dy = np.random.default_rng(3).standard_normal((T, 19)).astype(np.float32)
        for u in {0, T // 2, T - 2, T - 1}:
            results = []
            for junk in (1.0, np.nan):
                tensors = qkv(T, T, 4, 19, dtype=np.float32, grad=True)
                tensors["qkv".index(name)].data[u, 3] = junk
                y = attention(*tensors, is_causal=True)
                y.backward(dy)
                results.append([y.data, tensors[0].grad.data])
            for want, got in zip(*results):
                np.testing.assert_allclose(got[:u], want[:u], rtol=0, atol=20 * TOLERANCE[np.float32])
                assert np.isnan(got[u:]).any(axis=1).all()


@both_backends
def test_what_is_seen_has_its_effect(backend):
    """A key that one query sees and another does not: NaN in the first one's row alone."""
    with nn.use_backend(backend):
        q, k, v = qkv(70, 70, 3, 2, grad=True)
        v.data[1] = k.data[2] = np.nan
        y = attention(q, k, v, is_causal=True)
        assert np.isfinite(y.data[:1]).all() and np.isnan(y.data[1:]).all()
        y.backward(np.ones(y.shape))
        assert np.isfinite(q.grad.data[:1]).all() and np.isnan(q.grad.data[1:]).all()


# ---- by hand -------------------------------------------------------------------------------------
@both_backends
def test_by_hand(backend):
    # scores 0 and log 3, weights 1/4 and 3/4, y = 4/4 + 3 * 8/4 = 7
    with nn.use_backend(backend):
        q, k, v = nn.tensor([[1.0]]), nn.tensor([[0.0], [np.log(3.0)]]), nn.tensor([[4.0], [8.0]])
        for t in (q, k, v):
            t.requires_grad_()
        y = attention(q, k, v)
        np.testing.assert_allclose(y.data, [[7.0]], rtol=1e-6)
        y.backward()
        # dv = p; dp = v, ds = p (dp - 7) = (-3/4, 3/4); dq = ds k = 3/4 log 3; dk = ds q
        np.testing.assert_allclose(v.grad.data, [[0.25], [0.75]], rtol=1e-6)
        np.testing.assert_allclose(q.grad.data, [[0.75 * np.log(3)]], rtol=1e-6)
        np.testing.assert_allclose(k.grad.data, [[-0.75], [0.75]], rtol=1e-6)


@both_backends
def test_default_scale_is_one_over_the_root_of_the_head_size(backend):
    q, k, v = qkv(3, 5, 16, 2)
    with nn.use_backend(backend):
        np.testing.assert_array_equal(attention(q, k, v).data, attention(q, k, v, scale=0.25).data)


# ---- masks ---------------------------------------------------------------------------------------
@both_backends
@both_types
@pytest.mark.parametrize("additive", [False, True])
def test_a_query_with_no_allowed_key(additive, dtype, backend):
    """gives zeros and gets no gradient, and no key or value gets any from it; also where it fills a
    whole tile, first or later.
    """
    T, U = 3, 300
    allowed = np.ones((T, U), bool)
    allowed[1] = False
    allowed[2, :256] = False            # the first two tiles of keys hold nothing for this query
    mask = nn.tensor(np.where(allowed, 0, -np.inf).astype(dtype) if additive else allowed)
    q, k, v = qkv(T, U, 4, 5, dtype=dtype, grad=True)
    with nn.use_backend(backend):
        y, dq, dk, dv = gradients([q, k, v], attn_mask=mask)
        assert (y[1] == 0).all() and (dq[1] == 0).all()
        assert all(np.isfinite(a).all() for a in (y, dq, dk, dv))
        alone = gradients([nn.tensor(q.data[2:], requires_grad=True),
                           *(nn.tensor(a.data[256:], requires_grad=True) for a in (k, v))])
        np.testing.assert_allclose(y[2], alone[0][0], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        nothing = nn.tensor(np.zeros((T, U), bool))
        for g in gradients([q, k, v], attn_mask=nothing):
            assert (g == 0).all()


@both_backends
def test_no_keys_at_all(backend):
    with nn.use_backend(backend):
        y, dq, dk, dv = gradients(qkv(3, 0, 2, 5, lead=(2,), grad=True))
        np.testing.assert_array_equal(y, np.zeros((2, 3, 5)))
        np.testing.assert_array_equal(dq, np.zeros((2, 3, 2)))
        assert dk.shape == (2, 0, 2) and dv.shape == (2, 0, 5)


@both_types
@pytest.mark.parametrize("T, U", [(7, 7), (5, 9), (9, 5), (65, 64), (64, 129), (130, 70), (70, 300), (257, 257)])
def test_causal_is_a_triangular_mask(T, U, dtype):
    tensors = qkv(T, U, 8, 8, lead=(2,), dtype=dtype, grad=True)
    mask = np.tri(T, U, dtype=bool)
    added = np.where(mask, 0, -np.inf).astype(dtype)
    want = gradients(tensors, attn_mask=nn.tensor(mask))
    for other in (gradients(tensors, is_causal=True), gradients(tensors, attn_mask=nn.tensor(added))):
        for a, b in zip(other, want):
            np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    # and what a causal query cannot see, it does not depend on: not by one bit
    q, k, v = tensors
    early = attention(q, k, v, is_causal=True).data[:, :3]
    k.data[:, 3:], v.data[:, 3:] = 1e3, -1e3
    np.testing.assert_array_equal(attention(q, k, v, is_causal=True).data[:, :3], early)


def test_mask_and_causal_together():
    q, k, v = qkv(70, 70, 4, 4)
    mask = np.random.default_rng(1).random((70, 70)) < 0.7
    both = attention(q, k, v, attn_mask=nn.tensor(mask & np.tri(70, dtype=bool)))
    np.testing.assert_allclose(attention(q, k, v, attn_mask=nn.tensor(mask), is_causal=True).data, both.data,
                               rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(2, 3, 70, 130), (3, 1, 130), (130,)])
def test_gradient_of_an_added_mask(shape):
    q, k, v = qkv(70, 130, 4, 4, lead=(2, 3))
    assert nn.testing.gradcheck(lambda mask: attention(q, k, v, attn_mask=mask),
                                np.random.default_rng(2).standard_normal(shape))


@pytest.mark.parametrize("shape", [(70, 1), (2, 1, 1, 1), ()])
def test_adding_the_same_to_all_keys_changes_nothing(shape):
    """So the gradient of a mask that is one number for each query is 0."""
    q, k, v = qkv(70, 130, 4, 4, lead=(2, 3))
    mask = nn.tensor(np.random.default_rng(2).standard_normal(shape), requires_grad=True)
    y = attention(q, k, v, attn_mask=mask)
    np.testing.assert_allclose(y.data, attention(q, k, v).data, rtol=1e-12, atol=1e-14)
    y.backward(np.ones(y.shape))
    assert mask.grad.shape == shape
    np.testing.assert_allclose(mask.grad.data, 0, atol=1e-12)


# ---- layout --------------------------------------------------------------------------------------
@both_types
@pytest.mark.parametrize("HS, HV", [(16, 16), (5, 7), (48, 33)])
def test_heads_are_read_and_written_where_a_projection_has_them(HS, HV, dtype):
    """Transposed views give the bits of their copies; y and the gradients lie as q, k and v do, so
    that no layer has to copy them.
    """
    rng = np.random.default_rng(7)
    B, T, NH = 2, 70, 3
    memory = [rng.standard_normal((B, T, NH, size)).astype(dtype) for size in (HS, HS, HV)]
    # rows that are not next to each other
    joint = [rng.standard_normal((B, T, 2 * NH, size)).astype(dtype) for size in (HS, HS, HV)]
    for arrays in (memory, [a[:, :, 1::2] for a in joint]):
        views = [nn.Tensor(a.swapaxes(1, 2), requires_grad=True) for a in arrays]
        copies = [nn.tensor(np.ascontiguousarray(t.data), requires_grad=True) for t in views]
        for kwargs in ({}, {"is_causal": True}):
            for a, b in zip(gradients(views, **kwargs), gradients(copies, **kwargs)):
                np.testing.assert_array_equal(a, b)
                assert b.flags.c_contiguous
            y = attention(*views, **kwargs)
            assert y.data.swapaxes(1, 2).flags.c_contiguous
            y.backward(np.ones(y.shape, dtype))
        op, attrs = ATTENTION, {"scale": 0.5}
        y, saved = op.kernels[0](*(t.data for t in views), None, **attrs)
        for g in op.kernels[1](np.ones_like(y), saved, **attrs)[:3]:
            assert g.swapaxes(1, 2).flags.c_contiguous


@both_types
@pytest.mark.parametrize("T, U, size", [(70, 130, 24), (130, 700, 256), (65, 2200, 64), (9, 70, 257)])
def test_rows_that_alias_in_the_caches_give_the_same_bits(T, U, size, dtype):
    """Rows a multiple of 2,048 bytes apart are read from copies, some keys at a time."""
    apart = 4096 // np.dtype(dtype).itemsize
    rng = np.random.default_rng(7)
    wide = [rng.standard_normal((2, n, apart)).astype(dtype) for n in (T, U, U)]
    views = [nn.Tensor(a[:, :, 3:3 + size], requires_grad=True) for a in wide]
    copies = [nn.tensor(np.ascontiguousarray(t.data), requires_grad=True) for t in views]
    for kwargs in ({}, {"is_causal": True}, {"dropout_p": 0.2}):
        for level in nn.about.describe()["sets that run here"]:
            with nn.use_isa(level):
                results = []
                for tensors in (views, copies):
                    nn.seed(3)
                    results.append(gradients(tensors, **kwargs))
                for a, b in zip(*results):
                    np.testing.assert_array_equal(a, b, err_msg=f"{kwargs} {level}")


def test_a_last_axis_with_gaps_is_copied():
    rng = np.random.default_rng(8)
    wide = [rng.standard_normal((2, 9, 12)) for _ in range(3)]
    gaps = [nn.Tensor(a[:, :, ::2], requires_grad=True) for a in wide]
    backwards = [nn.Tensor(a[:, ::-1, :6], requires_grad=True) for a in wide]
    for views in (gaps, backwards):
        copies = [nn.tensor(t.data.copy(), requires_grad=True) for t in views]
        for a, b in zip(gradients(views), gradients(copies)):
            np.testing.assert_array_equal(a, b)


# ---- invariances ---------------------------------------------------------------------------------
@both_types
def test_the_order_of_the_keys_does_not_matter(dtype):
    q, k, v = qkv(67, 300, 8, 5, lead=(2,), dtype=dtype, grad=True)
    order = np.random.default_rng(3).permutation(300)
    shuffled = [q, nn.tensor(k.data[:, order], requires_grad=True), nn.tensor(v.data[:, order], requires_grad=True)]
    want, got = gradients([q, k, v]), gradients(shuffled)
    for a, b in zip(got, [*want[:2], want[2][:, order], want[3][:, order]]):
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@both_types
def test_values_that_agree_come_out(dtype):
    q, k, _ = qkv(70, 300, 8, 1, dtype=dtype)
    v = nn.tensor(np.full((300, 3), 2.5, dtype))
    np.testing.assert_allclose(attention(q, k, v, is_causal=True).data, 2.5, rtol=20 * np.finfo(dtype).eps)


@both_types
@pytest.mark.parametrize("size", [1e4, 1e8, 1e15])
def test_large_scores(size, dtype):
    """Scores of any size choose the best key; growing along the keys, so that every tile moves the
    largest score.
    """
    U = 400
    q, k = np.full((2, 1), 1, dtype), (np.arange(U, dtype=dtype) * dtype(size))[:, None]
    v = np.arange(U, dtype=dtype)[:, None]
    q[1] = -1
    tensors = [nn.tensor(a, requires_grad=True) for a in (q, k, v)]
    y, dq, dk, dv = gradients(tensors)
    np.testing.assert_array_equal(y, [[U - 1], [0]])
    assert all((g[1:-1] == 0).all() for g in (dk, dv)) and np.isfinite(dq).all()


def test_nan_shows_where_it_belongs():
    q, k, v = qkv(70, 200, 4, 3)
    q.data[5, 1] = np.nan
    wrong = np.isnan(attention(q, k, v).data)
    assert wrong[5].all() and not np.delete(wrong, 5, axis=0).any()
    q.data[5, 1] = 0
    k.data[150, 2] = np.nan
    assert np.isnan(attention(q, k, v).data).all()
    # queries 0..69 never look at key 150
    assert not np.isnan(attention(q, k, v, is_causal=True).data).any()


@both_types
def test_leading_dimensions_broadcast(dtype):
    """A head that is shared gives what its copies give, and its gradient is their sum."""
    rng = np.random.default_rng(4)
    T, U, HS, HV = 67, 131, 4, 5
    for q_lead, k_lead, v_lead in [((2, 3), (2, 1), (2, 1)), ((3,), (2, 1), (2, 3)), ((1, 1), (2, 3), ()),
                                   ((20,), (1,), (1,))]:
        arrays = [rng.standard_normal((*lead, *size)).astype(dtype)
                  for lead, size in ((q_lead, (T, HS)), (k_lead, (U, HS)), (v_lead, (U, HV)))]
        lead = np.broadcast_shapes(q_lead, k_lead, v_lead)
        shared = gradients([nn.tensor(a, requires_grad=True) for a in arrays])
        copied = gradients([nn.tensor(np.broadcast_to(a, (*lead, *a.shape[-2:])).copy(), requires_grad=True)
                            for a in arrays])
        np.testing.assert_array_equal(shared[0], copied[0])
        for a, x, b in zip(shared[1:], arrays, copied[1:]):
            b = b.sum(axis=tuple(range(b.ndim - x.ndim)))
            b = b.sum(axis=tuple(i for i, n in enumerate(x.shape) if n == 1), keepdims=True)
            np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])


# ---- dropout -------------------------------------------------------------------------------------
def test_philox_gives_the_published_words():
    """The known answers that come with Random123, the authors' own implementation."""
    full = 2**64 - 1
    for key, high, low, words in [
            (0, 0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
            (full, full, full, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
            (0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, "d16cfe09 94fdcceb 5001e420 24126ea1")]:
        assert [f"{int(w):08x}" for w in philox(key, high, np.uint64(low))] == words.split()


def test_dropped_weights_are_those_of_the_counter():
    """With q = 0 and v the identity, y shows the weights: 1/U where kept, over 1 - p. The mask is
    the one that philox.h describes.
    """
    T, U, p = 70, 131, 0.3
    q, k, v = nn.tensor(np.zeros((2, T, 4))), nn.tensor(np.zeros((U, 4))), nn.tensor(np.eye(U))
    nn.seed(5)
    key, call = nn.random.next_dropout_key()
    nn.seed(5)
    y = attention(q, k, v, dropout_p=p).data
    row = np.arange(2 * T).reshape(2, T, 1)
    kept = keep_mask(p, key, call, row * 132 + np.arange(U))
    np.testing.assert_allclose(y, kept / (U * (1 - p)), rtol=1e-12)
    assert abs(kept.mean() - 0.7) < 4 * np.sqrt(0.3 * 0.7 / kept.size)


def test_dropout_keeps_its_mask_in_backward():
    op, attrs = ATTENTION, {"scale": 0.5, "dropout_p": 0.4, "key": 77, "call": 3}
    for causal, shape in itertools.product([False, True], [(5, 7), (70, 130)]):
        arrays = [t.data for t in qkv(*shape, 3, 4, lead=(2,))]
        rng = np.random.default_rng(0)
        errors = nn.testing.op_gradcheck(op.kernels[0], op.kernels[1], [*arrays, None], {**attrs, "is_causal": causal},
                                         rng)
        assert len(errors) == 3 and max(errors.values()) < 1e-6


def test_every_call_drops_others_and_the_seed_repeats_them():
    q, k, v = qkv(20, 30, 4, 4)
    nn.seed(1)
    a, b = attention(q, k, v, dropout_p=0.5).data, attention(q, k, v, dropout_p=0.5).data
    nn.seed(1)
    np.testing.assert_array_equal(attention(q, k, v, dropout_p=0.5).data, a)
    assert (a != b).any()
    np.testing.assert_array_equal(attention(q, k, v, dropout_p=0.0).data, attention(q, k, v).data)
    assert (attention(q, k, v, dropout_p=1.0).data == 0).all()


# ---- memory, threads, levels ---------------------------------------------------------------------
def test_memory_is_linear_in_the_sequence():
    """Eight times the length takes eight times the memory, not 64 times: nowhere is there an array
    of T x U.
    """
    def peak(T):
        q, k, v = qkv(T, T, 16, 16, dtype=np.float32, grad=True)
        nn.memory.trim()
        tracemalloc.start()
        try:
            before = nn.memory.in_use() + nn.memory.cached()
            y = attention(q, k, v, is_causal=True)
            y.backward(np.ones_like(y.data))
            # buffers are kept for reuse after they are let go of, so what is in use and what is
            # cached together is the peak
            return nn.memory.in_use() + nn.memory.cached() - before + tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    peak(64)
    short, long = peak(512), peak(4096)
    assert long < 4096 * 4096 * 4 / 8                   # an eighth of one matrix of scores
    assert long < 12 * short
    with nn.use_backend("reference"):  # which does make that array: so the measurement would notice
        assert peak(1024) > 1024 * 1024 * 4


@pytest.mark.parametrize("lead", [(1,), (3,), (20,)])
@pytest.mark.parametrize("kwargs", [{}, {"is_causal": True}, {"dropout_p": 0.2}], ids=["full", "causal", "dropout"])
def test_threads_and_levels(kwargs, lead):
    """The same bits on 1 and more threads, which cut backward differently; the same numbers at
    every instruction-set level.
    """
    tensors = qkv(197, 333, 32, 24, lead=lead, dtype=np.float32, grad=True)

    def run():
        nn.seed(3)
        return gradients(tensors, **kwargs)
    with nn.threads(1):
        one = run()
    for n in (2, 5):
        with nn.threads(n):
            assert [a.tobytes() for a in run()] == [a.tobytes() for a in one]
    for level in nn.about.describe()["sets that run here"]:
        with nn.use_isa(level):
            for a, b in zip(run(), one):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max(), err_msg=level)


# ---- PyTorch -------------------------------------------------------------------------------------
@both_types
@pytest.mark.parametrize("lead", [(), (2, 3), (20,)])
@pytest.mark.parametrize("sizes", [(1, 3, 2, 2), (7, 7, 4, 4), (65, 129, 16, 16), (130, 67, 8, 24), (200, 300, 64, 64)],
                         ids=str)
def test_like_pytorch(torch, sizes, lead, dtype):
    T, U = sizes[:2]
    rng = np.random.default_rng(6)
    allow = rng.random((T, U)) < 0.7
    allow[:, 0] = True                                  # where nothing is allowed PyTorch gives NaN
    add = rng.standard_normal((*lead, T, U))
    inputs = [t.data for t in qkv(*sizes, lead=lead)]
    for mask, attrs in ((None, {}), (None, {"is_causal": True}), (None, {"scale": 0.3}), (allow, {}), (add, {})):
        compare(*both("scaled_dot_product_attention"), [*inputs, mask], dtype, **attrs)
