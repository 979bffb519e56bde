"""The small convolutional network that `python -m fastnn` trains on the bundled digits."""

from __future__ import annotations

from typing import Any

from ..layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

__all__ = ["DigitsCNN"]


class DigitsCNN(Sequential):
    """Three convolutions of 3 x 3, each with batch norm and ReLU, two poolings, one linear layer.

    8 x 8 pixels are few: the first two convolutions keep all of them, and only then does pooling
    begin. Ten epochs on the 1,438 digits for training take a few seconds and leave some four of the
    359 others misread.

    Parameters
    ----------
    classes : int
    width : int
        Channels of the first convolution; the others have twice as many.

    Shape
    -----
    input (N, 1, 8, 8), 0 paper to 1 ink; output (N, classes), scores before softmax.

    Ioffe, Szegedy (2015), "Batch normalization", arXiv:1502.03167.

    >>> import fastnn as nn
    >>> nn.models.DigitsCNN()(nn.zeros(2, 1, 8, 8)).shape
    (2, 10)
    """

    input_shape = (1, 8, 8)

    def __init__(self, classes: int = 10, width: int = 16) -> None:
        super().__init__({
            # (N, width, 8, 8)
            "conv1": Conv2d(1, width, 3, padding=1), "norm1": BatchNorm2d(width), "relu1": ReLU(),
            "conv2": Conv2d(width, 2*width, 3, padding=1), "norm2": BatchNorm2d(2*width), "relu2": ReLU(),
            # (N, 2 width, 4, 4)
            "pool2": MaxPool2d(2),
            "conv3": Conv2d(2*width, 2*width, 3, padding=1), "norm3": BatchNorm2d(2*width), "relu3": ReLU(),
            # (N, 2 width, 2, 2)
            "pool3": MaxPool2d(2),
            "flatten": Flatten(),
            "classifier": Linear(2*width*2*2, classes)})
        self.settings: dict[str, Any] = {"classes": classes, "width": width}
