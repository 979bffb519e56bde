"""The networks of the benchmarks as ONNX graphs, made from the weights of our models, for ONNX
Runtime to race with.

Each function takes a `Graph` and a network's state_dict and adds its nodes, in the form that ONNX
Runtime fuses and runs fastest: a linear layer is a Gemm (or MatMul and Add for more than two
dimensions), attention one Attention node. Needs the package `onnx`, and `onnxruntime` to run what
comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from .networks import NETWORKS

__all__ = ["GRAPHS", "Graph", "model_bytes"]

OPSET, IR_VERSION = 23, 10          # 23 has Attention
State = Mapping[str, np.ndarray]


class Graph:
    """An ONNX graph in the making: nodes and constants; values are their names."""

    def __init__(self) -> None:
        import onnx
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"constant{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(array, dtype)
        return name

    def shape(self, *sizes: int) -> str:
        return self.constant(sizes, np.int64)

    def add(self, op: str, *inputs: str, outputs: int = 1, **attrs: Any) -> Any:
        """A node; the name of its output, or names if there are several."""
        names = [f"value{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), names, **attrs))
        return names[0] if outputs == 1 else names

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """x W^T + b over the last dimension, of any number of them."""
        y = self.add("MatMul", x, self.constant(weight.T))
        return y if bias is None else self.add("Add", y, self.constant(bias))

    def gemm(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """x W^T + b of a matrix x."""
        return self.add("Gemm", x, self.constant(weight), self.constant(bias), transB=1)

    def conv(self, x: str, weight: np.ndarray, bias: np.ndarray | None = None, stride: int = 1,
             padding: int = 0) -> str:
        operands = [x, self.constant(weight), *([] if bias is None else [self.constant(bias)])]
        return self.add("Conv", *operands, strides=[stride]*2, pads=[padding]*4, kernel_shape=list(weight.shape[2:]))

    def norm(self, x: str, state: State, name: str) -> str:
        """Layer norm over the last dimension."""
        return self.add("LayerNormalization", x, self.constant(state[f"{name}.weight"]),
                        self.constant(state[f"{name}.bias"]), axis=-1, epsilon=1e-5)

    def serialize(self, output: str, tokens: bool, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> bytes:
        """The model as bytes, with one input "x" and one output of these shapes."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        x = helper.make_tensor_value_info("x", types.INT64 if tokens else types.FLOAT, inputs)
        y = helper.make_tensor_value_info(output, types.FLOAT, outputs)
        constants = [self.onnx.numpy_helper.from_array(a, name) for name, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", [x], [y], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        self.onnx.checker.check_model(model)
        return model.SerializeToString()


# ---- the networks of networks.py -----------------------------------------------------------------
def mlp(g: Graph, x: str, state: State, batch: int) -> str:
    layers = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    for name in layers:
        x = g.gemm(x, state[f"{name}.weight"], state[f"{name}.bias"])
        if name != layers[-1]:
            x = g.add("Relu", x)
    return x


def lenet(g: Graph, x: str, state: State, batch: int) -> str:
    for name, padding in (("conv1", 2), ("conv2", 0)):
        x = g.add("Relu", g.conv(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding))
        x = g.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return mlp(g, g.add("Flatten", x), {name: a for name, a in state.items() if name.startswith("fc")}, batch)


def resnet18(g: Graph, x: str, state: State, batch: int) -> str:
    def conv_norm(x: str, conv: str, norm: str, stride: int = 1) -> str:
        weight = state[f"{conv}.weight"]
        y = g.conv(x, weight, stride=stride, padding=weight.shape[2]//2)
        statistics = [g.constant(state[f"{norm}.{name}"]) for name in ("weight", "bias", "running_mean", "running_var")]
        return g.add("BatchNormalization", y, *statistics, epsilon=1e-5)

    x = g.add("Relu", conv_norm(x, "conv1", "bn1"))
    for block in dict.fromkeys(name.rsplit(".", 2)[0] for name in state if name.endswith(".conv1.weight")):
        stride = 2 if f"{block}.downsample.0.weight" in state else 1
        y = g.add("Relu", conv_norm(x, f"{block}.conv1", f"{block}.bn1", stride))
        y = conv_norm(y, f"{block}.conv2", f"{block}.bn2")
        shortcut = conv_norm(x, f"{block}.downsample.0", f"{block}.downsample.1", stride) if stride > 1 else x
        x = g.add("Relu", g.add("Add", y, shortcut))
    return g.gemm(g.add("Flatten", g.add("GlobalAveragePool", x)), state["fc.weight"], state["fc.bias"])


def char_lstm(g: Graph, x: str, state: State, batch: int) -> str:
    """ONNX stacks the gates as i o f c, PyTorch and fastnn as i f g o."""
    hidden = state["lstm.weight_hh_l0"].shape[1]

    def gates(name: str) -> np.ndarray:
        i, f, c, o = np.split(state[f"lstm.{name}_l0"], 4)
        return np.concatenate([i, o, f, c])[None]
    bias = g.constant(np.concatenate([gates("bias_ih"), gates("bias_hh")], axis=1))
    by_time = g.add("Transpose", x, perm=[1, 0])
    # (T, B, E)
    embedded = g.add("Gather", g.constant(state["embed.weight"]), by_time)
    y = g.add("LSTM", embedded, g.constant(gates("weight_ih")), g.constant(gates("weight_hh")), bias,
              hidden_size=hidden)
    # (T, 1, B, H) -> (B, T, H)
    y = g.add("Transpose", g.add("Squeeze", y, g.shape(1)), perm=[1, 0, 2])
    return g.gemm(g.add("Reshape", y, g.shape(-1, hidden)), state["head.weight"], state["head.bias"])


def gpt(g: Graph, x: str, state: State, batch: int, *, heads: int, length: int) -> str:
    def linear(y: str, name: str) -> str:
        """Its weight is (in, out)."""
        return g.linear(y, state[f"{name}.weight"].T, state[f"{name}.bias"])

    words, places = state["transformer.wte.weight"], state["transformer.wpe.weight"]
    x = g.add("Add", g.add("Gather", g.constant(words), x), g.constant(places[:length]))
    for block in dict.fromkeys(name.split(".ln_1.")[0] for name in state if ".ln_1." in name):
        qkv = linear(g.norm(x, state, f"{block}.ln_1"), f"{block}.attn.c_attn")
        q, k, v = g.add("Split", qkv, outputs=3, axis=-1, num_outputs=3)
        y = g.add("Attention", q, k, v, is_causal=1, q_num_heads=heads, kv_num_heads=heads)
        x = g.add("Add", x, linear(y, f"{block}.attn.c_proj"))
        y = g.add("Gelu", linear(g.norm(x, state, f"{block}.ln_2"), f"{block}.mlp.c_fc"))
        x = g.add("Add", x, linear(y, f"{block}.mlp.c_proj"))
    return g.add("Reshape", g.linear(g.norm(x, state, "transformer.ln_f"), words), g.shape(batch*length, len(words)))


GRAPHS: dict[str, Callable[[Graph, str, State, int], str]] = {
    "mlp-64-128-10": mlp, "mlp-784-512-512-10": mlp, "lenet": lenet, "resnet18": resnet18, "char-lstm": char_lstm,
    "gpt-4x128": partial(gpt, heads=4, length=64), "gpt-6x384": partial(gpt, heads=6, length=256),
}


def model_bytes(name: str, state: State, batch: int) -> bytes:
    """The serialized ONNX model of a network of NETWORKS for a batch, with these weights.

    KeyError if it has no graph here.
    """
    network, graph = NETWORKS[name], Graph()
    inputs = (batch, *network.image) if network.image else (batch, network.tokens[0])
    outputs = (batch, network.classes) if network.image else (batch*network.tokens[0], network.tokens[1])
    return graph.serialize(GRAPHS[name](graph, "x", state, batch), not network.image, inputs, outputs)
