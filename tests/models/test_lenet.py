"""LeNet-5 and the digits' network: sizes, and what a user may change."""

import numpy as np
import pytest

import fastnn as nn


@pytest.mark.parametrize("model, shape, outputs", [
    (nn.models.LeNet5, (1, 28, 28), 10), (nn.models.DigitsCNN, (1, 8, 8), 10)], ids=["lenet", "digits"])
def test_classes_are_counted_by_the_last_layer(model, shape, outputs):
    x = nn.randn(2, *shape)
    assert model()(x).shape == (2, outputs) and model(num_classes=3)(x).shape == (2, 3)


def test_digits_by_width():
    assert nn.models.DigitsCNN(width=4).conv3.weight.shape == (8, 8, 3, 3)


@pytest.mark.torch
def test_lenet_is_that_of_the_benchmarks(torch):
    from fastnn.bench import torch_networks
    theirs, ours = torch_networks.lenet(torch), nn.models.LeNet5()
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal((3, 1, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(ours(nn.tensor(x)).data, theirs(torch.tensor(x)).detach(), rtol=1e-4, atol=1e-5)
