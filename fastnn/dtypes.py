"""The types of elements under PyTorch's names: NumPy's own dtype objects."""

from __future__ import annotations

import numpy as np

__all__ = ["bool", "double", "float", "float32", "float64", "int", "int8", "int16", "int32", "int64", "long", "short",
           "uint8", "uint16", "uint32", "uint64"]

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8, int16 = np.dtype(np.int8), np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8, uint16, uint32, uint64 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64)
bool, short = np.dtype(np.bool_), int16
