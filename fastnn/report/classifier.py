"""report(model, data): the page of any classifier on any labelled data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..data import DataLoader, Dataset
from ..errors import DTypeError, RangeError, ShapeError
from ..functional import softmax
from ..guard import named
from ..layers import Conv2d, Module
from ..layers.modes import evaluating
from ..tensor import array_of, tensor
from ..viz import confusion_matrix, history_series
from .parts import Confusion, FeatureMaps, Filters, Mistake, Report, SummaryRow

__all__ = ["activations", "probabilities", "report"]

SAMPLES, MISTAKES, MAPS = 24, 24, 4     # shown of the training data, of the mistakes, of the layers


@named
def report(model: Any, data: Any, *, classes: Sequence[object] | None = None, history: Any = None, train: Any = None,
           layers: Mapping[str, str] | Sequence[str] | None = None, example: int | None = None,
           batch_size: int = 256, **texts: Any) -> Report:
    """Try a classifier on labelled data and describe it as a page; `.save(path)` writes the page.

    Parameters
    ----------
    model : Module or function
        Its output is (N, classes), scores before softmax or probabilities, or (N,) or (N, 1) for
        two classes, scores before the sigmoid or probabilities. Or an object with `predict_proba`,
        as scikit-learn's classifiers have. A module runs in eval mode and is left as it was.
    data : (inputs, labels), dataset or DataLoader
        What it has never seen: any inputs, and labels (N,) from 0 up. Images, (N, C, H, W) or
        (N, H, W) with C = 1 or 3, are shown.
    classes : sequence, optional
        The names of the classes.
    history : optional
        What `nn.fit` returned: the learning curves.
    train : images, or (images, labels), optional
        Some of them are shown beside the title.
    layers : names of layers, or {name: title}, optional
        Whose feature maps are shown, for a Module on images. Default: the first four
        convolutions.
    example : int, optional
        Which sample travels through the layers. Default: the first that is read correctly.
    **texts
        Fields of `Report`: title, lead, item, headings, captions, colours, attribution, machine,
        seconds, command, ... They replace what was found out.

    Raises
    ------
    ShapeError, DTypeError, RangeError
        Outputs or labels that are not those of a classifier; a name that is no layer; a size or
        number outside its range. Before any work is done, where it can be known.
    TypeError
        A text that `Report` does not have.

    Cost: one forward pass over the data.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as nn
    >>> nn.seed(0)
    >>> x = np.random.default_rng(0).standard_normal((60, 4)).astype("float32")
    >>> y = (x[:, 0] > 0).astype("int64")
    >>> model = nn.Linear(4, 2)
    >>> page = nn.viz.report(model, (x, y), classes=["left", "right"], title="Left or right?")
    >>> page
    <Report: Left or right?>
    >>> page.tested, page.confusion.matrix.shape
    (60, (2, 2))
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise RangeError(who="report", expected="batch_size, a whole number from 1 up", got=batch_size)
    if layers is not None and not isinstance(model, Module):
        raise DTypeError("only a Module has layers to look into", who="report", expected="a Module",
                         got=type(model).__name__)
    if layers is not None and (isinstance(layers, str) or not all(isinstance(name, str) for name in layers)):
        raise DTypeError(who="report", expected="layers, a list of names or {name: title}", got=repr(layers))
    if example is not None and (isinstance(example, bool) or not isinstance(example, (int, np.integer))):
        raise DTypeError(who="report", expected="example, the number of a sample", got=repr(example))
    if history is not None:
        history_series(history)                     # refuse at once what has no columns
    samples = None if train is None else _samples(train)
    inputs, labels = _all_of(data, batch_size)
    shares = probabilities(model, inputs, batch_size)
    if len(shares) != len(labels):
        raise ShapeError("the model must give one row of scores per sample", who="report",
                         expected=f"{len(labels)} rows", got=f"{len(shares)} rows")
    count = shares.shape[1]
    names = list(range(count)) if classes is None else list(classes)
    if len(names) != count:
        raise ShapeError("there must be a name for every class that the model knows", who="report",
                         expected=f"{count} names", got=f"{len(names)} names")
    if len(labels) and not 0 <= labels.min() <= labels.max() < count:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise RangeError("a label is no class of the model", who="report", expected=f"0 to {count - 1}", got=int(wrong))

    # NaN is no answer: it must not win
    said = np.where(np.isnan(shares), -np.inf, shares).argmax(axis=1)
    right = said == labels
    pictures = _pictures(inputs)
    wrong_ones = np.flatnonzero(~right)
    # the surest first
    wrong_ones = wrong_ones[np.argsort(-shares[wrong_ones, said[wrong_ones]], kind="stable")]
    found: dict[str, Any] = {
        "accuracy": float(right.mean()) if len(labels) else None, "tested": len(labels), "history": history,
        "confusion": Confusion(confusion_matrix(labels, said, count), names),
        "mistakes": [Mistake(None if pictures is None else pictures[i], names[said[i]], names[labels[i]],
                             float(shares[i, said[i]]), int(i)) for i in wrong_ones[:MISTAKES]],
        "mistakes_total": len(wrong_ones), "samples": samples,
        "item": "image" if pictures is not None else "sample",
    }
    if isinstance(model, Module):
        found["parameters"] = sum(p.numel() for p in model.parameters())
        if len(labels):
            found.update(_inside(model, inputs, labels, shares, names, pictures, layers,
                                 int(np.argmax(right)) if example is None else example))
    return Report(**{**found, **texts})


def probabilities(model: Any, inputs: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """(N, classes) float64 probabilities of any classifier: see `report`.

    >>> import fastnn as nn
    >>> probabilities(lambda x: nn.zeros(len(x), 4), np.zeros((2, 3))).tolist()
    [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]]
    """
    def run(batch: np.ndarray) -> np.ndarray:
        if not isinstance(model, Module) and hasattr(model, "predict_proba"):
            return np.asarray(array_of(model.predict_proba(batch)), dtype=np.float64)
        scores = model(tensor(batch))
        if scores is None or array_of(scores).dtype.kind not in "fiub":
            raise DTypeError("a classifier gives scores", who="report", expected="(N, classes) numbers",
                             got=type(scores).__name__)
        return np.asarray(array_of(scores), dtype=np.float64)

    if not callable(model) and not hasattr(model, "predict_proba"):
        raise DTypeError("this is no classifier", who="report",
                         expected="a Module, a function, or an object with predict_proba", got=type(model).__name__)
    with evaluating(model) if isinstance(model, Module) else nullcontext(), no_grad():
        pieces = [run(inputs[i:i + batch_size]) for i in range(0, max(len(inputs), 1), batch_size)]
    if pieces[0].ndim == 0:
        raise ShapeError("a classifier gives one row of scores per sample", who="report", expected="(N, classes)",
                         got="one number")
    scores = np.concatenate(pieces)
    if scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == 1):
        second = scores.reshape(-1)
        if len(second) and not (np.nanmin(second) >= 0 and np.nanmax(second) <= 1):
            second = 1/(1 + np.exp(-np.clip(second, -700, 700)))
        return np.stack([1 - second, second], axis=1)
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ShapeError("a classifier gives one row of scores per sample", who="report", expected="(N, classes)",
                         got=scores.shape)
    are_probabilities = len(scores) > 0 and scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=1e-4)
    return scores if are_probabilities else np.asarray(softmax(tensor(scores), dim=1))


def activations(model: Module, image: np.ndarray, layers: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """What these layers make of one input, in the order in which they run: (name, output)."""
    seen: list[tuple[str, np.ndarray]] = []

    def keep(name: str) -> Callable[..., None]:
        return lambda _, __, output: seen.append((name, np.array(array_of(output))[0]))

    removers: list[Callable[[], Any]] = []
    try:
        for name in layers:
            removers.append(model.get_submodule(name).register_forward_hook(keep(name)))
        with evaluating(model), no_grad():
            model(tensor(image[None]))
    finally:
        for remove in removers:
            remove()
    return seen


def _all_of(data: Any, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The inputs and the labels of a data set, whole."""
    if isinstance(data, (tuple, list)) and len(data) == 2 and not isinstance(data[0], tuple):
        inputs, labels = array_of(data[0]), array_of(data[1])
    else:
        batches = list(_batches(data, batch_size))
        if not batches:
            raise ShapeError("the data are empty", who="report", expected="inputs and labels", got="no batch")
        inputs, labels = (np.concatenate([array_of(batch[k]) for batch in batches]) for k in (0, 1))
    if labels.dtype.kind not in "iub" or labels.ndim != 1:
        raise DTypeError("labels must be whole numbers, one per sample", who="report",
                         expected="(N,) integers from 0 up", got=f"{labels.dtype} of shape {labels.shape}")
    if len(inputs) != len(labels):
        raise ShapeError("there must be one label per sample", who="report", expected=f"{len(inputs)} labels",
                         got=f"{len(labels)} labels")
    return inputs, labels.astype(np.int64)


def _samples(train: Any) -> np.ndarray | None:
    """The first pictures of the training data: of a dataset, of (images, labels), or of images."""
    given = type(train).__name__
    if isinstance(train, (tuple, list)) and len(train):
        train = train[0]
    elif isinstance(train, Dataset):
        train = [train[i][0] for i in range(min(len(train), SAMPLES))]
    images = array_of(train)
    if images.dtype.kind not in "fiub" or images.ndim == 0:
        raise DTypeError("these are no training data", who="report",
                         expected="train, images, (images, labels) or a dataset", got=given)
    return _pictures(images[:SAMPLES])


def _batches(data: Any, batch_size: int) -> Iterator[Any]:
    loader = data
    is_dataset = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if isinstance(data, (str, bytes, dict)) or not (is_dataset or hasattr(data, "__iter__")):
        raise DTypeError("these are no data", who="report", expected="(inputs, labels), a dataset or a DataLoader",
                         got=type(data).__name__)
    if is_dataset and not isinstance(data, (DataLoader, list, tuple)):
        loader = DataLoader(data, batch_size=batch_size)
    for batch in loader:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise ShapeError("a batch must be (inputs, labels)", who="report", got=type(batch).__name__,
                             hint="Pass the arrays as a pair, or TensorDataset(x, y).")
        yield batch


def _pictures(inputs: np.ndarray) -> np.ndarray | None:
    """(N, H, W) or (N, H, W, 3) pictures of the inputs, or None where they are no images."""
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3) and min(inputs.shape[2:]) > 1:
        return inputs[:, 0] if inputs.shape[1] == 1 else _colours(inputs.transpose(0, 2, 3, 1))
    if inputs.ndim == 3 and inputs.dtype.kind in "fu" and min(inputs.shape[1:]) > 3:
        return inputs
    return None


def _colours(images: np.ndarray) -> np.ndarray:
    """Colours from 0 to 1, or bytes; what was shifted and scaled before is spread over that range
    again.
    """
    if images.dtype == np.uint8 or (images.min(initial=0) >= 0 and images.max(initial=0) <= 1):
        return images
    low, high = np.nanmin(images), np.nanmax(images)
    return (images - low)/((high - low) or 1.0)


def _inside(model: Module, inputs: np.ndarray, labels: np.ndarray, shares: np.ndarray, names: Sequence[object],
            pictures: np.ndarray | None, layers: Mapping[str, str] | Sequence[str] | None,
            example: int) -> dict[str, Any]:
    """What a look into the network gives: its layers, its first filters, one image on its way."""
    found: dict[str, Any] = {}
    if not 0 <= example < len(labels):
        raise RangeError("there is no such example", who="report", expected=f"0 to {len(labels) - 1}", got=example)
    if inputs.dtype.kind == "f":
        found["summary"] = [SummaryRow(f"{row.path} {row.layer}".strip(), row.output_shape, row.parameters or None,
                                       row.multiply_adds or None, row.bytes or None, row.receptive_field)
                            for row in model.summary(inputs.shape[1:]).rows]
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, Conv2d)}
    if convolutions:
        name, first = next(iter(convolutions.items()))
        found["filters"] = Filters(array_of(first.weight), name)
    titles = dict(layers) if isinstance(layers, Mapping) else {name: name for name in layers
                                                               or list(convolutions)[:MAPS]}
    known = dict(model.named_modules())
    unknown = [name for name in titles if name not in known]
    if unknown:
        raise RangeError("the model has no such layer", who="report",
                         expected=f"some of {', '.join(filter(None, known))}", got=unknown[0])
    if pictures is not None and titles:
        maps = [(titles[name], a) for name, a in activations(model, inputs[example], list(titles)) if a.ndim == 3]
        found["feature_maps"] = FeatureMaps(pictures[example], maps, truth=names[labels[example]],
                                            probabilities=shares[example].tolist(), classes=names)
    return found
