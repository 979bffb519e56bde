"""Devices and types under PyTorch's names: what a script says about them is understood, and what
fastnn has not is refused in one sentence.
"""

import numpy as np
import pytest

import fastnn as nn


def test_the_lines_that_scripts_begin_with():
    device = nn.device("cuda" if nn.cuda.is_available() else "mps" if nn.backends.mps.is_available() else "cpu")
    nn.manual_seed(0)
    nn.cuda.manual_seed_all(0)
    nn.backends.cudnn.deterministic = True
    model = nn.Linear(3, 2).to(device)
    x = nn.randn(4, 3, device=device).to(device, non_blocking=True)
    assert x.device == device and str(x.device) == "cpu" and device.type == "cpu" and not x.is_cuda
    assert model(x).cpu().shape == (4, 2) and model.cpu() is model


def test_every_form_of_to():
    x = nn.tensor([1.5, -1.5])
    other = nn.zeros(1, dtype=np.float64)
    for args, options in [((nn.float64,), {}), (("cpu", nn.float64), {}), ((), {"dtype": nn.float64}),
                          ((), {"device": "cpu", "dtype": "float64"}), ((other,), {}), ((nn.float64, True), {}),
                          ((nn.device("cpu"), nn.double, False, True), {}), (("float64",), {"copy": True})]:
        assert x.to(*args, **options).dtype == np.float64
        model = nn.Linear(2, 1)
        if len(args) < 3 and "copy" not in options:
            assert model.to(*args, **options) is model and model.weight.dtype == np.float64
    assert x.to("cpu") is x and x.to(device="cpu") is x and x.to("cpu", copy=True) is not x
    assert x.to(nn.float32, False, True) is not x


def test_torch_devices_are_understood(torch):
    assert nn.ones(2, device=torch.device("cpu")).to(torch.device("cpu")).shape == (2,)
    with pytest.raises(nn.RangeError, match="cuda"):
        nn.ones(2).to(torch.device("cuda"))


@pytest.mark.parametrize("call", [
    lambda: nn.ones(2).to("cuda"), lambda: nn.ones(2).cuda(), lambda: nn.ones(2).cuda(0), lambda: nn.device("cuda:0"),
    lambda: nn.Linear(2, 2).to("mps"), lambda: nn.Linear(2, 2).cuda(), lambda: nn.zeros(2, device="cuda"),
    lambda: nn.tensor([1.0], device="cuda"), lambda: nn.randint(3, (2,), device="meta")])
def test_other_devices_are_refused(call):
    with pytest.raises(nn.RangeError, match=r'expected device "cpu", got .*fastnn runs on the CPU'):
        call()


@pytest.mark.parametrize("call", [lambda: nn.ones(2).to("float16"), lambda: nn.ones(2).to(1),
                                  lambda: nn.ones(2).to("cpu", "complex64"), lambda: nn.ones(2).to("cpu", 1, 2, 3)])
def test_other_types_are_refused(call):
    with pytest.raises(nn.DTypeError, match=r"^to: "):
        call()


def test_types_have_their_names(torch):
    for name in ("float32", "float64", "float", "double", "int8", "int16", "short", "int32", "int", "int64", "long",
                 "uint8", "bool"):
        assert getattr(nn, name) == torch.zeros(1, dtype=getattr(torch, name)).numpy().dtype, name
    assert nn.ones(2, dtype=nn.long).dtype is nn.int64


def test_what_pytorch_has_at_the_top_is_there(torch):
    """Each function of nn.functional, under the name that it has in torch."""
    for name, function in vars(nn.functional).items():
        if callable(function) and not name.startswith("_"):
            assert getattr(nn, name) is function
    assert nn.utils.clip_grad_norm_ is nn.optim.clip_grad_norm_ and nn.finfo(nn.float32).max == torch.finfo().max
    assert nn.iinfo(nn.int8).min == -128
    assert nn.is_tensor(nn.ones(1)) and nn.as_tensor([1]).dtype == np.int64 and (nn.inf, nn.pi) == (torch.inf, torch.pi)


# ---- in place ------------------------------------------------------------------------------------
OTHER = {"pow_": 2.0, "remainder_": 0.3, "floor_divide_": 0.3}
PAIRS = ("eq_", "ne_", "lt_", "le_", "gt_", "ge_", "add_", "sub_", "mul_", "div_", "not_equal_", "less_", "less_equal_",
         "greater_", "greater_equal_")
CALLS = {name: (OTHER[name],) for name in OTHER} | {name: (0.5,) for name in PAIRS} | {
    "clamp_": (0.2, 0.6), "masked_fill_": None, "cumsum_": (0,), "cumprod_": (0,), "tril_": (), "triu_": (1,),
    "fill_": (2.0,)}
UNARY = ("abs_ ceil_ cos_ erf_ exp_ expm1_ floor_ log_ log10_ log1p_ log2_ neg_ reciprocal_ relu_ round_ rsqrt_ "
         "sigmoid_ sign_ sin_ sqrt_ square_ tanh_ trunc_ logical_not_ zero_").split()


@pytest.mark.parametrize("name", [*CALLS, *UNARY])
def test_in_place_like_torch(torch, name):
    """The values, the same memory, and the gradient through the change."""
    a = np.random.default_rng(0).uniform(0.1, 0.9, (3, 3))
    results = []
    for library in (nn, torch):
        x = library.tensor(a.copy(), requires_grad=True)
        y = x * 2
        args = CALLS.get(name, ()) if name != "masked_fill_" else (library.tensor(a > 0.5), 7.0)
        z = getattr(y, name)(*args)
        assert z is y
        if z.requires_grad and name != "floor_divide_":     # of which PyTorch has no gradient
            z.sum().backward()
        results.append((y.detach().numpy(), None if x.grad is None else x.grad.numpy()))
    (got, dx), (want, their_dx) = results
    np.testing.assert_allclose(got, want, rtol=1e-12)
    if their_dx is not None and dx is not None:
        np.testing.assert_allclose(dx, their_dx, rtol=1e-12, atol=1e-12)


def test_random_numbers_in_place():
    nn.seed(0)
    x = nn.empty(10_000)
    assert abs(x.normal_(3.0, 2.0).mean().item() - 3) < 0.1 and abs(x.std().item() - 2) < 0.1
    assert 1 <= x.uniform_(1.0, 2.0).min().item() < 1.01 and 1.99 < x.max().item() < 2
    assert set(x.random_(3).tolist()) == {0, 1, 2} and set(x.bernoulli_(0.5).tolist()) == {0, 1}
    leaf = nn.Parameter(np.ones(2, np.float32))
    for call in (leaf.normal_, leaf.uniform_, leaf.exp_, leaf.random_, leaf.bernoulli_):
        with pytest.raises(nn.GraphError, match="no_grad"):
            call()
    with nn.no_grad():
        assert leaf.normal_(0.0, 0.0).tolist() == [0, 0]


def test_detach_in_place():
    w = nn.Parameter(np.ones(2, np.float32))
    h = w * 2
    assert h.detach_() is h and h.is_leaf and not h.requires_grad
    with pytest.raises(nn.GraphError, match=r"detach_: .*view"):
        (w * 2)[0].detach_()


def test_small_questions():
    x = nn.zeros(2, 3, dtype=np.float64)
    assert (x.nelement(), x.ndimension(), x.element_size(), x.itemsize, x.nbytes) == (6, 2, 8, 8, 48)
    assert x.stride() == (3, 1) and x.stride(0) == 3 and x.T.stride() == (1, 3)
    assert x.is_contiguous() and not x.T.is_contiguous() and x.is_floating_point() and not x.long().is_floating_point()
    assert x.data_ptr() == x.data.ctypes.data
    with pytest.raises(nn.RangeError, match="stride"):
        x.stride(5)
    assert (x.short().dtype, x.byte().dtype, x.char().dtype) == (np.int16, np.uint8, np.int8)
