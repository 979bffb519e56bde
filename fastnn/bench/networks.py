"""The networks of the benchmarks, each written once: `nn` and `F` are fastnn's or PyTorch's, and
the text is the same.

A network is built from a library (libraries.py) and called on one batch; `NETWORKS` has their sizes
and costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..op import seeded

__all__ = ["NETWORKS", "Network"]


def mlp(*widths: int) -> Callable[[Any], Any]:
    def build(library: Any) -> Any:
        nn = library.nn
        layers: list[Any] = []
        for i, o in pairwise(widths):
            layers += [nn.Linear(i, o), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    return build


def lenet(library: Any) -> Any:
    nn = library.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def resnet18(library: Any) -> Any:
    """He, Zhang, Ren, Sun (2016), arXiv:1512.03385, with the stem for 32 x 32 images: a 3 x 3
    convolution and no pooling.
    """
    nn, F = library.nn, library.F
    Module: Any = nn.Module

    class Block(Module):
        def __init__(self, i: int, o: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(),
                                      nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
            self.shortcut = (nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride > 1
                             else nn.Identity())

        def forward(self, x: Any) -> Any:
            return F.relu(self.body(x) + self.shortcut(x))

    blocks = [Block(i, o, stride) for i, o, stride in ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1),
                                                       (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1))]
    return nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def char_lstm(vocabulary: int, embedding: int, hidden: int) -> Callable[[Any], Any]:
    def build(library: Any) -> Any:
        nn = library.nn
        Module: Any = nn.Module

        class CharLSTM(Module):
            def __init__(self) -> None:
                super().__init__()
                self.embed = nn.Embedding(vocabulary, embedding)
                self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
                self.head = nn.Linear(hidden, vocabulary)

            def forward(self, tokens: Any) -> Any:
                y, _ = self.lstm(self.embed(tokens))                        # (B, T, hidden)
                return self.head(y).reshape(-1, vocabulary)
        return CharLSTM()
    return build


def gpt(vocabulary: int, layers: int, heads: int, width: int, context: int) -> Callable[[Any], Any]:
    """A decoder of GPT-2's kind, Radford et al. (2019): pre-norm blocks of causal attention and a
    perceptron four times as wide.
    """
    def build(library: Any) -> Any:
        nn, F = library.nn, library.F
        Module: Any = nn.Module

        class Block(Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.qkv, self.project = nn.Linear(width, 3*width), nn.Linear(width, width)
                self.up, self.down = nn.Linear(width, 4*width), nn.Linear(4*width, width)

            def forward(self, x: Any) -> Any:
                batch, length = x.shape[0], x.shape[1]
                qkv = self.qkv(self.norm1(x)).reshape(batch, length, 3, heads, width//heads).permute(2, 0, 3, 1, 4)
                q, k, v = qkv.unbind(0)
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.project(y.transpose(1, 2).reshape(batch, length, width))
                return x + self.down(F.gelu(self.up(self.norm2(x))))

        class GPT(Module):
            def __init__(self) -> None:
                super().__init__()
                self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
                self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
                self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

            def forward(self, tokens: Any) -> Any:
                x = self.tokens(tokens) + self.positions.weight[:tokens.shape[1]]
                return self.head(self.norm(self.blocks(x))).reshape(-1, vocabulary)
        return GPT()
    return build


@dataclass(frozen=True)
class Network:
    """A network with its batch; targets are class numbers, one per row of the output."""

    build: Callable[[Any], Any]
    batch: int
    image: tuple[int, ...] = ()         # shape of one sample of floats, or
    tokens: tuple[int, int] = (0, 0)    # (length, vocabulary) of one sample of tokens
    classes: int = 10
    flops: float = 0                    # of the forward of one sample, a multiply-add counted as two

    def data(self, name: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """The same inputs and targets for every contestant."""
        rng = seeded(f"{name} of {batch}")
        if self.image:
            return rng.standard_normal((batch, *self.image)).astype(np.float32), rng.integers(0, self.classes, batch)
        length, vocabulary = self.tokens
        return rng.integers(0, vocabulary, (batch, length)), rng.integers(0, vocabulary, batch*length)


def gpt_flops(vocabulary: int, layers: int, width: int, length: int) -> float:
    """12 width^2 weights per layer and token, twice length x width products for attention (half of
    them masked), the head.
    """
    return length*2.0*(layers*(12*width**2 + length*width) + width*vocabulary)


VOCABULARY = 65         # the characters of the usual Shakespeare text
NETWORKS: dict[str, Network] = {
    "mlp-64-128-10": Network(mlp(64, 128, 10), 32, image=(64,), flops=2*(64*128 + 128*10)),
    "mlp-784-512-512-10": Network(mlp(784, 512, 512, 10), 128, image=(784,), flops=2*(784*512 + 512*512 + 512*10)),
    "lenet": Network(lenet, 64, image=(1, 28, 28), flops=2*(117_600 + 240_000 + 48_000 + 10_080 + 840)),
    "resnet18": Network(resnet18, 16, image=(3, 32, 32), flops=2*555_422_720),
    "char-lstm": Network(char_lstm(VOCABULARY, 128, 256), 32, tokens=(64, VOCABULARY),
                         flops=64*2*(4*256*(128 + 256) + 256*VOCABULARY)),
    "gpt-4x128": Network(gpt(VOCABULARY, 4, 4, 128, 64), 12, tokens=(64, VOCABULARY),
                         flops=gpt_flops(VOCABULARY, 4, 128, 64)),
    "gpt-6x384": Network(gpt(VOCABULARY, 6, 6, 384, 256), 4, tokens=(256, VOCABULARY),
                         flops=gpt_flops(VOCABULARY, 6, 384, 256)),
}
