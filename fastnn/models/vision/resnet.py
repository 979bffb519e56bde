"""ResNet: networks that may be deep, because each block only adds to what came in.

He, Zhang, Ren, Sun (2016), "Deep residual learning for image recognition", arXiv:1512.03385.

Idea: a block computes y = relu(x + F(x)). If the best thing to do is nothing, F need only learn
zero, which is easy, whereas a plain stack of layers would have to learn the identity, which is not.
The gradient of x has a path past every F, so it does not fade on the way down.

    layer                                  output, 18 layers      output, small=True
    conv1   7x7, stride 2 (small: 3x3)     (64, 112, 112)         (64, 32, 32)
    maxpool 3x3, stride 2 (small: none)    (64, 56, 56)           (64, 32, 32)
    layer1  blocks of 64 channels          (64, 56, 56)           (64, 32, 32)
    layer2  128, first block at stride 2   (128, 28, 28)          (128, 16, 16)
    layer3  256, first block at stride 2   (256, 14, 14)          (256, 8, 8)
    layer4  512, first block at stride 2   (512, 7, 7)            (512, 4, 4)
    avgpool over the whole image           (512, 1, 1)            (512, 1, 1)
    fc                                     (1000,)                (num_classes,)
    parameters of resnet18                 11,689,512             11,173,962 for 10 classes

How it deviates from the paper: not at all with 18 layers and small=False; where sizes change, the
shortcut is the paper's option B, a 1x1 convolution. small=True keeps all pixels of 32 x 32 images
at the beginning; the paper's own networks for such images are others, with 16 to 64 channels.
Names are torchvision's, so its weights load here and ours load there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ... import functional as F
from ... import init
from ...errors import RangeError
from ...guard import named
from ...layers import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Identity, Linear, MaxPool2d, Module, ReLU, Sequential
from ...layers.fusion import chain
from ...layers.sizes import need_sizes
from ...tensor import Tensor

__all__ = ["BasicBlock", "ResNet", "resnet18"]


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> Conv2d:
    return Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)


class BasicBlock(Module):
    """relu(x + bn2(conv2(relu(bn1(conv1(x)))))), both convolutions 3x3; figure 2 of the paper.

    With a stride, or another number of channels, x goes through `downsample`: a 1x1 convolution and
    a batch norm.

    Shape: (N, C, H, W) -> (N, out_channels, H/stride, W/stride)
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(in_channels, out_channels, stride), BatchNorm2d(out_channels)
        self.relu = ReLU()
        self.conv2, self.bn2 = conv3x3(out_channels, out_channels), BatchNorm2d(out_channels)
        self.downsample: Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = Sequential(Conv2d(in_channels, out_channels, 1, stride, bias=False),
                                         BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        y = chain(x, self.conv1, self.bn1, self.relu, self.conv2, self.bn2)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(Module):
    """Four stages of residual blocks, each with half the pixels and twice the channels.

    Parameters
    ----------
    layers : four int
        Blocks of each stage; (2, 2, 2, 2) is ResNet-18.
    num_classes : int
    in_channels : int
        3 for colour images, 1 for grey ones.
    small : bool
        For images of about 32 x 32: conv1 is 3x3 at stride 1, and there is no max-pooling.

    Shape
    -----
    input (N, in_channels, H, W) of any size, 224 x 224 in the paper; output (N, num_classes),
    scores before softmax.

    Raises
    ------
    RangeError
        Not four numbers of blocks, or sizes below 1.
    DTypeError
        A size that is no whole number.
    """

    def __init__(self, layers: Sequence[int] = (2, 2, 2, 2), num_classes: int = 1000, in_channels: int = 3,
                 small: bool = False) -> None:
        super().__init__()
        need_sizes("ResNet", -math.inf, num_classes=num_classes, in_channels=in_channels,
                   **{f"layers[{i}]": blocks for i, blocks in enumerate(layers)})
        if len(layers) != 4 or min(*layers, num_classes, in_channels) < 1:
            raise RangeError(who="ResNet", expected="four numbers of blocks, classes and channels, all at least 1",
                             got=f"layers={tuple(layers)}, num_classes={num_classes}, in_channels={in_channels}")
        self.settings: dict[str, Any] = {"layers": list(layers), "num_classes": num_classes,
                                         "in_channels": in_channels, "small": small}
        self.conv1 = conv3x3(in_channels, 64) if small else Conv2d(in_channels, 64, 7, 2, padding=3, bias=False)
        self.bn1, self.relu = BatchNorm2d(64), ReLU()
        self.maxpool = Identity() if small else MaxPool2d(3, stride=2, padding=1)
        self.layer1 = stage(64, 64, layers[0])
        self.layer2 = stage(64, 128, layers[1], stride=2)
        self.layer3 = stage(128, 256, layers[2], stride=2)
        self.layer4 = stage(256, 512, layers[3], stride=2)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d):                  # He et al. (2015), as torchvision does
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(chain(x, self.conv1, self.bn1, self.relu))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.flatten(self.avgpool(x), 1))


def stage(in_channels: int, out_channels: int, blocks: int, stride: int = 1) -> Sequential:
    """Blocks in a row; the first changes the size."""
    return Sequential(BasicBlock(in_channels, out_channels, stride),
                      *[BasicBlock(out_channels, out_channels) for _ in range(1, blocks)])


@named
def resnet18(num_classes: int = 1000, in_channels: int = 3, small: bool = False) -> ResNet:
    """ResNet-18: two blocks a stage. See ResNet.

    >>> import fastnn as nn
    >>> nn.models.resnet18(num_classes=10, small=True).eval()(nn.zeros(1, 3, 32, 32)).shape
    (1, 10)
    """
    return ResNet((2, 2, 2, 2), num_classes, in_channels, small)
