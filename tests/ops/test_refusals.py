"""What PyTorch refuses is refused, by an error of ours with the name; what it takes is taken."""

import pytest

import fastnn as nn


def ones(n, *shape):
    return n.ones(shape)


def numbers(n, *values):
    return n.tensor(values)


def functions(n):
    return n.functional if n is nn else n.nn.functional


def layers(n):
    return n if n is nn else n.nn


# name -> (a call that is refused, the same in order)
CALLS = {
    "batch_norm": (lambda n, eps: functions(n).batch_norm(ones(n, 2, 3), None, None, training=True, eps=eps), 0.0, 0.1),
    "BatchNorm1d": (lambda n, eps: layers(n).BatchNorm1d(3, eps=eps)(ones(n, 2, 3)), 0.0, 1e-9),
    "BatchNorm1d in training": (lambda n, on: layers(n).BatchNorm1d(3, eps=0.0).train(on)(ones(n, 2, 3)), True, False),
    "LSTM": (lambda n, size: layers(n).LSTM(size, 3), 0, 1),
    "GRU": (lambda n, size: layers(n).GRU(3, size), 0, 1),
    "RNN": (lambda n, size: layers(n).RNN(size, 3), 0, 1),
    "prelu": (lambda n, shape: functions(n).prelu(ones(n, 2, 4, 3), ones(n, *shape)), (1, 4), (4,)),
    "masked_fill": (lambda n, shape: ones(n, 3).masked_fill(ones(n, 3) > 0, ones(n, *shape)), (1,), ()),
    "group_norm": (lambda n, items: functions(n).group_norm(ones(n, items, 3, 1), 3), 1, 2),
    "cdist": (lambda n, mode: n.cdist(ones(n, 2, 3), ones(n, 2, 3), compute_mode=mode), "foo",
              "use_mm_for_euclid_dist"),
    "repeat_interleave": (lambda n, size: n.repeat_interleave(ones(n, 3), numbers(n, 1, 2, 3), output_size=size), 5, 6),
    "device": (lambda n, name: n.device(name), "cpu:x", "cpu:0"),
    "set_grad_enabled": (lambda n, on: n.set_grad_enabled(on), "a", True),
    "select_scatter": (lambda n, i: n.select_scatter(ones(n, 2, 3), ones(n, 3), 0, i), 1.5, 1),
    "Hardtanh": (lambda n, ends: layers(n).Hardtanh(*ends), (1.0, -1.0), (-1.0, 1.0)),
    "chunk": (lambda n, pieces: n.chunk(ones(n, 3), pieces), 2.0, 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_pytorch_refuses(torch, name):
    call, wrong, right = CALLS[name]
    before = torch.is_grad_enabled()
    with pytest.raises((TypeError, ValueError, RuntimeError, AssertionError)):
        call(torch, wrong)
    with pytest.raises(nn.FastnnError, match=name.split()[0]):
        call(nn, wrong)
    call(torch, right)
    call(nn, right)
    assert torch.is_grad_enabled() == nn.is_grad_enabled() == before


def test_a_bool_is_a_spacing(torch):
    for n in (torch, nn):
        assert n.gradient(numbers(n, 1.0, 2.0, 4.0), spacing=True)[0].tolist() == [1.0, 1.5, 2.0]
