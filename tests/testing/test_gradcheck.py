"""nn.testing.gradcheck, called as its own signature says and as PyTorch's gradcheck is."""

import numpy as np
import pytest

import fastnn as nn

F = nn.functional
X, W = np.random.default_rng(0).standard_normal((2, 3)), np.random.default_rng(1).standard_normal((4, 3))


@pytest.mark.parametrize("inputs", [
    (X, W), ((X, W),), ([X, W],), ((nn.tensor(X), nn.tensor(W)),), ([nn.tensor(X, requires_grad=True), W],)])
def test_the_inputs_may_come_in_a_tuple_or_a_list(inputs):
    assert nn.testing.gradcheck(F.linear, *inputs) is True


@pytest.mark.parametrize("inputs", [([1.0, 2.0, -3.0],), ((1.0, 2.0, -3.0),), ([[1.0], [2.0]],), ((X,),), ([X],), (X,)])
def test_numbers_in_a_list_are_one_input(inputs):
    assert nn.testing.gradcheck(lambda x: x.exp(), *inputs) is True


def test_a_wrong_gradient_is_found_in_either_form():
    class Wrong(nn.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, dy):
            return dy, dy
    for inputs in ((X, X), ((X, X),)):
        with pytest.raises(AssertionError, match="the gradient of input 0 is wrong"):
            nn.testing.gradcheck(Wrong.apply, *inputs)
