"""Errors that say who, what was expected, what came, and the likely fix.

    ShapeError: model.3 (Linear 784 -> 10): expected (..., 784), got (32, 28, 28).
    Did you forget Flatten()?

An op's check raises with its own name as `who`. As the error passes through Module.__call__, `who`
becomes the layer's path in the model.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

__all__ = ["DTypeError", "FastnnError", "FileError", "GraphError", "MistakeWarning",
           "NonFiniteError", "RangeError", "ShapeError"]


class FastnnError(Exception):
    """Base of all errors that fastnn raises about its input.

    Parameters
    ----------
    message : str
        What is wrong, in one clause; may be empty when `expected` and `got` say it all.
    who : str
        The op or layer, as a person would name it.
    expected, got : object, optional
        The rule and what came instead (shapes, dtypes, numbers).
    hint : str, optional
        The likely fix, a full sentence.

    >>> import fastnn as nn
    >>> raise nn.ShapeError(who="linear", expected="(..., 64)", got=(2, 8, 8),
    ...                     hint="Did you forget Flatten()?")
    Traceback (most recent call last):
        ...
    fastnn.errors.ShapeError: linear: expected (..., 64), got (2, 8, 8). Did you forget Flatten()?
    """

    def __init__(self, message: str = "", *, who: str = "", expected: object = None, got: object = None,
                 hint: str = ""):
        super().__init__(message)
        self.message, self.who, self.expected, self.got, self.hint = message, who, expected, got, hint
        # Filled by Module.__call__ on the way up:
        self.path: str | None = None                # ".3" in model.3
        self.layer: object = None                   # the module that the path has reached
        self.described = ""                         # " (Linear 784 -> 10)"

    def __str__(self) -> str:
        parts = [self.message] if self.message else []
        if self.expected is not None:
            parts.append(f"expected {shown(self.expected)}")
        if self.got is not None:
            parts.append(f"got {shown(self.got)}")
        text = ", ".join(parts)
        if self.who:
            text = f"{self.who}: {text}"
        if self.hint:
            text = f"{text.rstrip('.')}. {self.hint}" if text[-1:] != "\n" else text + self.hint
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    if not TYPE_CHECKING:                           # which knows args as an attribute
        # A notebook, a log or a test runner looks here. The text grows on the way up, so it is made
        # when somebody asks.
        @property
        def args(self) -> tuple[Any, ...]:
            """(text,), as other exceptions have it."""
            return (str(self),)

        @args.setter
        def args(self, args: tuple[Any, ...]) -> None:
            """What is assigned replaces the whole text."""
            self.message, self.who, self.expected, self.got, self.hint = " ".join(map(shown, args)), "", None, None, ""

    def __reduce__(self) -> Any:
        """Between processes goes the text, and of the module in which it arose nothing."""
        state = {name: value if can_be_pickled(value) else shown(value) for name, value in vars(self).items()}
        return blank, (type(self),), {**state, "layer": None}

    def __setstate__(self, state: dict[str, Any] | None) -> None:
        vars(self).update(state or {})


def blank(cls: type[FastnnError]) -> FastnnError:
    """An error whose fields are to be filled: a class of the user's may have other arguments."""
    base: Any = cls
    while base.__module__ != "builtins":
        base = base.__base__                # the one whose memory it has, as OSError of MissingFile
    error: FastnnError = base.__new__(cls)
    return error


def can_be_pickled(value: object) -> bool:
    try:
        pickle.dumps(value)
    except Exception:
        return False
    return True


def shown(value: object) -> str:
    """The text of what came, or, of what has none to show, its kind: an error must not fail itself.
    """
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


class ShapeError(FastnnError, ValueError):
    """Sizes that do not fit together."""


class DTypeError(FastnnError, TypeError):
    """A type of number that the op does not take."""


class RangeError(FastnnError, ValueError):
    """A value outside its range: a label, a probability, an attribute."""


class AttributeMistake(FastnnError, AttributeError):
    """An attribute that is not there. What may be meant is looked for when the text is wanted, so
    that hasattr() stays cheap.
    """

    def __init__(self, message: str = "", *, who: str = "", find: Callable[[], str] = str):
        super().__init__(message, who=who)
        self._find: Callable[[], str] | None = find

    @property
    def hint(self) -> str:
        """What may be meant; `find` says it."""
        if self._find is not None:
            self._hint, self._find = self._find(), None
        return self._hint

    @hint.setter
    def hint(self, text: str) -> None:
        self._hint, self._find = text, None

    def __reduce__(self) -> Any:
        self.hint = self.hint               # the search is over; its function cannot be pickled
        return super().__reduce__()


class ImportMistake(RangeError, ImportError):
    """A name that cannot be imported: `from fastnn import Dense`."""


class FileError(FastnnError, ValueError):
    """A file that is damaged, hostile, or not what it should be."""


class MissingFile(FileError, FileNotFoundError):
    """A file that is not there; says what is near in its folder."""

    __str__ = FastnnError.__str__                   # OSError's would be of its number and name


class GraphError(FastnnError, RuntimeError):
    """A misuse of the tape: a second backward, a saved array changed in place, no gradient to
    compute.
    """


class NonFiniteError(FastnnError, ArithmeticError):
    """NaN or infinity in a loss; names the first layer that made it."""


class MistakeWarning(UserWarning):
    """What runs and is probably not meant: softmax before cross_entropy, a forgotten zero_grad, ...
    Each kind is told once, at the line of the user's that it comes from.

    Silence it, where it is meant, with `warnings.simplefilter("ignore", nn.MistakeWarning)`.
    """


_told: set[str] = set()


def warn_once(kind: str, text: str) -> None:
    """A MistakeWarning, unless one of this kind was told before."""
    if kind in _told:
        return
    _told.add(kind)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastnn":
        frame = frame.f_back
    if frame is not None:
        warnings.warn_explicit(text, MistakeWarning, frame.f_code.co_filename, frame.f_lineno,
                               frame.f_globals.get("__name__", ""),
                               frame.f_globals.setdefault("__warningregistry__", {}))
