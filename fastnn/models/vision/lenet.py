"""LeNet-5: the network that read cheques, in the form that is taught today.

LeCun, Bottou, Bengio, Haffner (1998), "Gradient-based learning applied to document recognition",
Proc. IEEE 86(11).

Idea: a convolution looks for the same small pattern everywhere in the image, with the same few
weights. Pooling keeps that the pattern is there and forgets where exactly. Linear layers then
decide from what was found.

    layer                      output         parameters
    conv1   5x5, padding 2     (6, 28, 28)           156
    pool1   2x2                (6, 14, 14)
    conv2   5x5                (16, 10, 10)        2,416
    pool2   2x2                (16, 5, 5)
    fc1                        (120,)             48,120
    fc2                        (84,)              10,164
    fc3                        (10,)                 850
                                                  61,706

How it deviates from the paper: max-pooling stands for averages with trainable factors, ReLU for
tanh, and a linear layer with cross-entropy for radial basis functions. Each filter of conv2 sees
all six channels, not some of them. Sizes and order are the paper's; its 32 x 32 images are these
28 x 28 with the border that conv1 adds.
"""

from __future__ import annotations

from typing import Any

from ...layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

__all__ = ["LeNet5"]


class LeNet5(Sequential):
    """Two convolutions with pooling, three linear layers; 61,706 parameters for 10 classes.

    Parameters
    ----------
    num_classes : int

    Shape
    -----
    input (N, 1, 28, 28); output (N, num_classes), scores before softmax.

    >>> import fastnn as nn
    >>> nn.models.LeNet5()(nn.zeros(2, 1, 28, 28)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__({
            # (N, 6, 14, 14)
            "conv1": Conv2d(1, 6, 5, padding=2), "relu1": ReLU(), "pool1": MaxPool2d(2),
            # (N, 16, 5, 5)
            "conv2": Conv2d(6, 16, 5), "relu2": ReLU(), "pool2": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": Linear(16*5*5, 120), "relu3": ReLU(),
            "fc2": Linear(120, 84), "relu4": ReLU(),
            "fc3": Linear(84, num_classes)})
        self.settings: dict[str, Any] = {"num_classes": num_classes}
