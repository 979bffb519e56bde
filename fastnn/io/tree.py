"""A nested state as named arrays and one tree of plain JSON values, and back.

In the tree None, booleans, strings, integers, finite floats and lists stand for themselves, and
dicts whose keys are strings without a leading "$" too. The rest are objects with one key that
starts with "$":

    {"$array": name}        the array of that name
    {"$tuple": [...]}       a tuple
    {"$dict": [[k, v]...]}  a dict with other keys: integers, or strings that start with "$"
    {"$float": text}        "nan", "inf" or "-inf", for which JSON has no word

An array's name is its path in the state, `model/0.weight`, where that is plain ASCII and safe in an
archive, and else `array7`; only the tree tells where it belongs, so that no name needs to be taken
apart.

>>> import numpy as np
>>> from fastnn.io.tree import flatten
>>> tree, arrays = flatten({"model": {"w": np.zeros(2)}, "step": 7, "betas": (0.9, 0.999)})
>>> tree
{'model': {'w': {'$array': 'model/w'}}, 'step': 7, 'betas': {'$tuple': [0.9, 0.999]}}
>>> arrays
{'model/w': array([0., 0.])}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from ..errors import DTypeError, FileError
from ..tensor import Tensor, array_of

__all__ = ["Malformed", "dumps", "flatten", "is_flat", "is_plain", "loads", "unflatten"]

VERSION = 1
DEPTH = 64          # levels of nesting; far below the depth at which Python's own recursion ends

Tree = dict[str, Any]
Arrays = dict[str, np.ndarray]


class Malformed(Exception):
    """What is wrong with a file that is being read, and what to do."""

    hint = "The file is damaged or incomplete: copy or download it again, or go back to an older one."

    def __init__(self, message: str, hint: str = hint):
        super().__init__(message)
        self.hint = hint


def flatten(state: Mapping[Any, Any]) -> tuple[Tree, Arrays]:
    """The tree and the arrays of a state.

    Raises
    ------
    DTypeError
        A value or a key that has no place in the tree, an array that does not hold numbers.
    FileError
        Nested deeper than 64 levels.
    """
    arrays: Arrays = {}

    def encode(value: Any, path: tuple[Any, ...]) -> Any:
        if len(path) > DEPTH:
            raise FileError(f"the state is nested deeper than {DEPTH} levels", who="save",
                            hint="Does it contain itself?")
        if isinstance(value, Tensor):
            value = value.data
        if isinstance(value, np.ndarray):
            return {"$array": place(value, path)}
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, str)):
            return str(value) if isinstance(value, str) else value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        if isinstance(value, Mapping):
            return encode_dict(value, path)
        if isinstance(value, (list, tuple)):
            items = [encode(item, (*path, i)) for i, item in enumerate(value)]
            return {"$tuple": items} if isinstance(value, tuple) else items
        raise DTypeError(f"cannot save {_where(path)}", got=type(value).__name__,
                         expected="an array, a Tensor, a number, a string, None, or a dict, list or tuple of them")

    def encode_dict(value: Mapping[Any, Any], path: tuple[Any, ...]) -> Tree:
        for key in value:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise DTypeError(f"cannot save {_where(path)}", expected="keys that are strings or integers",
                                 got=f"the key {key!r}")
        pairs = [[str(key) if isinstance(key, str) else int(key), encode(item, (*path, key))]
                 for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in pairs):
            return dict(pairs)
        return {"$dict": pairs}

    def place(array: np.ndarray, path: tuple[Any, ...]) -> str:
        if array.dtype.kind not in "biufc":
            raise DTypeError(f"cannot save {_where(path)}", expected="an array of numbers", got=f"dtype {array.dtype}",
                             hint="Objects would need pickle, which fastnn neither writes nor reads."
                             if array.dtype.hasobject else "")
        name = "/".join(str(part) for part in path)
        number = len(arrays)
        while not is_plain(name) or name in arrays:
            name, number = f"array{number}", number + 1
        arrays[name] = array_of(array)
        return name

    return encode_dict(state, ()), arrays


def unflatten(tree: Tree, arrays: Arrays) -> dict[Any, Any]:
    """The state again. Every array must have exactly one place in the tree."""
    left = dict(arrays)

    def decode(value: Any, depth: int = 0) -> Any:
        if depth > DEPTH:
            raise Malformed(f"the description of its structure is nested deeper than {DEPTH} levels")
        if isinstance(value, list):
            return [decode(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        tag = next((key for key in value if key.startswith("$")), "")
        if not tag:
            return {key: decode(item, depth + 1) for key, item in value.items()}
        body = value[tag]
        if len(value) == 1 and tag == "$array" and isinstance(body, str) and body in left:
            return left.pop(body)
        if len(value) == 1 and tag == "$tuple" and isinstance(body, list):
            return tuple(decode(item, depth + 1) for item in body)
        if len(value) == 1 and tag == "$dict" and isinstance(body, list) and all(_is_pair(pair) for pair in body):
            return _once([(key, decode(item, depth + 1)) for key, item in body])
        if len(value) == 1 and tag == "$float" and body in ("nan", "inf", "-inf"):
            return float(body)
        raise Malformed(f"the description of its structure is wrong at {tag} {str(body)[:60]!r}")

    state = decode(tree)
    if left:
        raise Malformed(f"the array {next(iter(left))!r} has no place in the structure")
    return state


def is_flat(tree: Tree) -> bool:
    """Whether the arrays' names alone say everything: a dict {name: array} and nothing else."""
    return all(value == {"$array": key} for key, value in tree.items())


def is_plain(name: str) -> bool:
    """Whether the name of an array means the same in every archive, to every program."""
    return (0 < len(name) <= 1000 and name.isascii() and name.isprintable() and "\\" not in name
            and ".." not in name.split("/") and not name.startswith("/") and name != "__metadata__")


def dumps(tree: Tree) -> str:
    """The tree as JSON text, with the version of this encoding."""
    import json  # here and below, so that `import fastnn` does not pay for it

    return json.dumps({"fastnn": VERSION, "state": tree}, allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Tree:
    """The tree out of its JSON text."""
    import json

    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the description of its structure is not JSON ({error})") from error
    if not isinstance(document, dict) or not isinstance(document.get("state"), dict) or "fastnn" not in document:
        raise Malformed("the description of its structure is not one of fastnn's")
    if type(document["fastnn"]) is not int or document["fastnn"] != VERSION:
        raise Malformed(f"it is written in version {document['fastnn']!r} of the encoding, and this fastnn reads "
                        f"{VERSION}", "Install the newest fastnn.")
    return document["state"]


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict of pairs whose keys are all different."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise Malformed("the description of its structure has a name twice")
    return result


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise Malformed(f"the description of its structure has {text[:20]} for a number")


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (str, int)


def _where(path: tuple[Any, ...]) -> str:
    return "state" + "".join(f"[{part!r}]" for part in path)
