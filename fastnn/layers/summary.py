"""summary: what a model is made of and what it costs, one row per layer, from one run on zeros.

Every layer says itself what a call costs (Module.cost, workspace_bytes, receptive_window); here the
model is run with hooks that write the rows, and they are added up and printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import index
from typing import Any

import numpy as np

from .. import random
from ..autograd import no_grad
from ..errors import DTypeError, FastnnError, RangeError, ShapeError
from ..guard import guard_methods, named
from ..tensor import Tensor, wrapped
from .modes import evaluating
from .module import Module

__all__ = ["Summary", "SummaryRow", "summary"]


@named
def summary(model: Module, *input_shapes: Any, dtype: Any = None, batch: int | None = 1) -> Summary:
    """Run the model on zeros and tell each layer's output shape, parameters, multiply-adds, bytes
    and receptive field.

    Parameters
    ----------
    model : Module
        Runs in eval mode without the tape; its modes, buffers and hooks are afterwards as they
        were.
    input_shapes : one or several tuples
        The shape of each input without the batch axis: (1, 28, 28).
    dtype : dtype, or one per input
        Of the inputs; "int64" for a model that begins with an Embedding. Default: that of the
        model's parameters.
    batch : int or None
        The batch to run; costs are those of the whole batch. None: the shapes are whole, and so are
        those in the rows.

    Returns
    -------
    Summary
        Its text is the table, and its `rows` are plain data.

    Raises
    ------
    ShapeError, RangeError
        The shapes, dtypes or the batch are no such things.
    FastnnError
        What the model raises, with the rows of the layers that still worked in its text.

    Multiply-adds are the products summed in matrix products and convolutions, exactly as the layer
    computes them; element-wise work (activations, norms, pooling, gates, softmax) counts nothing. A
    module of your own that calls functions such as matmul declares them in `cost(inputs, output)`.
    The receptive field is followed along chains of modules, each called on the output of the one
    before; after anything else (a sum, a Flatten) it is not defined and shown as "-".

    >>> import fastnn as nn
    >>> model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.Flatten(),
    ...                       nn.Linear(1176, 10))
    >>> s = model.summary((1, 28, 28))
    >>> s.parameters, s.multiply_adds, s.rows[1].receptive_field
    (11926, 129360, (6, 6))
    """
    shapes = _shapes(input_shapes)
    parameters = list(model.parameters())
    given = dtype
    if dtype is None:
        dtype = next((p.dtype for p in parameters if p.dtype.kind == "f"), np.float32)
    dtypes = list(dtype) if isinstance(dtype, (tuple, list)) else [dtype] * len(shapes)
    if len(dtypes) != len(shapes):
        raise ShapeError(who="summary", expected=f"one dtype, or {len(shapes)}, one per input", got=len(dtypes))
    if batch is not None and batch < 0:
        raise RangeError(who="summary", expected="batch as a number of at least 0, or None", got=batch)
    lead = () if batch is None else (batch,)
    try:
        inputs = [wrapped(np.zeros((*lead, *shape), np.dtype(kind))) for shape, kind in zip(shapes, dtypes)]
    except (MemoryError, ValueError):   # NumPy's words for more than there is, and more than can be
        raise RangeError("there is not enough memory for an input of that shape", who="summary",
                         got=", ".join(map(str, shapes))) from None
    recorder = _Recorder(model, batch is not None)
    recorder.seed(inputs[0])
    with _observed(model, recorder):
        try:
            model(*inputs)
        except FastnnError as error:
            if isinstance(error, DTypeError) and given is None and "integer dtype" in str(error.expected):
                error.hint = 'The summary runs the model on zeros: pass dtype="int64" for whole numbers.'
            if recorder.rows:
                error.hint = f"{error.hint}\nThe layers before it:\n{table(recorder.rows)}".lstrip("\n")
            raise
    unused = [path or "(model)" for path, module in model.named_modules()
              if any(id(p) not in recorder.counted for p in module.parameters(recurse=False))]
    return Summary(model.describe(), tuple(shapes), batch, recorder.rows, sum(p.numel() for p in parameters),
                   sum(p.numel() for p in parameters if p.requires_grad), sum(p.data.nbytes for p in parameters),
                   sum(x.data.nbytes for x in inputs), unused)


@dataclass(frozen=True)
class Summary:
    """What Module.summary returns: print it, or read `rows` and the totals.

    parameters, trainable, parameter_bytes   of the whole model, each shared one once, layers that
                                             did not run included
    multiply_adds, bytes                     sums of the rows
    workspace                                the largest of the rows: layers run one by one
    unused                                   paths of modules with parameters that the run did not
                                             reach
    """

    model: str
    input_shapes: tuple[tuple[int, ...], ...]
    batch: int | None
    rows: list[SummaryRow] = field(repr=False)
    parameters: int
    trainable: int
    parameter_bytes: int
    input_bytes: int
    unused: list[str]

    @property
    def multiply_adds(self) -> int:
        """Of all rows."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def bytes(self) -> int:
        """Of all rows' outputs."""
        return sum(row.bytes for row in self.rows)

    @property
    def workspace(self) -> int:
        """What the layer that needs most needs."""
        return max((row.workspace for row in self.rows), default=0)

    def __str__(self) -> str:
        shapes = ", ".join(map(str, self.input_shapes))
        per = "" if self.batch is None else f", a batch of {self.batch}"
        fixed = self.parameters - self.trainable
        total = ("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", size(self.bytes), "")
        lines = [f"{self.model} on {shapes}{per}", "", table(self.rows, total), "",
                 f"parameters    {self.parameters:,}" + (f", of which {fixed:,} are fixed" if fixed else "")
                 + f": {size(self.parameter_bytes)}",
                 f"activations   {size(self.bytes)} and the input's {size(self.input_bytes)}"
                 + (f"; at most {size(self.workspace)} of workspace at a time" if self.workspace else "")]
        if self.unused:
            lines.append(f"not reached   {', '.join(self.unused)}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For notebooks."""
        from ..html import summary_html
        return summary_html(self, size)


@dataclass(frozen=True)
class SummaryRow:
    """One layer.

    path, layer       "conv.0", "Conv2d 1 -> 6, 5x5"
    output_shape      of its (first) output, without the batch axis
    parameters        numbers that it owns and no row above does: a shared weight is counted where
                      it is used first
    multiply_adds     of its matrix products and convolutions; element-wise work counts nothing
    bytes             of its outputs; 0 where these are its inputs or views of them (Flatten;
                      Dropout in eval mode)
    workspace         bytes that its kernels take for their own time, forward or backward
    receptive_field   (height, width) of the patch of the model's input that one output pixel sees;
                      None where not defined
    calls             how often it ran in succession; the costs are those of all calls
    """

    path: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0
    bytes: int = 0
    workspace: int = 0
    receptive_field: tuple[int, int] | None = None
    calls: int = 1


HEAD = ("path", "layer", "output", "parameters", "multiply-adds", "bytes", "sees")


def size(nbytes: int) -> str:
    """1536 as "1.5 KiB"."""
    if nbytes < 1024:
        return f"{nbytes} B"
    value = float(nbytes)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024 or unit == "TiB":
            break
    return f"{value:.1f} {unit}"


def table(rows: Sequence[SummaryRow], total: tuple[str, ...] | None = None) -> str:
    """The rows as aligned text: names to the left, numbers to the right."""
    cells: list[tuple[str, ...]] = [HEAD]
    for row in rows:
        path = (row.path or "(model)") + (f" x{row.calls}" if row.calls > 1 else "")
        sees = "-" if row.receptive_field is None else "x".join(map(str, row.receptive_field))
        cells.append((path, row.layer, str(row.output_shape), f"{row.parameters:,}", f"{row.multiply_adds:,}",
                      size(row.bytes), sees))
    cells += [total] if total else []
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    lines = ["  ".join(text.ljust(w) if i < 3 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths)))
             for line in cells]
    lines = [line.rstrip() for line in lines]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:1 + len(rows)], *([rule, lines[-1]] if total else [])])


class _Recorder:
    """The hooks' side: rows in the order in which layers finished."""

    def __init__(self, model: Module, batched: bool) -> None:
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.batched = batched
        self.rows: list[SummaryRow] = []
        self.last: Module | None = None    # the module of the last row
        self.running: list[bool] = []      # for each module that is running: has it called another?
        self.counted: set[int] = set()     # parameters that a row has
        # id(array) -> (it, its receptive field and jump)
        self.fields: dict[int, tuple[np.ndarray, Any]] = {}

    def start(self, module: Module, inputs: tuple[Any, ...]) -> None:
        if self.running:
            self.running[-1] = True
        self.running.append(False)

    def finish(self, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        calls_others = self.running.pop()
        cost = int(module.cost(inputs, output))
        # a module that calls no other may still use the weights of those in it (MultiheadAttention)
        own = list(module.parameters(recurse=not calls_others))
        if calls_others and not own and not cost:
            return                                  # a container: its layers have rows
        outputs = list(_tensors(output))
        fresh = [p for p in own if id(p) not in self.counted]
        self.counted.update(map(id, fresh))
        row = SummaryRow(
            self.paths[id(module)], module.describe(), self._shape(outputs), sum(p.numel() for p in fresh), cost,
            sum(t.data.nbytes for t in outputs if not _is_view(t, inputs)), int(module.workspace_bytes(inputs, output)),
            self._receptive_field(module, inputs, outputs))
        if self.last is module and self.rows[-1].output_shape == row.output_shape:
            before = self.rows.pop()
            row = SummaryRow(row.path, row.layer, row.output_shape, before.parameters + row.parameters,
                             before.multiply_adds + row.multiply_adds, before.bytes + row.bytes,
                             max(before.workspace, row.workspace), row.receptive_field, before.calls + 1)
        self.rows.append(row)
        self.last = module

    def _shape(self, outputs: list[Tensor]) -> tuple[int, ...]:
        if not outputs:
            return ()
        return outputs[0].shape[1:] if self.batched else outputs[0].shape

    def seed(self, images: Tensor) -> None:
        """The model's input: each pixel sees itself."""
        if images.ndim == (4 if self.batched else 3) or images.ndim == 4:
            self.fields[id(images.data)] = (images.data, ((1, 1), (1, 1)))

    def _receptive_field(self, module: Module, inputs: tuple[Any, ...],
                         outputs: list[Tensor]) -> tuple[int, int] | None:
        """What the input sees, and the window's extent times the jump from pixel to pixel, which
        grows with each stride.
        """
        window = module.receptive_window()
        known = self.fields.get(id(inputs[0].data)) if inputs and isinstance(inputs[0], Tensor) else None
        if window is None or known is None or not outputs:
            return None
        sizes, jumps = known[1]
        reach = tuple(r + (k - 1) * d * j for r, j, k, d in zip(sizes, jumps, window[0], window[2]))
        self.fields[id(outputs[0].data)] = (outputs[0].data, (reach, tuple(j * s for j, s in zip(jumps, window[1]))))
        return reach[0], reach[1]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _is_view(t: Tensor, inputs: tuple[Any, ...]) -> bool:
    return any(np.may_share_memory(t.data, x.data) for x in _tensors(inputs))


@contextmanager
def _observed(model: Module, recorder: _Recorder) -> Iterator[None]:
    """Eval mode and hooks; afterwards modes, buffers, hooks and random streams are as they were,
    whatever happened.
    """
    modules = list(model.modules())
    buffers = [(module, dict(module._buffers)) for module in modules]
    values = [(b, b.data, b.data.copy()) for _, b in model.named_buffers()]
    streams = random.random_state()
    handles: list[Any] = []
    try:
        for module in modules:
            handles.append(module.register_forward_pre_hook(recorder.start))
            handles.append(module.register_forward_hook(recorder.finish))
        with evaluating(model), no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module, own in buffers:
            for name in list(module._buffers):
                module._disown(module._buffers, name)
            for name, b in own.items():
                module._own(module._buffers, name, b)
        for b, array, before in values:
            if b.data is not array:
                b.data = array
            if not np.array_equal(array, before, equal_nan=array.dtype.kind == "f"):
                array[...] = before
        random.set_random_state(streams)


def _shapes(input_shapes: tuple[Any, ...]) -> list[tuple[int, ...]]:
    """summary((1, 28, 28)), summary(784), summary((3,), (4,)) and summary([(3,), (4,)])."""
    if len(input_shapes) == 1 and isinstance(input_shapes[0], (tuple, list)) and any(
            isinstance(s, (tuple, list)) for s in input_shapes[0]):
        input_shapes = tuple(input_shapes[0])
    try:
        shapes = [tuple(map(index, s)) if isinstance(s, (tuple, list)) else (index(s),) for s in input_shapes]
    except TypeError:
        shapes = []
    if not shapes or any(n < 0 for s in shapes for n in s):
        raise ShapeError(who="summary", expected="the shape of each input, without the batch axis, like (1, 28, 28)",
                         got=", ".join(map(repr, input_shapes)) or "none")
    return shapes


guard_methods(Summary, "__init__")
guard_methods(SummaryRow, "__init__")
