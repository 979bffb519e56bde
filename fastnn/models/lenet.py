"""LeNet-5, the network that read cheques, in the form that is taught today."""

from __future__ import annotations

from typing import Any

from ..layers import Conv2d, Linear, MaxPool2d, Module, ReLU
from ..tensor import Tensor

__all__ = ["LeNet5"]


class LeNet5(Module):
    """Two convolutions with pooling, three linear layers; 61,706 parameters for 10 classes.

    The paper's network had trainable averages instead of max-pooling, tanh instead of ReLU, an incomplete connection table
    in the second convolution, and radial basis functions at its end. Sizes and order are the paper's.

    Parameters
    ----------
    classes : int

    Shape
    -----
    input (N, 1, 28, 28); output (N, classes), scores before softmax.

    LeCun, Bottou, Bengio, Haffner (1998), "Gradient-based learning applied to document recognition", Proc. IEEE 86(11).

    >>> import fastnn as nn
    >>> nn.models.LeNet5()(nn.zeros(2, 1, 28, 28)).shape
    (2, 10)
    """

    input_shape = (1, 28, 28)

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"classes": classes}
        self.conv1, self.relu1, self.pool1 = Conv2d(1, 6, 5, padding=2), ReLU(), MaxPool2d(2)
        self.conv2, self.relu2, self.pool2 = Conv2d(6, 16, 5), ReLU(), MaxPool2d(2)
        self.fc1, self.relu3 = Linear(16*5*5, 120), ReLU()
        self.fc2, self.relu4 = Linear(120, 84), ReLU()
        self.fc3 = Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))                           # (N, 6, 14, 14)
        x = self.pool2(self.relu2(self.conv2(x)))                           # (N, 16, 5, 5)
        x = self.relu4(self.fc2(self.relu3(self.fc1(x.flatten(1)))))        # (N, 84)
        return self.fc3(x)
