"""ResNet against torchvision's: weights both ways, outputs, a training step."""

import numpy as np
import pytest
from second_opinion import array, randomise, worst
from torchvision_shim import import_torchvision

import fastnn as nn
from fastnn.errors import RangeError

TINY = {"layers": [1, 1, 1, 1], "num_classes": 5, "small": True}


@pytest.fixture(scope="module")
def pair():
    """ResNet-18 of torchvision's with random statistics, and ours with the same state."""
    models = import_torchvision().models
    theirs = models.resnet18()
    statistics = [m for m in theirs.modules() if type(m).__name__ == "BatchNorm2d"]
    for module in statistics:
        randomise(module)
    ours = nn.models.resnet18()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


@pytest.mark.torch
def test_outputs_in_eval_mode(pair, torch):
    ours, theirs = (model.eval().float() for model in pair)
    x = np.random.default_rng(0).standard_normal((2, 3, 96, 64)).astype(np.float32)
    with torch.no_grad(), nn.no_grad():
        assert worst(ours(nn.tensor(x)), theirs(torch.tensor(x))) < 1e-4


@pytest.mark.torch
def test_gradients_and_statistics_of_a_training_step(pair, torch):
    ours, theirs = (model.train().double() for model in pair)
    x, y = np.random.default_rng(0).standard_normal((4, 3, 64, 64)), np.array([3, 999, 0, 3])
    ours.zero_grad()
    theirs.zero_grad()
    loss = nn.functional.cross_entropy(ours(nn.tensor(x)), nn.tensor(y))
    loss.backward()
    their_loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
    their_loss.backward()
    assert abs(loss.item() - their_loss.item()) < 1e-10
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    for name, p in theirs.named_parameters():
        assert worst(gradients[name], p.grad) < 1e-8, name
    state = ours.state_dict()
    for name, value in theirs.state_dict().items():
        if "running" in name:
            assert worst(state[name], value) < 1e-8, name


@pytest.mark.torch
def test_our_weights_load_there(torch):
    theirs = import_torchvision().models.resnet18(num_classes=7)
    ours = nn.models.resnet18(num_classes=7)
    theirs.load_state_dict({key: torch.tensor(array(value)) for key, value in ours.state_dict().items()}, strict=True)
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    with torch.no_grad(), nn.no_grad():
        assert worst(ours.eval()(nn.tensor(x)), theirs.eval()(torch.tensor(x))) < 1e-4


def test_weights_begin_as_in_the_paper():
    weight = nn.models.ResNet(**TINY).layer4[0].conv2.weight.data
    assert weight.std() == pytest.approx(np.sqrt(2/(9*512)), rel=0.02) and abs(weight.mean()) < 1e-4


def test_convolution_norm_and_relu_run_as_one():
    """With a hook on a ReLU they cannot; the result is the same."""
    model = nn.models.ResNet(**TINY).eval()
    x = nn.randn(2, 3, 32, 32)
    seen = []
    fused = model(x)
    with model.relu.register_forward_hook(lambda *_: seen.append(1)):
        apart = model(x)
    assert seen == [1]
    np.testing.assert_allclose(fused.data, apart.data, rtol=1e-5, atol=1e-6)


def test_grey_images_and_small_ones():
    model = nn.models.resnet18(num_classes=4, in_channels=1, small=True)
    assert model(nn.randn(2, 1, 28, 28)).shape == (2, 4)
    with pytest.raises(RangeError, match="four numbers of blocks"):
        nn.models.ResNet((2, 2, 2))
    with pytest.raises(RangeError, match="num_classes=0"):
        nn.models.resnet18(num_classes=0)
