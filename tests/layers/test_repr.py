"""A layer shows itself as PyTorch's does, except where it is told otherwise, with the reason."""

import warnings

import pytest

import fastnn as nn

LAYERS = [
    "Linear(3, 4)", "Linear(3, 4, bias=False)", "Bilinear(3, 4, 5)", "Identity()",
    "Conv1d(3, 4, 3)", "Conv2d(3, 4, 3, stride=2, padding=1, dilation=2, groups=1, bias=False)",
    "Conv2d(3, 4, (3, 2), padding='same', padding_mode='reflect')", "ConvTranspose1d(3, 4, 3)",
    "ConvTranspose2d(3, 4, 3, output_padding=1, stride=2)", "LayerNorm(8)",
    "LayerNorm(8, bias=False)", "LayerNorm((2, 8), elementwise_affine=False)", "RMSNorm(8)",
    "RMSNorm(8, eps=1e-3)", "GroupNorm(2, 4)", "GroupNorm(2, 4, bias=False)",
    "GroupNorm(2, 4, affine=False)", "BatchNorm1d(4)", "BatchNorm2d(4, affine=False)",
    "BatchNorm2d(4, bias=False)", "BatchNorm1d(4, momentum=None)", "InstanceNorm1d(4)",
    "InstanceNorm2d(4, affine=True)", "LocalResponseNorm(2)", "ReLU()", "ReLU(True)", "ReLU6()",
    "ReLU6(True)", "LeakyReLU()", "LeakyReLU(0.2)", "LeakyReLU(0.2, True)", "ELU()", "ELU(2.)",
    "CELU()", "SELU()", "SELU(True)", "GELU()", "GELU('tanh')", "SiLU()", "SiLU(True)", "Mish()",
    "Hardswish()", "Hardsigmoid()", "Hardtanh()", "Hardtanh(-2, 2)", "Hardshrink()",
    "Hardshrink(0.3)", "Softshrink()", "Tanhshrink()", "Softplus()", "Softplus(2, 10)",
    "Softsign()", "Threshold(0.1, 2)", "Sigmoid()", "Tanh()", "LogSigmoid()", "Softmax(1)",
    "Softmax()", "LogSoftmax(1)", "Softmin(1)", "Softmax2d()", "PReLU()", "PReLU(3)", "RReLU()",
    "RReLU(0.1, 0.2)", "GLU()", "GLU(1)", "Dropout()", "Dropout(0.3)", "Dropout(0.3, True)",
    "Dropout1d()", "Dropout2d()", "Dropout3d()", "AlphaDropout()", "FeatureAlphaDropout()",
    "MaxPool1d(2)", "MaxPool2d(2)", "MaxPool2d(2, stride=1, padding=1, ceil_mode=True)",
    "MaxPool2d((3, 2))", "AvgPool1d(2)", "AvgPool2d(2)", "AvgPool2d(2, stride=1, padding=1)",
    "AdaptiveAvgPool1d(2)", "AdaptiveAvgPool2d(1)", "AdaptiveAvgPool2d((1, None))",
    "AdaptiveMaxPool1d(2)", "AdaptiveMaxPool2d(2)", "LPPool1d(2, 3)", "LPPool2d(2, 3)",
    "MaxUnpool1d(2)", "MaxUnpool2d(2)", "FractionalMaxPool2d(2, output_size=3)", "Flatten()",
    "Flatten(0, 1)", "Unflatten(1, (2, 3))", "Fold(4, 2)", "Unfold(2)", "PixelShuffle(2)",
    "PixelUnshuffle(2)", "ChannelShuffle(2)", "Upsample(scale_factor=2)", "Upsample(size=4)",
    "Upsample(size=(4, 5), mode='bilinear')",
    "Upsample(scale_factor=2.5, mode='bilinear', align_corners=True)",
    "UpsamplingNearest2d(scale_factor=2)", "UpsamplingBilinear2d(scale_factor=2)",
    "ConstantPad1d(1, 2.)", "ConstantPad2d(1, 2)", "ConstantPad3d(1, 0.5)", "ZeroPad1d(1)",
    "ZeroPad2d(1)", "ZeroPad3d(1)", "ReflectionPad1d(1)", "ReflectionPad2d((1, 2, 3, 4))",
    "ReflectionPad3d(1)", "ReplicationPad1d(1)", "ReplicationPad2d(1)", "ReplicationPad3d(1)",
    "CircularPad1d(1)", "CircularPad2d(1)", "CircularPad3d(1)", "Embedding(5, 3)",
    "Embedding(5, 3, padding_idx=0)", "EmbeddingBag(5, 3)", "EmbeddingBag(5, 3, mode='sum')",
    "RNN(3, 4)", "LSTM(3, 4, 2, batch_first=True)", "GRU(3, 4, bidirectional=True)",
    "LSTM(3, 4, bias=False, dropout=0.1, num_layers=2)", "RNNCell(3, 4)", "LSTMCell(3, 4)",
    "GRUCell(3, 4, bias=False)", "RNNCell(3, 4, nonlinearity='relu')", "CosineSimilarity()",
    "PairwiseDistance()", "LazyLinear(3)", "LazyConv2d(3, 2)", "LazyBatchNorm1d()",
    "LazyConv1d(3, 2)", "LazyConvTranspose2d(3, 2)", "LazyInstanceNorm2d()",
    "LazyInstanceNorm1d()", "LazyBatchNorm2d()",
    "LazyConvTranspose1d(3, 2)",
]
# layer -> why it shows itself otherwise
OTHERWISE = {
    **dict.fromkeys(["ReLU(True)", "ReLU6(True)", "SELU(True)", "SiLU(True)", "LeakyReLU(0.2, True)",
                     "Dropout(0.3, True)"], "no layer works in place"),
    **dict.fromkeys(["CosineSimilarity()", "PairwiseDistance()", "FractionalMaxPool2d(2, output_size=3)"],
                    "PyTorch's shows no settings"),
    **dict.fromkeys(["Conv2d(3, 4, (3, 2), padding='same', padding_mode='reflect')",
                     "RNNCell(3, 4, nonlinearity='relu')"], "words are in quotes"),
    **dict.fromkeys(["MaxUnpool1d(2)", "MaxUnpool2d(2)"], "the sizes as they were given"),
    "TripletMarginWithDistanceLoss()": "the default distance is a function, no layer",
}


def shown(layer, library):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return repr(eval(f"nn.{layer}", {"nn": library}))


def losses():
    return [f"{name}()" for name in dir(nn) if name.endswith("Loss") and "Adaptive" not in name]


@pytest.mark.parametrize("layer", [*LAYERS, *losses()])
def test_a_layer_shows_itself_as_pytorchs_does(torch, layer):
    same = shown(layer, nn) == shown(layer, torch.nn)
    assert same or layer in OTHERWISE, (shown(layer, nn), shown(layer, torch.nn))
    assert not (same and layer in OTHERWISE), "it needs no reason any more"


NOT_COMPARED = {
    # of layers, which show themselves
    "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential",
    # with sizes, where PyTorch"s has none, or another name for the layer inside
    "MultiheadAttention", "AdaptiveLogSoftmaxWithLoss", "NLLLoss2d"}


def test_the_others_are_all_named(torch):
    both = {name for name in dir(nn) if isinstance(getattr(torch.nn, name, None), type)
            and isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)}
    missing = both - {layer.partition("(")[0] for layer in [*LAYERS, *losses()]}
    assert missing == NOT_COMPARED
