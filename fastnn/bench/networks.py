"""The networks of the benchmarks, with their batches and costs.

Published networks come from fastnn's models on the one side, and from torch_networks.py on the
other; their parameters have the same names. The rest is written here once for both: `nn` and `F`
are fastnn's or PyTorch's, and the text is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..models import get_record
from ..op import seeded
from . import torch_networks

__all__ = ["NETWORKS", "Network", "gpt"]

Build = Callable[[Any], Any]        # from a library (libraries.py) to a network


def mlp(*widths: int) -> Build:
    def build(library: Any) -> Any:
        nn = library.nn
        layers: list[Any] = []
        for i, o in pairwise(widths):
            layers += [nn.Linear(i, o), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    return build


def char_lstm(vocabulary: int, embedding: int, hidden: int) -> Build:
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
                return self.head(y)
        return CharLSTM()
    return build


def published(name: str, theirs: Callable[..., Any], **settings: Any) -> Build:
    """The network of a record: ours, or theirs(torch, **settings) with the same settings."""
    record = get_record(name)
    settings = {**record.settings, **settings}

    def build(library: Any) -> Any:
        return record.build(**settings) if library.name == "fastnn" else theirs(library.torch, **settings)
    return build


def gpt(**settings: Any) -> Build:
    """A GPT-2 of any size."""
    return published("gpt2", torch_networks.gpt2, **settings)


@dataclass(frozen=True)
class Network:
    """A network with its batch; targets are class numbers, one per row of the output."""

    build: Build
    batch: int
    image: tuple[int, ...] = ()         # shape of one sample of floats, or
    tokens: tuple[int, int] = (0, 0)    # (length, vocabulary) of one sample of tokens
    classes: int = 10
    flops: float = 0                # of the forward of one sample, a multiply-add counted as two

    def data(self, name: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """The same inputs and targets for every contestant."""
        rng = seeded(f"{name} of {batch}")
        if self.image:
            return rng.standard_normal((batch, *self.image)).astype(np.float32), rng.integers(0, self.classes, batch)
        length, vocabulary = self.tokens
        return rng.integers(0, vocabulary, (batch, length)), rng.integers(0, vocabulary, batch*length)

    def scores(self, model: Any, x: Any) -> Any:
        """The network's output for a batch, a row for each target."""
        y = model(x)
        return y if self.image else y.reshape(-1, self.tokens[1])


def image_network(name: str, theirs: Callable[..., Any], batch: int) -> Network:
    record = get_record(name)
    return Network(published(name, theirs), batch, image=record.input, flops=2*record.multiply_adds)


def gpt_network(name: str, batch: int) -> Network:
    """Half of the attention's products are masked, and not counted as work."""
    record = get_record(name)
    length, size = record.input[0], record.settings
    masked = size["n_layer"]*length*length*size["n_embd"]
    return Network(published(name, torch_networks.gpt2), batch, tokens=(length, size["vocab_size"]),
                   flops=2*(record.multiply_adds - masked))


VOCABULARY = 65         # the characters of the usual Shakespeare text
NETWORKS: dict[str, Network] = {
    "mlp-64-128-10": Network(mlp(64, 128, 10), 32, image=(64,), flops=2*(64*128 + 128*10)),
    "mlp-784-512-512-10": Network(mlp(784, 512, 512, 10), 128, image=(784,), flops=2*(784*512 + 512*512 + 512*10)),
    "lenet": image_network("lenet", torch_networks.lenet, 64),
    "resnet18": image_network("resnet18-32", torch_networks.resnet18, 16),
    "char-lstm": Network(char_lstm(VOCABULARY, 128, 256), 32, tokens=(64, VOCABULARY),
                         flops=64*2*(4*256*(128 + 256) + 256*VOCABULARY)),
    "gpt-4x128": gpt_network("gpt-4x128", 12),
    "gpt-6x384": gpt_network("gpt-6x384", 4),
}
