"""The fixed list of kernels: functions of layers at the sizes of real networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..op import seeded
from .contest import BACKWARD, FORWARD
from .libraries import fill

__all__ = ["KERNELS", "Kernel", "draw"]


def draw(name: str, *shapes: tuple[int, ...]) -> list[Any]:
    rng = seeded(name)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def labelled(name: str, rows: int, classes: int) -> list[Any]:
    return [*draw(name, (rows, classes)), seeded(name).integers(0, classes, rows)]


@dataclass(frozen=True)
class Kernel:
    """A function of layers, its inputs, and what a call costs.

    function     function(library) -> callable on tensors
    inputs       inputs() -> arrays
    flops        of the forward; the backward has twice as many, a product for each of two gradients
    bytes        of the forward: what it must read, and what it must write
    numpy        the same function on arrays, if NumPy has one
    both_bytes   of forward and backward together; 0: three times the forward's
    """

    function: Callable[[Any], Callable[..., Any]]
    inputs: Callable[[], list[Any]]
    flops: float = 0
    bytes: float = 0
    numpy: Callable[..., Any] | None = None
    both_bytes: float = 0
    directions: tuple[str, ...] = (FORWARD, BACKWARD)


def conv(N: int, C: int, H: int, K: int, R: int, stride: int = 1, padding: int = 0, groups: int = 1) -> Kernel:
    P = (H + 2*padding - R)//stride + 1
    return Kernel(lambda lib: lambda x, w: lib.F.conv2d(x, w, None, stride, padding, 1, groups),
                  lambda: draw(f"conv {C} {H} {K} {R}", (N, C, H, H), (K, C//groups, R, R)),
                  2.0*N*K*P*P*(C//groups)*R*R, 4.0*(N*C*H*H + K*C//groups*R*R + N*K*P*P))


def conv1d(N: int, C: int, L: int, K: int, S: int, padding: int = 0, dilation: int = 1, groups: int = 1) -> Kernel:
    Q = L + 2*padding - dilation*(S - 1)
    return Kernel(lambda lib: lambda x, w: lib.F.conv1d(x, w, None, 1, padding, dilation, groups),
                  lambda: draw(f"conv1d {C} {L} {K} {S}", (N, C, L), (K, C//groups, S)),
                  2.0*N*K*Q*(C//groups)*S, 4.0*(N*C*L + K*C//groups*S + N*K*Q))


def conv_transpose(N: int, K: int, P: int, C: int, R: int, stride: int, padding: int = 0) -> Kernel:
    H = (P - 1)*stride - 2*padding + R
    return Kernel(lambda lib: lambda x, w, b: lib.F.conv_transpose2d(x, w, b, stride, padding),
                  lambda: draw(f"conv_transpose {K} {P} {C} {R}", (N, K, P, P), (K, C, R, R), (C,)),
                  2.0*N*K*P*P*C*R*R, 4.0*(N*K*P*P + K*C*R*R + N*C*H*H))


def gemm(n: int) -> Kernel:
    return Kernel(lambda lib: lambda a, b: a @ b, lambda: draw(f"gemm {n}", (n, n), (n, n)), 2.0*n**3, 12.0*n**2,
                  np.matmul)


def product(m: int, k: int, n: int) -> Kernel:
    """(m, k) times (k, n): tall, thin, or a vector."""
    return Kernel(lambda lib: lambda a, b: a @ b, lambda: draw(f"gemm {m} {k} {n}", (m, k), (k, n)), 2.0*m*k*n,
                  4.0*(m*k + k*n + m*n), np.matmul)


def attention(B: int, heads: int, T: int, d: int, causal: bool) -> Kernel:
    shape = (B, heads, T, d)
    return Kernel(lambda lib: lambda q, k, v: lib.F.scaled_dot_product_attention(q, k, v, is_causal=causal),
                  lambda: draw(f"attention {B} {T}", shape, shape, shape), 4.0*B*heads*T*T*d/(2 if causal else 1),
                  16.0*B*heads*T*d)


def recurrent(name: str, gates: int, T: int, B: int, I: int, H: int) -> Kernel:
    def function(lib: Any) -> Callable[..., Any]:
        layer = getattr(lib.nn, name)(I, H)
        fill(lib, layer, name.lower())
        return lambda x: layer(x)[0]
    return Kernel(function, lambda: draw(f"{name.lower()} {T} {B}", (T, B, I)), 2.0*gates*T*B*H*(I + H),
                  4.0*(T*B*(I + H) + gates*H*(I + H)))


def pointwise(call: Callable[[Any, Any], Any], *shape: int, numpy: Callable[..., Any] | None = None) -> Kernel:
    """Forward reads x and writes y; backward reads dy and what was kept, x or y, and writes dx."""
    n = int(np.prod(shape))
    return Kernel(lambda lib: lambda x: call(lib.F, x), lambda: draw(f"pointwise {n}", shape), 0, 8*n, numpy, 20*n)


def pool(call: Callable[[Any, Any], Any], *shape: int, share: int = 4) -> Kernel:
    """y and dy are one `share`-th of x, which backward need not read."""
    n = int(np.prod(shape))
    moved = 4*(n + n//share)
    return Kernel(lambda lib: lambda x: call(lib.F, x), lambda: draw(f"pointwise {n}", shape), 0, moved, None, 2*moved)


KERNELS: dict[str, Kernel] = {
    **{f"gemm-{n}": gemm(n) for n in (32, 64, 128, 131, 256, 512, 1024, 2048)},
    **{f"gemm-{m}x{k}x{n}": product(m, k, n)
       for m, k, n in ((1, 1024, 1024), (8, 1024, 1024), (4096, 64, 64), (64, 4096, 64), (64, 64, 4096),
                       (1024, 1024, 1))},
    "gemm-64x128x64x128": Kernel(lambda lib: lambda a, b: a @ b, lambda: draw("bmm", (64, 128, 64), (64, 64, 128)),
                                 2.0*64*128*64*128, 4.0*64*(2*128*64 + 128*128), np.matmul),
    "conv3x3-64c56": conv(8, 64, 56, 64, 3, padding=1),
    "conv3x3-128c28": conv(8, 128, 28, 128, 3, padding=1),
    "conv3x3-256c14": conv(8, 256, 14, 256, 3, padding=1),
    "conv3x3-512c7": conv(8, 512, 7, 512, 3, padding=1),
    "conv7x7s2-3c224": conv(8, 3, 224, 64, 7, stride=2, padding=3),
    "conv1x1-256c56": conv(8, 256, 56, 64, 1),
    "depthwise3x3-128c28": conv(8, 128, 28, 128, 3, padding=1, groups=128),
    "conv1x1s2-256c56": conv(8, 256, 56, 512, 1, stride=2),
    "depthwise3x3s2-144c56": conv(8, 144, 56, 144, 3, stride=2, padding=1, groups=144),
    "depthwise5x5-240c28": conv(8, 240, 28, 240, 5, padding=2, groups=240),
    "conv1d-64c1024": conv1d(8, 64, 1024, 128, 3, padding=2, dilation=2),
    "conv1d-depthwise31-256c512": conv1d(8, 256, 512, 256, 31, padding=15, groups=256),
    "convtranspose4x4s2-128c16": conv_transpose(16, 128, 16, 64, 4, 2, 1),
    "convtranspose2x2s2-128c28": conv_transpose(4, 128, 28, 64, 2, 2),
    "lenet-conv1": conv(64, 1, 28, 6, 5, padding=2),
    "lenet-conv2": conv(64, 6, 14, 16, 5),
    "maxpool2x2-64c56": pool(lambda F, x: F.max_pool2d(x, 2), 32, 64, 56, 56),
    "avgpool2x2-64c56": pool(lambda F, x: F.avg_pool2d(x, 2), 32, 64, 56, 56),
    "maxpool3x3s2-64c112": pool(lambda F, x: F.max_pool2d(x, 3, 2, 1), 8, 64, 112, 112),
    "globalavgpool-512c7": pool(lambda F, x: F.adaptive_avg_pool2d(x, 1), 32, 512, 7, 7, share=49),
    **{f"{name.lower()}-{case}": recurrent(name, gates, *sizes)
       for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))
       for case, sizes in (("T64-B32-I128-H256", (64, 32, 128, 256)), ("T128-B1-H128", (128, 1, 128, 128)),
                           ("T32-B64-H512", (32, 64, 512, 512)))},
    "attention-8x8x256x64-causal": attention(8, 8, 256, 64, True),
    "attention-8x8x256x64": attention(8, 8, 256, 64, False),
    "attention-1x8x1024x64-causal": attention(1, 8, 1024, 64, True),
    "layernorm-2048x512": pointwise(lambda F, x: F.layer_norm(x, (512,)), 2048, 512),
    "rmsnorm-2048x512": pointwise(lambda F, x: F.rms_norm(x, (512,)), 2048, 512),
    "groupnorm-32x256c28": pointwise(lambda F, x: F.group_norm(x, 32), 16, 256, 28, 28),
    "softmax-2048x512": pointwise(lambda F, x: F.softmax(x, dim=-1), 2048, 512),
    "gelu-2048x512": pointwise(lambda F, x: F.gelu(x), 2048, 512),
    "relu-2048x512": pointwise(lambda F, x: F.relu(x), 2048, 512, numpy=lambda x: np.maximum(x, 0)),
    "tanh-2048x512": pointwise(lambda F, x: F.tanh(x), 2048, 512, numpy=np.tanh),
    "crossentropy-2048x512": Kernel(lambda lib: lambda x, t: lib.F.cross_entropy(x, t),
                                    lambda: labelled("ce", 2048, 512), 0, 4.0*2048*512),
    "batchnorm-64c56": pointwise(lambda F, x: F.batch_norm(x, None, None, None, None, True), 32, 64, 56, 56),
}
