"""Every layer against PyTorch's, from the same state_dict: outputs, all gradients, buffers; then
whole models in training.
"""

import copy
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from second_opinion import close, compare_layers, in_dtype, randomise, state_of, their_tensor

import fastnn as nn


def integers(*shape, below=7):
    return ("integers", shape, below)


def WithState(n, layer):
    """A module that hands its inputs x, h, c to the layer as x, (h, c)."""
    class Given(n.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x, h, c):
            return self.layer(x, (h, c))
    return Given()


def ones(n, *shape):
    return (nn.tensor if n is nn else their_tensor)(np.ones(shape, np.float32))


def Ready(n, layer, *shape):
    """A lazy layer after its first call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                 # PyTorch calls them new
        layer(ones(n, *shape))
    return layer


def Chosen(n, parameters):
    """A module that adds the parameters in a container of theirs to x."""
    class Given(n.Module):
        def __init__(self):
            super().__init__()
            self.layer = parameters

        def forward(self, x):
            for p in self.layer.values() if hasattr(self.layer, "values") else self.layer:
                x = x * p
            return x
    return Given()


def Said(n, loss):
    """A module that compares scores with two sequences of labels."""
    class Given(n.Module):
        def __init__(self):
            super().__init__()
            self.layer = loss

        def forward(self, x):
            labels = np.array([[1, 3, 3], [0, 1, 0]])
            return self.layer(n.LogSoftmax(2)(x), (nn.tensor if n is nn else their_tensor)(labels), (6, 5), (3, 2))
    return Given()


def Unpooled(n, pool, unpool):
    """A module that pools and puts back."""
    class Given(n.Module):
        def __init__(self):
            super().__init__()
            self.pool, self.layer = pool, unpool

        def forward(self, x):
            return self.layer(*self.pool(x))
    return Given()


def Labelled(n, softmax, labels):
    """A module that is told its labels, and gives all log probabilities, too."""
    class Given(n.Module):
        def __init__(self):
            super().__init__()
            self.layer = softmax

        def forward(self, x):
            given = (nn.tensor if n is nn else their_tensor)(np.array(labels))
            more = (self.layer.log_prob(x), self.layer.predict(x)) if x.ndim == 2 else ()
            return (*self.layer(x, given), *more)
    return Given()


def Drawn(n, layer, shape):
    """A module that pools at distances that are given."""
    class Given(n.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            samples = np.random.default_rng(5).random(shape).astype(str(x.dtype).rpartition(".")[2])
            self.layer._random_samples = (nn.tensor if n is nn else their_tensor)(samples)
            return self.layer(x)
    return Given()


# name: (layer, from either library; shapes of the inputs). Options stand after a comma.
CASES = {
    "Linear": (lambda n: n.Linear(5, 7), [(3, 5)]),
    "Linear, no bias, many axes": (lambda n: n.Linear(5, 7, bias=False), [(2, 3, 4, 5)]),
    "Linear, vector": (lambda n: n.Linear(5, 7), [(5,)]),
    "Flatten": (lambda n: n.Flatten(), [(2, 3, 5)]),
    "Flatten, inner": (lambda n: n.Flatten(1, 2), [(2, 3, 5, 2)]),
    "Unflatten": (lambda n: n.Unflatten(1, (2, 3)), [(4, 6, 5)]),
    "Identity": (lambda n: n.Identity(), [(2, 3)]),
    "Conv2d": (lambda n: n.Conv2d(3, 4, 3), [(2, 3, 7, 6)]),
    "Conv2d, stride and padding": (lambda n: n.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 2)), [(2, 3, 7, 6)]),
    "Conv2d, dilation, groups, no bias": (lambda n: n.Conv2d(4, 6, 3, dilation=(2, 1), groups=2, bias=False),
                                          [(2, 4, 8, 6)]),
    "Conv2d, depthwise": (lambda n: n.Conv2d(5, 10, 3, padding=1, groups=5), [(2, 5, 6, 6)]),
    "Conv2d, same": (lambda n: n.Conv2d(2, 3, (5, 3), padding="same", dilation=(1, 2)), [(2, 2, 6, 7)]),
    "Conv2d, one image": (lambda n: n.Conv2d(2, 3, 3, padding="valid"), [(2, 6, 7)]),
    "Conv2d, reflect": (lambda n: n.Conv2d(2, 4, (3, 4), (2, 1), (1, 2), groups=2, bias=False, padding_mode="reflect"),
                        [(2, 2, 6, 7)]),
    "Conv2d, replicate": (lambda n: n.Conv2d(2, 3, 3, padding=[4, 1], padding_mode="replicate"), [(2, 2, 4, 3)]),
    "Conv2d, circular, same": (lambda n: n.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2),
                                                  padding_mode="circular"), [(2, 2, 6, 7)]),
    "Conv2d, circular, one image": (lambda n: n.Conv2d(2, 3, 3, padding=(2, 0), padding_mode="circular"), [(2, 5, 4)]),
    "Conv2d, reflect, valid": (lambda n: n.Conv2d(2, 3, 3, padding="valid", padding_mode="reflect"), [(2, 2, 5, 4)]),
    "Conv2d, replicate, cut": (lambda n: n.Conv2d(2, 3, 3, padding=(-1, 2), padding_mode="replicate"), [(2, 2, 6, 4)]),
    "Conv2d, circular, relu": (lambda n: n.Sequential(n.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), n.ReLU()),
                               [(2, 2, 6, 7)]),
    "Conv1d": (lambda n: n.Conv1d(3, 4, 5, stride=2, padding=2), [(2, 3, 17)]),
    "Conv1d, reflect": (lambda n: n.Conv1d(2, 3, 5, 2, padding=(2,), padding_mode="reflect"), [(2, 2, 9)]),
    "Conv1d, replicate, same": (lambda n: n.Conv1d(2, 3, 4, padding="same", dilation=3, padding_mode="replicate"),
                                [(2, 2, 9)]),
    "Conv1d, circular, one sequence": (lambda n: n.Conv1d(2, 3, 3, padding=4, padding_mode="circular"), [(2, 4)]),
    "Conv1d, dilation, groups, no bias": (lambda n: n.Conv1d(4, 6, 3, dilation=2, groups=2, bias=False), [(2, 4, 12)]),
    "Conv1d, same": (lambda n: n.Conv1d(2, 3, 5, padding="same"), [(2, 2, 9)]),
    "Conv1d, one sequence": (lambda n: n.Conv1d(2, 3, 3), [(2, 9)]),
    "ConvTranspose1d": (lambda n: n.ConvTranspose1d(3, 4, 5, stride=2, padding=1, output_padding=1), [(2, 3, 7)]),
    "ConvTranspose2d": (lambda n: n.ConvTranspose2d(3, 4, (4, 3), stride=2, padding=1), [(2, 3, 5, 4)]),
    "ConvTranspose2d, groups, dilation": (
        lambda n: n.ConvTranspose2d(4, 6, 3, (2, 1), 0, (1, 1), groups=2, bias=False, dilation=2), [(2, 4, 5, 4)]),
    "ConvTranspose2d, one image": (lambda n: n.ConvTranspose2d(2, 3, 3), [(2, 6, 7)]),
    "MaxPool1d": (lambda n: n.MaxPool1d(3, stride=2, padding=1, dilation=1, ceil_mode=True), [(2, 3, 10)]),
    "AvgPool1d": (lambda n: n.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False), [(2, 3, 10)]),
    "AdaptiveAvgPool1d": (lambda n: n.AdaptiveAvgPool1d(3), [(2, 3, 7)]),
    "AdaptiveMaxPool1d": (lambda n: n.AdaptiveMaxPool1d(3), [(3, 7)]),
    "MaxPool2d": (lambda n: n.MaxPool2d(2), [(2, 3, 6, 8)]),
    "MaxPool2d, overlapping": (lambda n: n.MaxPool2d(3, stride=2, padding=1, dilation=1, ceil_mode=True),
                               [(2, 3, 8, 7)]),
    "AvgPool2d": (lambda n: n.AvgPool2d(2), [(2, 3, 6, 8)]),
    "AvgPool2d, edges": (lambda n: n.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), [(2, 3, 8, 7)]),
    "AdaptiveAvgPool2d": (lambda n: n.AdaptiveAvgPool2d((3, 2)), [(2, 3, 7, 5)]),
    "AdaptiveAvgPool2d, global": (lambda n: n.AdaptiveAvgPool2d(1), [(2, 3, 7, 5)]),
    "AdaptiveMaxPool2d": (lambda n: n.AdaptiveMaxPool2d((3, 2)), [(2, 3, 7, 5)]),
    "BatchNorm1d": (lambda n: n.BatchNorm1d(5), [(7, 5)]),
    "BatchNorm1d, sequences": (lambda n: n.BatchNorm1d(5, eps=1e-3, momentum=0.3), [(7, 5, 3)]),
    "BatchNorm2d": (lambda n: n.BatchNorm2d(3), [(4, 3, 5, 2)]),
    "BatchNorm2d, plain": (lambda n: n.BatchNorm2d(3, affine=False), [(4, 3, 5, 2)]),
    "BatchNorm2d, no statistics": (lambda n: n.BatchNorm2d(3, track_running_stats=False), [(4, 3, 5, 2)]),
    "BatchNorm2d, mean of all": (lambda n: n.BatchNorm2d(3, momentum=None), [(4, 3, 5, 2)]),
    "LayerNorm": (lambda n: n.LayerNorm(5), [(3, 4, 5)]),
    "LayerNorm, two axes": (lambda n: n.LayerNorm((4, 5), eps=1e-3), [(3, 4, 5)]),
    "LayerNorm, no bias": (lambda n: n.LayerNorm(5, bias=False), [(3, 5)]),
    "LayerNorm, plain": (lambda n: n.LayerNorm(5, elementwise_affine=False), [(3, 5)]),
    "GroupNorm": (lambda n: n.GroupNorm(2, 6), [(3, 6, 4, 5)]),
    "GroupNorm, plain": (lambda n: n.GroupNorm(3, 6, affine=False), [(3, 6, 4)]),
    "RMSNorm": (lambda n: n.RMSNorm(5), [(3, 4, 5)]),
    "RMSNorm, eps": (lambda n: n.RMSNorm((4, 5), eps=1e-3), [(3, 4, 5)]),
    "Dropout": (lambda n: n.Dropout(0.0), [(3, 5)]),
    "Dropout, everything": (lambda n: n.Dropout(1.0), [(3, 5)]),
    "Dropout2d, everything": (lambda n: n.Dropout2d(1.0), [(3, 2, 5, 4)]),
    "Embedding": (lambda n: n.Embedding(7, 5), [integers(3, 4)]),
    "Embedding, padding": (lambda n: n.Embedding(7, 5, padding_idx=2), [integers(3, 4)]),
    "Sequential": (lambda n: n.Sequential(n.Linear(5, 4), n.LayerNorm(4), n.Linear(4, 3)), [(3, 5)]),
    "ReLU": (lambda n: n.ReLU(), [(3, 5)]),
    "ReLU6": (lambda n: n.ReLU6(), [(3, 50)]),
    "LeakyReLU": (lambda n: n.LeakyReLU(0.2), [(3, 5)]),
    "ELU": (lambda n: n.ELU(0.7), [(3, 5)]),
    "SELU": (lambda n: n.SELU(), [(3, 5)]),
    "GELU": (lambda n: n.GELU(), [(3, 5)]),
    "GELU, tanh": (lambda n: n.GELU(approximate="tanh"), [(3, 5)]),
    "SiLU": (lambda n: n.SiLU(), [(3, 5)]),
    "Sigmoid": (lambda n: n.Sigmoid(), [(3, 5)]),
    "Tanh": (lambda n: n.Tanh(), [(3, 5)]),
    "Softplus": (lambda n: n.Softplus(beta=2.0, threshold=1.0), [(3, 50)]),
    "Hardtanh": (lambda n: n.Hardtanh(-0.5, 0.7), [(3, 50)]),
    "Softmax": (lambda n: n.Softmax(dim=1), [(3, 5, 2)]),
    "LogSoftmax": (lambda n: n.LogSoftmax(dim=-1), [(3, 5)]),
    "MSELoss": (lambda n: n.MSELoss(), [(3, 5), (3, 5)]),
    "MSELoss, none": (lambda n: n.MSELoss(reduction="none"), [(3, 5), (3, 5)]),
    "L1Loss": (lambda n: n.L1Loss(reduction="sum"), [(3, 5), (3, 5)]),
    "SmoothL1Loss": (lambda n: n.SmoothL1Loss(beta=0.7), [(3, 5), (3, 5)]),
    "HuberLoss": (lambda n: n.HuberLoss(delta=0.7), [(3, 5), (3, 5)]),
    "CrossEntropyLoss": (lambda n: n.CrossEntropyLoss(label_smoothing=0.1), [(9, 7), integers(9)]),
    "CrossEntropyLoss, ignored": (lambda n: n.CrossEntropyLoss(ignore_index=3, reduction="sum"), [(9, 7), integers(9)]),
    "CrossEntropyLoss, images": (lambda n: n.CrossEntropyLoss(), [(3, 7, 2, 5), integers(3, 2, 5)]),
    "NLLLoss": (lambda n: n.NLLLoss(), [(9, 7), integers(9)]),
    "BCEWithLogitsLoss": (lambda n: n.BCEWithLogitsLoss(), [(3, 5), integers(3, 5, below=2)]),
    "KLDivLoss": (lambda n: n.KLDivLoss(reduction="batchmean", log_target=True), [(3, 5), (3, 5)]),
    "LSTM": (lambda n: n.LSTM(3, 5), [(7, 4, 3)]),
    "LSTM, given state": (lambda n: WithState(n, n.LSTM(3, 5, num_layers=2)), [(7, 4, 3), (2, 4, 5), (2, 4, 5)]),
    "LSTM, batch first": (lambda n: n.LSTM(3, 5, batch_first=True), [(4, 7, 3)]),
    "LSTM, both ways": (lambda n: n.LSTM(3, 5, 2, bidirectional=True), [(7, 4, 3)]),
    "LSTM, both ways, given state": (
        lambda n: WithState(n, n.LSTM(3, 5, 2, bias=False, batch_first=True, bidirectional=True)),
        [(4, 7, 3), (4, 4, 5), (4, 4, 5)]),
    "LSTM, one sequence": (lambda n: n.LSTM(3, 5, 2, bidirectional=True), [(7, 3)]),
    "LSTM, one sequence, given state": (lambda n: WithState(n, n.LSTM(3, 5)), [(7, 3), (1, 5), (1, 5)]),
    "LSTM, everything dropped": (lambda n: n.LSTM(3, 5, 3, dropout=1.0), [(7, 4, 3)]),
    "LSTMCell": (lambda n: n.LSTMCell(3, 5), [(4, 3)]),
    "LSTMCell, given state": (lambda n: WithState(n, n.LSTMCell(3, 5, bias=False)), [(4, 3), (4, 5), (4, 5)]),
    "LSTMCell, one sample": (lambda n: WithState(n, n.LSTMCell(3, 5)), [(3,), (5,), (5,)]),
    "GRU": (lambda n: n.GRU(3, 5), [(7, 4, 3)]),
    "GRU, both ways, batch first": (lambda n: n.GRU(3, 5, 2, bidirectional=True, batch_first=True),
                                    [(4, 7, 3), (4, 4, 5)]),
    "GRU, one sequence": (lambda n: n.GRU(3, 5, bias=False), [(7, 3)]),
    "GRU, everything dropped": (lambda n: n.GRU(3, 5, 3, dropout=1.0), [(7, 4, 3)]),
    "GRUCell": (lambda n: n.GRUCell(3, 5), [(4, 3)]),
    "GRUCell, given state": (lambda n: n.GRUCell(3, 5, bias=False), [(4, 3), (4, 5)]),
    "GRUCell, one sample": (lambda n: n.GRUCell(3, 5), [(3,), (5,)]),
    "RNN": (lambda n: n.RNN(3, 5), [(7, 4, 3)]),
    "RNN, relu": (lambda n: n.RNN(3, 5, 2, "relu", batch_first=True), [(4, 7, 3), (2, 4, 5)]),
    "RNN, both ways": (lambda n: n.RNN(3, 5, 2, bias=False, bidirectional=True), [(7, 4, 3)]),
    "RNN, one sequence": (lambda n: n.RNN(3, 5, nonlinearity="relu"), [(7, 3)]),
    "RNNCell": (lambda n: n.RNNCell(3, 5), [(4, 3), (4, 5)]),
    "RNNCell, relu": (lambda n: n.RNNCell(3, 5, nonlinearity="relu"), [(4, 3)]),
    "RNNCell, one sample": (lambda n: n.RNNCell(3, 5, bias=False), [(3,), (5,)]),
    "MultiheadAttention": (lambda n: n.MultiheadAttention(6, 2), [(5, 3, 6), (7, 3, 6), (7, 3, 6)]),
    "MultiheadAttention, batch first": (lambda n: n.MultiheadAttention(6, 3, batch_first=True),
                                        [(3, 5, 6), (3, 7, 6), (3, 7, 6)]),
    "MultiheadAttention, widths": (lambda n: n.MultiheadAttention(6, 2, kdim=4, vdim=3, bias=False),
                                   [(5, 3, 6), (7, 3, 4), (7, 3, 3)]),
    "MultiheadAttention, one sequence": (lambda n: n.MultiheadAttention(6, 2), [(5, 6), (7, 6), (7, 6)]),
    **{name: (lambda n, name=name: getattr(n, name)(), [(3, 4, 6)])
       for name in ("Mish", "LogSigmoid", "Softsign", "Tanhshrink", "CELU", "Hardshrink",
                    "Softshrink", "PReLU", "GLU")},
    "CELU, alpha": (lambda n: n.CELU(0.5), [(3, 4)]), "Threshold": (lambda n: n.Threshold(0.3, -1.0), [(3, 4)]),
    "PReLU, channels": (lambda n: n.PReLU(3), [(2, 3, 4)]), "GLU, dim": (lambda n: n.GLU(0), [(4, 3)]),
    "Softmin": (lambda n: n.Softmin(1), [(3, 4)]), "Softmax2d": (lambda n: n.Softmax2d(), [(2, 3, 4, 5)]),
    **{f"{kind}Pad{rank}d": (lambda n, name=f"{kind}Pad{rank}d": getattr(n, name)(1), [(2, 3, 4, 5, 6)[:rank + 2]])
       for kind in ("Zero", "Reflection", "Replication", "Circular") for rank in (1, 2, 3)},
    "ConstantPad1d": (lambda n: n.ConstantPad1d((2, -1), 3.0), [(2, 5)]),
    "ConstantPad2d": (lambda n: n.ConstantPad2d((1, 2, 0, 1), -1.5), [(2, 3, 4, 5)]),
    "ConstantPad3d": (lambda n: n.ConstantPad3d(1, 0.5), [(2, 3, 4, 5)]),
    "ReflectionPad2d, one image": (lambda n: n.ReflectionPad2d((1, 2, 0, 1)), [(3, 4, 5)]),
    "PixelShuffle": (lambda n: n.PixelShuffle(2), [(2, 8, 3, 4)]),
    "PixelUnshuffle": (lambda n: n.PixelUnshuffle(2), [(2, 2, 4, 6)]),
    "ChannelShuffle": (lambda n: n.ChannelShuffle(3), [(2, 6, 4, 4)]),
    "Upsample": (lambda n: n.Upsample(scale_factor=2, mode="bilinear"), [(2, 3, 4, 5)]),
    "Upsample, volume": (lambda n: n.Upsample((5, 3, 4), mode="trilinear", align_corners=True), [(2, 3, 4, 5, 2)]),
    "UpsamplingNearest2d": (lambda n: n.UpsamplingNearest2d(scale_factor=3), [(2, 3, 4, 5)]),
    "UpsamplingBilinear2d": (lambda n: n.UpsamplingBilinear2d((7, 9)), [(2, 3, 4, 5)]),
    "EmbeddingBag": (lambda n: n.EmbeddingBag(7, 3), [("integers", (4, 5), 7)]),
    "EmbeddingBag, max": (lambda n: n.EmbeddingBag(7, 3, mode="max"), [("integers", (4, 5), 7)]),
    "Unfold": (lambda n: n.Unfold((2, 3), padding=1, stride=2), [(2, 3, 5, 6)]),
    "Fold": (lambda n: n.Fold((4, 5), 2), [(2, 12, 12)]),
    "CosineSimilarity": (lambda n: n.CosineSimilarity(), [(3, 5), (3, 5)]),
    "PairwiseDistance": (lambda n: n.PairwiseDistance(1.0, keepdim=True), [(3, 5), (3, 5)]),
    "InstanceNorm1d": (lambda n: n.InstanceNorm1d(3), [(2, 3, 5)]),
    "InstanceNorm1d, one sequence": (lambda n: n.InstanceNorm1d(3, affine=True), [(3, 5)]),
    "InstanceNorm2d": (lambda n: n.InstanceNorm2d(3, affine=True, track_running_stats=True), [(2, 3, 4, 5)]),
    "RReLU": (lambda n: n.RReLU(0.25, 0.25), [(3, 5)]),
    "Dropout1d, everything": (lambda n: n.Dropout1d(1.0), [(3, 2, 5)]),
    "Dropout3d, everything": (lambda n: n.Dropout3d(1.0), [(3, 2, 5, 4, 2)]),
    "AlphaDropout, everything": (lambda n: n.AlphaDropout(1.0), [(3, 5)]),
    "FeatureAlphaDropout, everything": (lambda n: n.FeatureAlphaDropout(1.0), [(3, 5, 2)]),
    "Bilinear": (lambda n: n.Bilinear(4, 3, 5), [(2, 4), (2, 3)]),
    "Bilinear, no bias": (lambda n: n.Bilinear(4, 3, 5, bias=False), [(2, 6, 4), (2, 6, 3)]),
    "LPPool1d": (lambda n: n.LPPool1d(2, 3, 2), [(2, 3, 9)]),
    "LPPool2d": (lambda n: n.LPPool2d(2, (2, 3)), [(3, 6, 7)]),
    "MaxUnpool1d": (lambda n: Unpooled(n, n.MaxPool1d(2, return_indices=True), n.MaxUnpool1d(2)), [(2, 3, 8)]),
    "MaxUnpool2d": (lambda n: Unpooled(n, n.MaxPool2d((2, 3), return_indices=True), n.MaxUnpool2d((2, 3))),
                    [(2, 3, 4, 6)]),
    "FractionalMaxPool2d": (lambda n: Drawn(n, n.FractionalMaxPool2d((2, 3), (4, 5), return_indices=True), (2, 3, 2)),
                            [(2, 3, 9, 11)]),
    "FractionalMaxPool2d, ratio": (lambda n: Drawn(n, n.FractionalMaxPool2d(2, output_ratio=(0.5, 0.7)), (1, 3, 2)),
                                   [(3, 9, 11)]),
    "AdaptiveLogSoftmaxWithLoss": (lambda n: Labelled(n, n.AdaptiveLogSoftmaxWithLoss(
        16, 50, [5, 12, 30], div_value=2.0, head_bias=True), [0, 4, 5, 13, 49, 29, 30]), [(7, 16)]),
    "AdaptiveLogSoftmaxWithLoss, one row": (lambda n: Labelled(n, n.AdaptiveLogSoftmaxWithLoss(8, 9, [4]), 6), [(8,)]),
    "CTCLoss": (lambda n: Said(n, n.CTCLoss(blank=2)), [(6, 2, 4)]),
    "ParameterList": (lambda n: Chosen(n, n.ParameterList([ones(n, 3, 1), ones(n, 5)])), [(3, 5)]),
    "ParameterDict": (lambda n: Chosen(n, n.ParameterDict({"a": ones(n, 5)})), [(3, 5)]),
    "LazyLinear": (lambda n: Ready(n, n.LazyLinear(7), 3, 5), [(3, 5)]),
    "LazyConv1d": (lambda n: Ready(n, n.LazyConv1d(4, 3, 2, padding=1), 1, 3, 8), [(2, 3, 8)]),
    "LazyConv2d": (lambda n: Ready(n, n.LazyConv2d(4, (3, 2), groups=2, bias=False), 6, 8, 7), [(2, 6, 8, 7)]),
    "LazyConv1d, circular": (lambda n: Ready(n, n.LazyConv1d(4, 3, padding=2, padding_mode="circular"), 1, 3, 8),
                             [(2, 3, 8)]),
    "LazyConv2d, reflect": (lambda n: Ready(n, n.LazyConv2d(4, 3, padding=2, padding_mode="reflect"), 3, 5, 4),
                            [(2, 3, 5, 4)]),
    "LazyConvTranspose1d": (lambda n: Ready(n, n.LazyConvTranspose1d(4, 3, 2), 1, 3, 8), [(2, 3, 8)]),
    "LazyConvTranspose2d": (lambda n: Ready(n, n.LazyConvTranspose2d(4, 3), 1, 3, 4, 4), [(2, 3, 4, 4)]),
    "LazyBatchNorm1d": (lambda n: Ready(n, n.LazyBatchNorm1d(), 4, 5), [(4, 5)]),
    "LazyBatchNorm2d": (lambda n: Ready(n, n.LazyBatchNorm2d(momentum=0.3), 4, 3, 2, 2), [(4, 3, 5, 2)]),
    "LazyInstanceNorm1d": (lambda n: Ready(n, n.LazyInstanceNorm1d(), 4, 3, 2), [(4, 3, 5)]),
    "LazyInstanceNorm2d": (lambda n: Ready(n, n.LazyInstanceNorm2d(affine=False), 4, 3, 2, 2), [(4, 3, 5, 2)]),
    "LocalResponseNorm": (lambda n: n.LocalResponseNorm(3, 0.1, k=2.0), [(2, 5, 3, 4)]),
}


def arrays_for(shapes, dtype, seed=0):
    """Random inputs, away from 0 so that no slope jumps."""
    rng = np.random.default_rng(seed)
    made = []
    for shape in shapes:
        if shape and shape[0] == "integers":
            made.append(rng.integers(0, shape[2], shape[1]))
        else:
            x = rng.standard_normal(shape)
            made.append((x + np.sign(x) * 0.02).astype(dtype))
    return made


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("name", CASES)
def test_layer_equals_torch(torch, name, dtype, mode):
    make, shapes = CASES[name]
    theirs = make(torch.nn)
    randomise(theirs)
    ours, theirs = make(nn).to(dtype), in_dtype(theirs, dtype)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(state_of(theirs))
    getattr(ours, mode)()
    getattr(theirs, mode)()
    for seed in (0, 1):                             # twice: running statistics move
        for model in (ours, theirs):
            model.zero_grad()
        arrays = arrays_for(shapes, dtype, seed)
        if isinstance(ours, nn.BCEWithLogitsLoss):
            arrays[1] = arrays[1].astype(dtype)     # its labels are probabilities
        compare_layers(ours, theirs, arrays, dtype)


@pytest.mark.parametrize("name", CASES)
def test_repr_and_copies(name):
    layer = CASES[name][0](nn)
    assert repr(layer).startswith(type(layer).__name__) and layer.describe().startswith(type(layer).__name__)
    # pickle finds classes by their module's names, and Given has none
    layer = getattr(layer, "layer", layer)
    before = bits(layer)
    for copied in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        other = copied(layer)
        assert repr(other) == repr(layer) and bits(other) == before
        # what is assigned to a copy of any depth is the copy's alone, and the copy computes with it
        for path, module in other.named_modules() if copied is not copy.copy else [("", other)]:
            for kind, value in ((nn.Parameter, dict(module.named_parameters(recurse=False))),
                                (nn.tensor, dict(module.named_buffers(recurse=False)))):
                for key, t in value.items():
                    setattr(module, key, kind(np.zeros_like(t.data)))
                    assert other.state_dict().get(f"{path}.{key}".lstrip("."), getattr(module, key)).data.sum() == 0
        assert bits(layer) == before


def bits(layer):
    return {key: (t.dtype, t.shape, t.data.tobytes()) for key, t in layer.state_dict().items()}


def test_losses_with_class_weights(torch):
    weight = np.array([0.5, 2.0, 1.0, 0.1, 3.0, 1.0, 1.0], np.float32)
    for name in ("CrossEntropyLoss", "NLLLoss"):
        ours, theirs = getattr(nn, name)(weight=nn.tensor(weight)), getattr(torch.nn, name)(weight=torch.tensor(weight))
        assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]
        compare_layers(ours, theirs, arrays_for([(9, 7), integers(9)], np.float32), np.float32)
    ours = nn.BCEWithLogitsLoss(pos_weight=nn.tensor(weight[:5]), weight=nn.tensor(weight[1:6]))
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight[:5]), weight=torch.tensor(weight[1:6]))
    x, t = arrays_for([(3, 5), integers(3, 5, below=2)], np.float32)
    compare_layers(ours, theirs, [x, t.astype(np.float32)])


def test_bce_loss_takes_probabilities(torch):
    p, t = np.random.default_rng(0).uniform(0.1, 0.9, (2, 4, 3)).astype(np.float32)
    compare_layers(nn.BCELoss(), torch.nn.BCELoss(), [p, t], differentiable=[0])


# ---- attention's masks ------------------------------------------------------------
T, U, B, NH = 5, 7, 3, 2
RNG = np.random.default_rng(4)
ALLOW_ONE = np.arange(U) == 2           # so that no query is without a key, where PyTorch gives NaN
MASKS = {
    "attn_mask": {"attn_mask": (RNG.random((T, U)) < 0.5) & ~ALLOW_ONE},
    "attn_mask per head": {"attn_mask": (RNG.random((B * NH, T, U)) < 0.5) & ~ALLOW_ONE},
    "attn_mask added": {"attn_mask": RNG.standard_normal((T, U))},
    "attn_mask added per head": {"attn_mask": RNG.standard_normal((B * NH, T, U))},
    "padding": {"key_padding_mask": (RNG.random((B, U)) < 0.5) & ~ALLOW_ONE},
    "padding and attn_mask": {"key_padding_mask": (RNG.random((B, U)) < 0.3) & ~ALLOW_ONE,
                              "attn_mask": (RNG.random((T, U)) < 0.3) & ~ALLOW_ONE},
    "both added": {"key_padding_mask": RNG.standard_normal((B, U)), "attn_mask": RNG.standard_normal((T, U))},
    "by head": {"average_attn_weights": False},
}


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("name", MASKS)
def test_attention_masks_equal_torch(torch, name, dtype, need_weights):
    kwargs = {k: v.astype(dtype) if getattr(v, "dtype", None) == np.float64 else v for k, v in MASKS[name].items()}
    theirs = in_dtype(torch.nn.MultiheadAttention(6, NH, batch_first=True), dtype)
    randomise(theirs)
    ours = nn.MultiheadAttention(6, NH, batch_first=True).to(dtype)
    ours.load_state_dict(state_of(theirs))
    arrays = arrays_for([(B, T, 6), (B, U, 6), (B, U, 6)], dtype)
    compare_layers(ours, theirs, arrays, dtype, need_weights=need_weights, **kwargs)


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_causal_equals_torch_with_the_mask(torch, need_weights):
    theirs = torch.nn.MultiheadAttention(6, 2, batch_first=True)
    ours = nn.MultiheadAttention(6, 2, batch_first=True)
    ours.load_state_dict(state_of(theirs))
    x = arrays_for([(3, 5, 6)], np.float32)[0]
    future = torch.nn.Transformer.generate_square_subsequent_mask(5)
    want, weights = theirs(*[torch.tensor(x)] * 3, attn_mask=future, is_causal=True, need_weights=need_weights)
    t = nn.tensor(x)
    got, ours_weights = ours(t, t, t, is_causal=True, need_weights=need_weights)
    close(got, want, "output")
    if need_weights:
        close(ours_weights, weights, "weights")


def test_attention_without_weights_is_the_same_in_training():
    """Both paths drop the same weights (of rows of 4 n), and a query that may attend nothing gives
    the bias, without NaN.
    """
    attention = nn.MultiheadAttention(6, 2, dropout=0.4, batch_first=True).double()
    x = arrays_for([(3, 8, 6)], np.float64)[0]
    padding = np.zeros((3, 8), bool)
    padding[1] = True
    results = []
    for need_weights in (True, False):
        nn.seed(11)
        attention.zero_grad()
        t = nn.tensor(x, requires_grad=True)
        with nn.autograd.detect_anomaly():          # no NaN on the way either
            y, weights = attention(t, t, t, key_padding_mask=nn.tensor(padding), need_weights=need_weights,
                                   is_causal=True)
            y.backward(np.ones(y.shape))
        results.append([y.data, t.grad.data, *(p.grad.data for p in attention.parameters())])
        if need_weights:
            assert (weights.data[1] == 0).all() and (weights.data[0] == 0).any()
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(results[0][0][1], np.broadcast_to(attention.out_proj.bias.data, (8, 6)), atol=1e-15)


HIDES = {                                   # each hides key 3 from all queries
    "padding": {"key_padding_mask": np.array([[False, False, False, True]])},
    "attn_mask": {"attn_mask": np.array([[False, False, False, True]] * 4)},
    "added": {"attn_mask": np.array([[0.5, 0.0, 1.0, -np.inf]] * 4)},
    "padding added": {"key_padding_mask": np.array([[0.5, 0.0, 1.0, -np.inf]])},
    "per head": {"attn_mask": np.array([[[False, False, False, True]] * 4] * 2)},
    "causal": {"is_causal": True},
}


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf, 1e300], ids=str)
@pytest.mark.parametrize("name", HIDES)
def test_a_hidden_key_has_no_effect_whatever_it_holds(name, junk):
    """Neither on y, nor on the weights, nor on a gradient; nor a huge number, whose product with
    the gradient of y overflows.
    """
    layer = nn.MultiheadAttention(4, 2, batch_first=True, dropout=0.3).double()
    mask = {k: nn.tensor(v) if isinstance(v, np.ndarray) else v for k, v in HIDES[name].items()}
    queries = 3 if name == "causal" else 4
    x, other = arrays_for([(1, queries, 4), (1, 4, 4)], np.float64)
    dy = np.full((1, queries, 4), 1e10)
    results = []
    for put, need_weights in ((0.7, True), (junk, True), (junk, False)):
        layer.zero_grad()
        nn.seed(3)
        q, k = (nn.tensor(a, requires_grad=True) for a in (x, other))
        # behind the projections, whose weights would get NaN from the key themselves
        into = layer.in_proj_weight.split(4)
        projected = [nn.functional.linear(a, w) for a, w in zip((q, k, k), into)]
        for a in projected[1:]:
            a[:, 3] = put
        layer._projected = lambda *_, done=projected: tuple(done)
        y, weights = layer(q, k, k, need_weights=need_weights, average_attn_weights=False, **mask)
        loss = (y * nn.tensor(dy)).sum()
        y_only = [loss] if weights is None else [loss, (weights ** 2).sum()]
        results.append([y.data] + ([weights.data] if weights is not None else []))
        for part in y_only:
            part.backward(retain_graph=True)
            results[-1] += [q.grad.data.copy(), k.grad.data.copy()]
    clean, dirty, apart = results
    for a, b in [*zip(clean, dirty), *zip([clean[0], *clean[2:4]], apart)]:
        # 2e-16 for each of some 50 roundings, of numbers as large as the largest
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-14 * np.abs(a).max())


def test_what_a_query_sees_shows_beside_a_mask():
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    x = nn.randn(1, 3, 4)
    k = x.clone()
    k[:, 2] = np.nan
    y, weights = layer(x, k, k, is_causal=True)
    for a in (y, weights):
        np.testing.assert_array_equal(np.isnan(a.data).any(-1), [[False, False, True]])


# ---- whole models ------------------------------------------------------------
def small_cnn(n):
    return n.Sequential(n.Conv2d(1, 6, 5, padding=2), n.ReLU(), n.MaxPool2d(2), n.Conv2d(6, 16, 5), n.ReLU(),
                        n.MaxPool2d(2), n.Flatten(), n.Linear(64, 30), n.ReLU(), n.Linear(30, 10))


def char_lstm(n):
    class CharLSTM(n.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = n.Embedding(10, 6), n.LSTM(6, 8, num_layers=2, batch_first=True)
            self.head = n.Linear(8, 10)

        def forward(self, x):
            return self.head(self.lstm(self.embedding(x))[0]).reshape(-1, 10)

    return CharLSTM()


def gpt(n):
    """A small pre-norm transformer with tied embeddings."""
    class Block(n.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = n.LayerNorm(8), n.LayerNorm(8)
            self.attn = n.MultiheadAttention(8, 2, batch_first=True)
            self.mlp = n.Sequential(n.Linear(8, 32), n.GELU(), n.Linear(32, 8))

        def forward(self, x, future):
            h = self.ln_1(x)
            x = x + self.attn(h, h, h, attn_mask=future, need_weights=False)[0]
            return x + self.mlp(self.ln_2(x))

    class GPT(n.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = n.Embedding(10, 8), n.Embedding(6, 8)
            self.blocks = n.ModuleList([Block() for _ in range(2)])
            self.ln = n.LayerNorm(8)
            self.head = n.Linear(8, 10, bias=False)
            self.head.weight = self.tokens.weight

        def forward(self, x):
            wrap = nn.tensor if n is nn else their_tensor
            x = self.tokens(x) + self.places(wrap(np.arange(6)))
            future = wrap(~np.tri(6, dtype=bool))
            for block in self.blocks:
                x = block(x, future)
            return self.head(self.ln(x)).reshape(-1, 10)

    return GPT()


MODELS = {
    "cnn": (small_cnn, lambda rng: rng.standard_normal((4, 1, 16, 16)), 4),
    "char-lstm": (char_lstm, lambda rng: rng.integers(0, 10, (3, 6)), 18),
    "gpt": (gpt, lambda rng: rng.integers(0, 10, (3, 6)), 18),
}
OPTIMISERS = {
    "SGD": lambda o, params: o.SGD(params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda o, params: o.Adam(params, lr=0.01),
    "AdamW": lambda o, params: o.AdamW(params, lr=0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", MODELS)
def test_three_steps_of_training_equal_torch(torch, name, optimiser):
    """In float64: Adam divides a gradient by its own size, and some are 0 but for rounding, which
    float32 would show.
    """
    make, draw, labels = MODELS[name]
    theirs = make(torch.nn).double()
    ours = make(nn).double()
    ours.load_state_dict(state_of(theirs))
    make_optimiser = OPTIMISERS[optimiser]
    optimise, toptimise = make_optimiser(nn.optim, ours.parameters()), make_optimiser(torch.optim, theirs.parameters())
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(3):
        x, t = draw(rng), rng.integers(0, 10, labels)
        loss = nn.functional.cross_entropy(ours(nn.tensor(x)), nn.tensor(t))
        tloss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(t))
        optimise.zero_grad()
        toptimise.zero_grad()
        loss.backward()
        tloss.backward()
        optimise.step()
        toptimise.step()
        losses.append((loss.item(), tloss.item()))
    np.testing.assert_allclose(*np.transpose(losses), rtol=1e-10)
    state = ours.state_dict()
    for key, want in state_of(theirs).items():
        np.testing.assert_allclose(state[key].data, want, rtol=1e-8, atol=1e-10, err_msg=key)


def test_eight_threads_infer_with_the_same_bits():
    model = small_cnn(nn).eval()
    inputs = [np.random.default_rng(i).standard_normal((3, 1, 16, 16)).astype(np.float32) for i in range(8)]
    want = [model(nn.tensor(x)).data.tobytes() for x in inputs]
    wrong, barrier = [], threading.Barrier(8)

    def infer(i):
        barrier.wait()
        with nn.no_grad():
            for _ in range(10):
                if model(nn.tensor(inputs[i])).data.tobytes() != want[i]:
                    wrong.append(i)

    threads = [threading.Thread(target=infer, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


FORKED = """
import os, sys
import numpy as np, fastnn as nn
nn.set_num_threads(2)
nn.seed(1)
model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 26 * 26, 10))
optimiser = nn.optim.Adam(model.parameters())
x, t = np.random.default_rng(0).standard_normal((16, 1, 28, 28)).astype(np.float32), np.arange(16) % 10

def steps():
    losses = []
    for _ in range(3):
        loss = nn.functional.cross_entropy(model(nn.tensor(x)), nn.tensor(t))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return np.array(losses).tobytes()

steps()                                             # the pool's threads exist now; a forked child has none of them
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, steps())
    os._exit(0)
mine = steps()
assert os.waitpid(child, 0)[1] == 0, "the child failed"
assert os.read(read, 1000) == mine, "the child's losses differ"
print("same")
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork on this system")
def test_a_forked_child_trains_with_the_same_bits():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120)
    assert done.stdout == "same\n", done.stderr


# ---- sizes that make no sense --------------------------------------------------------------------
@pytest.mark.parametrize("layer, sizes", [
    (nn.Linear, {"in_features": 2, "out_features": 2}),
    (nn.Conv1d, {"in_channels": 2, "out_channels": 2, "kernel_size": 3}),
    (nn.Conv2d, {"in_channels": 2, "out_channels": 2, "kernel_size": 3}),
    (nn.ConvTranspose2d, {"in_channels": 2, "out_channels": 2, "kernel_size": 3}),
    (nn.BatchNorm1d, {"num_features": 2}), (nn.BatchNorm2d, {"num_features": 2}),
    (nn.GroupNorm, {"num_groups": 2, "num_channels": 4}),
    (nn.Embedding, {"num_embeddings": 3, "embedding_dim": 2}),
    (nn.LSTM, {"input_size": 3, "hidden_size": 2, "num_layers": 1}),
    (nn.GRU, {"input_size": 3, "hidden_size": 2, "num_layers": 1}),
    (nn.RNN, {"input_size": 3, "hidden_size": 2, "num_layers": 1}),
    (nn.MultiheadAttention, {"embed_dim": 4, "num_heads": 2}),
])
def test_a_size_that_is_no_whole_number_is_named(layer, sizes):
    for name in sizes:
        for value in ("4", None, 2.5, float("nan")):
            with pytest.raises(nn.DTypeError, match=rf"{layer.__name__}: expected {name} as an int"):
                layer(**{**sizes, name: value})
        with pytest.raises(nn.ShapeError, match=rf"{layer.__name__}.*{name}"):
            layer(**{**sizes, name: -1})


# ---- arguments of PyTorch's ----------------------------------------------------------------------
@pytest.mark.parametrize("make", [
    lambda n, **k: n.Linear(2, 3, **k), lambda n, **k: n.Conv1d(1, 2, 3, padding_mode="zeros", **k),
    lambda n, **k: n.Conv2d(1, 2, 3, **k), lambda n, **k: n.ConvTranspose2d(1, 2, 3, **k),
    lambda n, **k: n.Embedding(3, 2, max_norm=None, sparse=False, **k), lambda n, **k: n.BatchNorm2d(3, **k),
    lambda n, **k: n.LayerNorm(3, **k), lambda n, **k: n.GroupNorm(1, 2, **k), lambda n, **k: n.RMSNorm(3, **k),
    lambda n, **k: n.LSTM(2, 3, proj_size=0, **k), lambda n, **k: n.GRU(2, 3, **k), lambda n, **k: n.RNNCell(2, 3, **k),
    lambda n, **k: n.MultiheadAttention(4, 2, add_bias_kv=False, **k)])
def test_device_and_dtype_of_layers(torch, make):
    for device in (None, "cpu"):
        assert next(make(nn, device=device).parameters()).dtype == np.float32
        assert next(make(nn, device=device, dtype=nn.float64).parameters()).dtype == np.float64
    assert next(make(torch.nn, device="cpu", dtype=None).parameters()).dtype == torch.float32
    with pytest.raises(nn.RangeError, match=r'expected device "cpu", got .cuda.'):
        make(nn, device="cuda")
    with pytest.raises(nn.DTypeError):
        make(nn, dtype="float16")


@pytest.mark.parametrize("make, shape", [(lambda n: n.BatchNorm1d(3, bias=False), (4, 3)),
                                         (lambda n: n.BatchNorm2d(3, bias=False), (2, 3, 4, 4)),
                                         (lambda n: n.GroupNorm(3, 6, bias=False), (2, 6, 5))])
def test_norms_without_bias_like_torch(torch, make, shape):
    theirs = make(torch.nn).double()
    randomise(theirs)
    ours = make(nn).double()
    ours.load_state_dict(state_of(theirs))
    compare_layers(ours, theirs, [np.random.default_rng(0).standard_normal(shape)], np.float64)


@pytest.mark.filterwarnings("ignore:Using padding=.same.")
@pytest.mark.parametrize("make, sizes", [
    (lambda n, **k: n.Conv1d(2, 3, 3, **k), (2, 2, 5)), (lambda n, **k: n.Conv2d(2, 3, (3, 2), **k), (2, 2, 5, 4))])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_what_padding_of_convolutions_like_torch(torch, make, sizes, mode):
    """Which paddings are taken, when the layer is made and when it is called."""
    for padding in (0, 3, 4, 5, 6, -1, -3, (1, 2), (2, -1), (1, 2, 3), "same", "valid", "full", None, 1.0):
        made = []
        for library, wrap in ((torch.nn, torch.tensor), (nn, nn.tensor)):
            try:
                made.append(make(library, padding=padding, padding_mode=mode)(wrap(np.ones(sizes, np.float32))).shape)
            except Exception as error:
                made.append(error)
        theirs, ours = made
        assert isinstance(theirs, Exception) == isinstance(ours, nn.errors.FastnnError), (mode, padding, theirs, ours)
        assert isinstance(theirs, Exception) or tuple(theirs) == ours, (mode, padding)


def test_padding_modes_show_and_cost_what_they_do():
    assert "padding" not in repr(nn.Conv2d(1, 2, 3))
    layer = nn.Conv2d(1, 2, 3, padding=2, bias=False, padding_mode="circular")
    assert repr(layer) == ("Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(2, 2), bias=False, "
                           "padding_mode='circular')")
    x = nn.zeros(1, 1, 8, 8)
    more = layer.workspace_bytes((x,), layer(x)) - nn.Conv2d(1, 2, 3, bias=False).workspace_bytes(
        (nn.zeros(1, 1, 12, 12),), layer(x))
    assert more == 2 * 12 * 12 * 4                  # the copy with its border, and its gradient
    del layer.__dict__["padding_mode"]              # as in a pickle from before there was one
    assert nn.equal(layer(x + 1), nn.conv2d(x + 1, layer.weight, None, 1, 2))


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("masks", ["none", "bool", "float", "causal"])
def test_more_keys_like_torch(torch, learned, zero, masks):
    T, U, B, D = 3, 4, 2, 6
    theirs = torch.nn.MultiheadAttention(D, 2, add_bias_kv=learned, add_zero_attn=zero).double()
    randomise(theirs)
    ours = nn.MultiheadAttention(D, 2, add_bias_kv=learned, add_zero_attn=zero, dtype=nn.float64)
    ours.load_state_dict(state_of(theirs))
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((n, B, D)) for n in (T, U, U)]
    ours_too = {}
    if masks in ("bool", "float"):
        forbidden = np.triu(np.ones((T, U), bool), 2)
        mask = forbidden if masks == "bool" else np.where(forbidden, -np.inf, rng.standard_normal((T, U)))
        padding = np.array([[False, False, True, False], [False, True, False, False]])
        ours_too = {"attn_mask": mask, "key_padding_mask": padding if masks == "bool" else np.where(padding, -1.0, 0.0)}
        compare_layers(ours, theirs, arrays, np.float64, **ours_too)
    elif masks == "none":
        compare_layers(ours, theirs, arrays, np.float64)
    else:
        want, weights = theirs(*map(torch.tensor, arrays), attn_mask=torch.ones(T, U, dtype=torch.bool).triu(1))
        got = ours(*map(nn.tensor, arrays), is_causal=True)
        close(got[0], want), close(got[1], weights)


@pytest.mark.parametrize("make, words", [
    (lambda: nn.LSTM(2, 3, proj_size=1), r"LSTM: expected proj_size=0, got 1"),
    (lambda: nn.ConvTranspose1d(1, 1, 3, padding_mode="reflect"), r"ConvTranspose1d: expected padding_mode='zeros'"),
    (lambda: nn.LazyConvTranspose2d(1, 3, padding_mode="circular"), r"LazyConvTranspose2d: expected padding_mode='ze"),
    (lambda: nn.Embedding(2, 2, max_norm=1.0), r"Embedding: expected max_norm=None"),
    (lambda: nn.Embedding(2, 2, sparse=True), r"Embedding: expected sparse=False")])
def test_what_pytorch_has_and_fastnn_not(make, words):
    with pytest.raises(nn.RangeError, match=words):
        make()


def test_hard_activations_are_the_functions():
    """PyTorch's slopes of these are rounded to float32, also in float64."""
    x = nn.linspace(-4, 4, 33)
    for name in ("hardsigmoid", "hardswish"):
        assert nn.equal(getattr(nn, name.capitalize())(inplace=True)(x), getattr(nn, name)(x))


@pytest.mark.parametrize("call, words", [
    (lambda: nn.PReLU(3)(nn.ones(2, 4)), ("PReLU", "4 weights", "(3,)")),
    (lambda: nn.GLU()(nn.ones(3)), ("GLU", "even", "(3,)")),
    (lambda: nn.Softmax2d()(nn.ones(2, 3)), ("Softmax2d", "(N, C, H, W)", "(2, 3)")),
    (lambda: nn.ZeroPad2d((1, 2)), ("ZeroPad2d", "an int, or as 4", "(1, 2)")),
    (lambda: nn.ReflectionPad1d(4)(nn.ones(1, 2, 3)), ("ReflectionPad1d", "size 3", "(4, 4)")),
    (lambda: nn.ReplicationPad2d(1)(nn.ones(2, 3)), ("ReplicationPad2d", "3 or 4 dimensions", "(2, 3)")),
    (lambda: nn.PixelShuffle(2)(nn.ones(1, 3, 2, 2)), ("PixelShuffle", "multiple of 4", "(1, 3, 2, 2)")),
    (lambda: nn.Upsample(3, mode="linear")(nn.ones(1, 2, 3, 4)), ("Upsample", "3 dimensions", "(1, 2, 3, 4)")),
    (lambda: nn.EmbeddingBag(3, 2)(nn.tensor([1])), ("EmbeddingBag", "offsets", "None")),
    (lambda: nn.InstanceNorm2d(3)(nn.ones(2, 4, 5, 5)), ("InstanceNorm2d", "C = 3", "(2, 4, 5, 5)")),
    (lambda: nn.CosineSimilarity()(nn.ones(2, 3), nn.ones(2, 4)), ("CosineSimilarity", "(2, 3)", "(2, 4)")),
    (lambda: nn.LocalResponseNorm(2)(nn.ones(2, 3)), ("LocalResponseNorm", "(N, C, ...)", "(2, 3)"))])
def test_errors_of_thin_layers(call, words):
    with pytest.raises(nn.ShapeError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


X1, X2, X3 = np.random.default_rng(0).standard_normal((3, 4, 5))
SIGNS, POSITIVE = np.sign(X2), np.abs(X1) + 0.1


@pytest.mark.parametrize("name, arguments, arrays", [
    ("MarginRankingLoss", {"margin": 0.2}, [X1, X3, SIGNS]), ("HingeEmbeddingLoss", {"margin": 0.6}, [POSITIVE, SIGNS]),
    ("CosineEmbeddingLoss", {"margin": 0.1}, [X1, X2, SIGNS[:, 0]]),
    ("TripletMarginLoss", {"swap": True, "p": 1.0}, [X1, X2, X3]),
    ("TripletMarginWithDistanceLoss", {"margin": 0.5}, [X1, X2, X3]), ("SoftMarginLoss", {}, [X1, SIGNS]),
    ("MultiLabelSoftMarginLoss", {}, [X1, (X2 > 0) * 1.0]), ("MultiMarginLoss", {"p": 2}, [X1, np.array([2, 0, 4, 1])]),
    ("MultiLabelMarginLoss", {},
     [X1, np.array([[2, 0, -1, 1, 1], [3, -1, 0, 0, 0], [-1, 1, 2, 0, 0], [0, 1, 2, 3, 4]])]),
    ("GaussianNLLLoss", {"full": True}, [X1, X2, POSITIVE]),
    ("PoissonNLLLoss", {"log_input": False}, [POSITIVE, np.floor(3 * POSITIVE)])])
def test_losses_of_pairs_and_likelihoods_equal_torch(torch, name, arguments, arrays):
    for reduction in ("mean", "sum"):
        ours, theirs = (getattr(library, name)(reduction=reduction, **arguments) for library in (nn, torch.nn))
        compare_layers(ours, theirs, arrays, differentiable=[0])
