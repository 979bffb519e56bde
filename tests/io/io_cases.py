"""What the tests of saving and loading share."""

import json
import struct

import numpy as np
import pytest

import fastnn as nn

try:
    import safetensors.numpy as st
except ImportError:
    st = None

needs_safetensors = pytest.mark.skipif(st is None, reason="safetensors is not installed")
ENDINGS = [".npz", pytest.param(".safetensors", marks=needs_safetensors)]
both = pytest.mark.parametrize("ending", ENDINGS)


def same(a, b):
    """Equal in type, structure, dtype, shape and bits."""
    if isinstance(a, nn.Tensor):
        a = a.data
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(type(k) is type(m) for k, m in zip(a, b)) and all(
            same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def safetensors_file(path, header, data=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path
