"""What PyTorch calls the ops of our records, for the benchmarks.

Most have the same name and the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .contest import NotOffered

__all__ = ["torch_op"]


def torch_op(torch: Any, name: str) -> Callable[..., Any]:
    """PyTorch's function of an op's inputs and attributes; raises NotOffered where there is none.
    """
    if name in TRANSLATED:
        translated = TRANSLATED[name]
        return lambda *inputs, **attrs: translated(torch, *inputs, **attrs)
    for home in (torch.nn.functional, torch):
        if hasattr(home, name):
            return getattr(home, name)
    raise NotOffered(f"PyTorch has no {name}")


def conv2d(torch: Any, x: Any, w: Any, b: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    if any(before != after for before, after in padding):
        raise NotOffered("PyTorch pads both sides alike")
    return torch.nn.functional.conv2d(x, w, b, stride, [before for before, _ in padding], dilation, groups)


def conv1d(torch: Any, x: Any, w: Any, b: Any, *, stride: int, padding: Any, dilation: int, groups: int) -> Any:
    if padding[0] != padding[1]:
        raise NotOffered("PyTorch pads both sides alike")
    return torch.nn.functional.conv1d(x, w, b, stride, padding[0], dilation, groups)


def normalised(name: str, first: str) -> Callable[..., Any]:
    """A norm whose sizes come second in PyTorch, before weight and bias."""
    def norm(torch: Any, x: Any, *weights: Any, **attrs: Any) -> Any:
        size = attrs.pop(first)
        return getattr(torch.nn.functional, name)(x, size, *weights, **attrs)
    return norm


def einsum(torch: Any, x: Any, y: Any, *, x_axes: str, y_axes: str, out: str) -> Any:
    return torch.einsum(f"{x_axes},{y_axes}->{out}", x, y)


def batch_norm(torch: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    return torch.nn.functional.batch_norm(x, None, None, weight, bias, True, 0.0, eps)


def batch_norm_inference(torch: Any, x: Any, mean: Any, var: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    return torch.nn.functional.batch_norm(x, mean, var, weight, bias, False, 0.0, eps)


def batch_norm_relu(torch: Any, *inputs: Any, eps: float) -> Any:
    return torch.nn.functional.relu(batch_norm(torch, *inputs, eps=eps))


def batch_norm_inference_relu(torch: Any, *inputs: Any, eps: float) -> Any:
    return torch.nn.functional.relu(batch_norm_inference(torch, *inputs, eps=eps))


def elu(torch: Any, x: Any, *, alpha: float, scale: float) -> Any:
    if scale != 1:
        raise NotOffered("PyTorch's elu has no scale")
    return torch.nn.functional.elu(x, alpha)


def interpolate(torch: Any, x: Any, *, size: Any, mode: Any, align_corners: bool, scales: Any,
                antialias: bool) -> Any:
    """mode names the way along each axis; PyTorch has a word for all axes together."""
    word = {("nearest", "nearest"): "nearest", ("linear", "linear"): "bilinear", ("cubic", "cubic"): "bicubic"}
    if tuple(mode) not in word or any(scale is not None for scale in scales):
        raise NotOffered(f"PyTorch has no word for {mode} with scales {scales}")
    corners = None if mode[0] == "nearest" else align_corners
    return torch.nn.functional.interpolate(x, size, None, word[tuple(mode)], corners, antialias=antialias)


def conv2d_relu(torch: Any, *inputs: Any, **attrs: Any) -> Any:
    return torch.nn.functional.relu(conv2d(torch, *inputs, **attrs))


def linear_relu(torch: Any, x: Any, w: Any, b: Any) -> Any:
    return torch.nn.functional.relu(torch.nn.functional.linear(x, w, b))


def lstm(torch: Any, x: Any, h0: Any, c0: Any, *weights: Any, reverse: bool) -> Any:
    """One layer in one direction; PyTorch has an axis more, for layers and directions."""
    if reverse:
        raise NotOffered("PyTorch has no reverse direction alone")
    y, h, c = torch.lstm(x, (h0[None], c0[None]), list(weights), True, 1, 0.0, False, False, False)
    return y, h[0], c[0]


def lstm_cell(torch: Any, x: Any, h: Any, c: Any, *weights: Any) -> Any:
    return torch.lstm_cell(x, (h, c), *weights)


def gru(torch: Any, x: Any, h0: Any, *weights: Any, reverse: bool) -> Any:
    if reverse:
        raise NotOffered("PyTorch has no reverse direction alone")
    y, h = torch.gru(x, h0[None], list(weights), True, 1, 0.0, False, False, False)
    return y, h[0]


def rnn(torch: Any, x: Any, h0: Any, *weights: Any, reverse: bool, relu: bool) -> Any:
    if reverse:
        raise NotOffered("PyTorch has no reverse direction alone")
    function = torch.rnn_relu if relu else torch.rnn_tanh
    y, h = function(x, h0[None], list(weights), True, 1, 0.0, False, False, False)
    return y, h[0]


def rnn_cell(torch: Any, x: Any, h: Any, *weights: Any, relu: bool) -> Any:
    return (torch.rnn_relu_cell if relu else torch.rnn_tanh_cell)(x, h, *weights)


def prod(torch: Any, x: Any, *, dim: Any, keepdim: bool) -> Any:
    if dim is not None and len(dim) != 1:
        raise NotOffered("PyTorch multiplies along one axis")
    return torch.prod(x) if dim is None else torch.prod(x, dim[0], keepdim)


def kl_div(torch: Any, x: Any, target: Any, **attrs: Any) -> Any:
    if attrs:
        return torch.nn.functional.kl_div(x, target, **attrs)
    # its "mean" warns at every call
    return torch.nn.functional.kl_div(x, target, reduction="sum")/x.numel()


TRANSLATED: dict[str, Callable[..., Any]] = {
    "batch_norm": batch_norm,
    "batch_norm_inference": batch_norm_inference,
    "batch_norm_inference_relu": batch_norm_inference_relu,
    "batch_norm_relu": batch_norm_relu,
    "clamp": lambda torch, x, *, low, high: torch.clamp(x, low, high),
    "conv1d": conv1d,
    "conv2d": conv2d,
    "conv2d_relu": conv2d_relu,
    "dropout": lambda torch, x, *, p, **_: torch.nn.functional.dropout(x, p, training=True),
    "einsum": einsum,
    "elu": elu,
    "gelu_tanh": lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
    "gather": lambda torch, x, index, *, dim: torch.gather(x, dim, index),
    "group_norm": normalised("group_norm", "num_groups"),
    "gru": gru,
    "hardtanh": lambda torch, x, *, low, high: torch.nn.functional.hardtanh(x, low, high),
    "index_add": lambda torch, x, index, source, *, dim: torch.index_add(x, dim, index, source),
    "index_copy": lambda torch, x, index, source, *, dim: torch.index_copy(x, dim, index, source),
    "index_select": lambda torch, x, index, *, dim: torch.index_select(x, dim, index),
    "interpolate": interpolate,
    "kl_div": kl_div,
    "layer_norm": normalised("layer_norm", "normalized_shape"),
    "leaky_relu": lambda torch, x, *, slope: torch.nn.functional.leaky_relu(x, slope),
    "linear_relu": linear_relu,
    "lstm": lstm,
    "lstm_cell": lstm_cell,
    "pow_tensor": lambda torch, x, exponent: torch.pow(x, exponent),
    "prod": prod,
    "rms_norm": normalised("rms_norm", "normalized_shape"),
    "rnn": rnn,
    "rnn_cell": rnn_cell,
    "scatter": lambda torch, x, index, src, *, dim: torch.scatter(x, dim, index, src),
    "scatter_add": lambda torch, x, index, src, *, dim: torch.scatter_add(x, dim, index, src),
    "scatter_value": lambda torch, x, index, *, dim, value: torch.scatter(x, dim, index, value),
}
