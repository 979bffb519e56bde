# cython: language_level=3, freethreading_compatible=True
"""The one compiled module: NumPy arrays in, kernels called without the GIL, NumPy arrays out.

Each piece belongs to one family of csrc/ and does the same: open the arrays, allocate, call,
return. Sizes and dtypes were checked by the record's `check` (fastnn/ops); no arithmetic happens
here. `common.pxi` says how an array is opened and a result made.

A kernel's arguments stand in its row of csrc/<family>/<name>.h, and nowhere else: setup.py writes
them for Cython into rows.pxi, and tools/stubs.py what is defined here into fastnn/_kernels.pyi.
"""

include "ndarray.pxi"
include "common.pxi"
include "structs.pxi"
include "rows.pxi"
include "fits.pxi"
include "runtime.pxi"
include "map.pxi"
include "activation.pxi"
include "arithmetic.pxi"
include "special.pxi"
include "reduce.pxi"
include "gemm.pxi"
include "unfold.pxi"
include "conv2d.pxi"
include "conv1d.pxi"
include "conv_transpose.pxi"
include "pool2d.pxi"
include "resample.pxi"
include "recurrent.pxi"
include "lstm.pxi"
include "gru.pxi"
include "rnn.pxi"
include "softmax.pxi"
include "attention.pxi"
include "norm.pxi"
include "loss.pxi"
include "embedding.pxi"
include "scatter.pxi"
include "dropout.pxi"
include "optim.pxi"
include "peak.pxi"
include "tape.pxi"
include "ladder.pxi"
include "guarded.pxi"
