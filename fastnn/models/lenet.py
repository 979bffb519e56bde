"""LeNet-5, the network that read cheques, in the form that is taught today."""

from __future__ import annotations

from typing import Any

from ..layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

__all__ = ["LeNet5"]


class LeNet5(Sequential):
    """Two convolutions with pooling, three linear layers; 61,706 parameters for 10 classes.

    The paper's network had trainable averages instead of max-pooling, tanh instead of ReLU, an
    incomplete connection table in the second convolution, and radial basis functions at its end.
    Sizes and order are the paper's.

    Parameters
    ----------
    classes : int

    Shape
    -----
    input (N, 1, 28, 28); output (N, classes), scores before softmax.

    LeCun, Bottou, Bengio, Haffner (1998), "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11).

    >>> import fastnn as nn
    >>> nn.models.LeNet5()(nn.zeros(2, 1, 28, 28)).shape
    (2, 10)
    """

    input_shape = (1, 28, 28)

    def __init__(self, classes: int = 10) -> None:
        super().__init__({
            "conv1": Conv2d(1, 6, 5, padding=2), "relu1": ReLU(), "pool1": MaxPool2d(2),       # (N, 6, 14, 14)
            "conv2": Conv2d(6, 16, 5), "relu2": ReLU(), "pool2": MaxPool2d(2),                 # (N, 16, 5, 5)
            "flatten": Flatten(),
            "fc1": Linear(16*5*5, 120), "relu3": ReLU(),
            "fc2": Linear(120, 84), "relu4": ReLU(),
            "fc3": Linear(84, classes)})
        self.settings: dict[str, Any] = {"classes": classes}
