"""The small convolutional network that `python -m fastnn` trains on the bundled digits.

Of no paper; its parts are those of Ioffe, Szegedy (2015), "Batch normalization", arXiv:1502.03167.

Idea: 8 x 8 pixels are few. The first two convolutions keep all of them, and only then does pooling
begin. Ten epochs on the 1,438 digits for training take a few seconds and leave some four of the 359
others misread.

    layer                             output        parameters
    conv1   3x3, batch norm, ReLU     (16, 8, 8)           192
    conv2   3x3, batch norm, ReLU     (32, 8, 8)         4,704
    pool2   2x2                       (32, 4, 4)
    conv3   3x3, batch norm, ReLU     (32, 4, 4)         9,312
    pool3   2x2                       (32, 2, 2)
    classifier                        (10,)              1,290
                                                        15,498
"""

from __future__ import annotations

from typing import Any

from ...layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

__all__ = ["DigitsCNN"]


class DigitsCNN(Sequential):
    """Three convolutions of 3 x 3, each with batch norm and ReLU, two poolings, one linear layer.

    Parameters
    ----------
    num_classes : int
    width : int
        Channels of the first convolution; the others have twice as many.

    Shape
    -----
    input (N, 1, 8, 8), 0 paper to 1 ink; output (N, num_classes), scores before softmax.

    >>> import fastnn as nn
    >>> nn.models.DigitsCNN()(nn.zeros(2, 1, 8, 8)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10, width: int = 16) -> None:
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
            "classifier": Linear(2*width*2*2, num_classes)})
        self.settings: dict[str, Any] = {"num_classes": num_classes, "width": width}
