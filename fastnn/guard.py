"""Errors of Python and NumPy about an argument, in our words: who, expected, got.

A function of ours that gets None, a word or a list where a tensor goes stumbles somewhere inside,
and Python's AttributeError says nothing of the mistake. `guarded(function)` is the function with
all that it may stumble over told as a FastnnError: the first argument that is not what the
signature's annotation says, or, where all are, the call and what Python said about it. Where arrays
stand in the place of tensors, the function is called again with tensors.

    F.affine_grid(None, (1, 1, 2, 2))
    DTypeError: affine_grid: expected theta as a tensor, got None

    guarded     all errors of a function
    named       only wrong lists of arguments
    refuse      called by the tape, about an op's inputs

One thing is checked before, by both: a parameter that is a bool gets one, one that is an int gets
neither a bool nor a float, and one that is a float gets no tensor that requires a gradient. Python
takes any word for true, "False" among them, and True for the int 1, and a number that is made of a
tensor has no history, so nothing would stumble over those. Else the words are looked for when
something went wrong, so a call that works costs some 15 ns more and nothing else. What a function
of the user raised (a hook, a kernel of `use_kernel`, a module inside a Sequential) passes
unchanged.
"""

from __future__ import annotations

import inspect
import operator
import re
import sys
from collections.abc import Callable
from functools import cache, update_wrapper
from inspect import CO_VARARGS, unwrap
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import numpy as np

from .errors import DTypeError, FastnnError, RangeError
from .kernels import compiled, kernel

__all__ = ["FOREIGN", "IndexMistake", "NameMistake", "PathMistake", "as_tensor_hint", "connect", "explain",
           "guard_all", "guard_methods", "guarded", "is_ours", "named", "named_init", "need_defaults", "refusal",
           "refuse", "strange", "whole"]

# What an argument of the wrong kind or size makes Python and NumPy raise; RuntimeError for more
# dimensions than NumPy broadcasts. Not MemoryError, which says all there is to say.
FOREIGN: tuple[type[Exception], ...] = (TypeError, ValueError, AttributeError, LookupError, OverflowError,
                                        ZeroDivisionError, BufferError, RuntimeError)


# Functions here call one another: an error names the one that the user called.
COMPOSING = ("fastnn.ops.", "fastnn.creation", "fastnn.init")

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
AnyClass = TypeVar("AnyClass", bound=type)

# tensor.py, which stands above, hands over the function `tensor`, and what tells whether something
# is a tensor without its fields: its error, else None
tensor: Any = None
incomplete: Callable[[Any], FastnnError | None] = lambda x: None


class IndexMistake(RangeError, IndexError):
    """Also an IndexError, so that Python's own protocols understand it."""


class NameMistake(RangeError, KeyError):
    """Also a KeyError, as for a dict."""

    __str__ = FastnnError.__str__                   # KeyError's would be the message's repr


class PathMistake(RangeError, AttributeError):
    """Also an AttributeError, as PyTorch's."""


def _guarded(function: Any) -> Any:
    """The function with errors of ours; same name, signature and docstring."""
    def made(*args: Any, **kwargs: Any) -> Any:
        check_settings(function, args, kwargs)
        try:
            return function(*args, **kwargs)
        except FOREIGN as error:
            return explain(function, error, *args, **kwargs)
    return update_wrapper(made, function)


if TYPE_CHECKING:
    def guarded(function: AnyFunction) -> AnyFunction: ...
else:
    guarded = kernel("guarded") or _guarded     # kernels/guarded.pxi


def named(function: AnyFunction) -> AnyFunction:
    """The function, or the `__init__` of a class, with an error of ours where it is called with
    arguments that it does not have, without some that it needs, or with another thing for a bool.
    """
    # of the places to be checked; set by the first call
    first = -1

    def made(*args: Any, **kwargs: Any) -> Any:
        nonlocal first
        if first < 0:
            places = settings(function)[1]
            first = next((i for i, kind in enumerate(places) if kind), len(places))
        if kwargs or len(args) > first:
            check_settings(function, args, kwargs)
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            assert error.__traceback__ is not None
            if error.__traceback__.tb_next is not None:         # the function had begun
                raise
            raise misfit(name_of(function, args), function, args, kwargs) from None
        except AttributeError as error:
            raise incomplete(error.obj) or error from None
    return cast(AnyFunction, update_wrapper(made, function))


def named_init(cls: AnyClass) -> AnyClass:
    """A class whose `__init__` was written by a decorator, as dataclass does: `named`."""
    cls.__init__ = named(cls.__init__)      # type: ignore[misc]     # of a type, not of an instance
    return cls


def need_defaults(who: str, hint: str, **options: tuple[Any, Any]) -> None:
    """Arguments of PyTorch's that fastnn accepts at their defaults: name=(value, default)."""
    for name, (value, default) in options.items():
        if value is not default and not (isinstance(value, (bool, int, float, str)) and value == default):
            raise RangeError(who=who, expected=f"{name}={default!r}", got=repr(value), hint=hint)


def guard_all(space: dict[str, Any]) -> None:
    """Guard the functions of a module's namespace, and how its classes are made. An alias stays an
    alias.
    """
    made: dict[Any, Any] = {}
    for name, function in list(space.items()):
        home = getattr(function, "__module__", "")
        if name.startswith("_") or not home.startswith(("fastnn.ops.", space["__name__"])):
            continue
        if isinstance(function, type) and "__init__" in vars(function) and not issubclass(function, Exception):
            guard_init(function)
        if isinstance(function, FunctionType):
            if function not in made:
                made[function] = guarded(function)
            space[name] = made[function]


def guard_init(cls: Any) -> None:
    """Guard how a class is made."""
    cls.__init__ = guarded(vars(cls)["__init__"])


def guard_methods(cls: type, *names: str) -> None:
    """Guard these methods of a class."""
    for name in names:
        setattr(cls, name, guarded(vars(cls)[name]))


def guard_protocols(cls: Any, *quick: str) -> None:
    """Guard what is called without brackets, repr(t) and t.T: only an error about a tensor without
    its fields is told in our words there. The `quick` ones see to that themselves.
    """
    for name, what in list(vars(cls).items()):
        if isinstance(what, FunctionType) and is_protocol(what) and name != "__dir__":
            setattr(cls, name, guarded(what))
        if isinstance(what, property):
            getter: Any = what.fget
            setter: Any = what.fset
            setattr(cls, name, property(getter if name in quick else guarded(getter), setter and guarded(setter), None,
                                        what.__doc__))


def connect(function: Any, lacks_fields: Callable[[Any], FastnnError | None]) -> None:
    """Tell the guard how to make a tensor of an array, and which tensors are none: called once, by
    tensor.py.
    """
    global tensor, incomplete
    tensor, incomplete = function, lacks_fields


# ---- what went wrong -----------------------------------------------------------------------------
def explain(function: Any, error: Exception, /, *args: Any, **kwargs: Any) -> Any:
    """Called while `error` is handled: the result with arrays taken as tensors, or the error in our
    words.
    """
    try:
        if not is_ours(error):
            if (isinstance(error, FastnnError) and function.__module__.startswith(COMPOSING) and error.layer is None
                    and only_ours(error)):
                error.who = function.__name__       # the composition, not its part that refused
            raise error
        for x in (getattr(error, "obj", None), *args, *kwargs.values()):
            told = incomplete(x)
            if told is not None:
                raise told from None
        if is_of_tensor(function) and is_protocol(function):
            raise error
        if is_of_tensor(function) and not args and "input" in kwargs:       # nn.exp_(input=x)
            given = dict(kwargs)
            x = given.pop("input")
            try:
                return function(x, **given)
            except FOREIGN as again:
                return explain(function, again, x, **given)
        if isinstance(error, (AttributeError, TypeError)) and function.__name__ != "__init__":
            tensors = with_tensors(function, args, kwargs)
            if tensors is not None:
                try:
                    return function(*tensors[0], **tensors[1])
                except FOREIGN as again:
                    if not is_ours(again):
                        raise
                    error = again
        raise refusal(name_of(function, args), error, function, args, kwargs) from error
    finally:
        del error                           # else its traceback, this frame and it hold each other


def is_of_tensor(function: Any) -> bool:
    """Whether this is a method of Tensor."""
    return bool(function.__qualname__.startswith(("Tensor.", "TensorMethods.")))


def is_protocol(function: Any) -> bool:
    """Whether Python or a notebook calls this and knows its errors, as TypeError of len(t)."""
    return function.__name__ != "__init__" and function.__name__.startswith(("__", "_repr_"))


def name_of(function: Any, args: tuple[Any, ...]) -> str:
    """The function as a message names it: "softmax", "Linear", "Sequential.append"."""
    if function.__name__ == "__init__":     # of the class, or of the user's that inherits from it
        return next(c.__name__ for c in type(args[0]).__mro__ if c.__module__.startswith("fastnn"))
    if function.__name__ == "__new__":
        return str(function.__qualname__.rpartition(".")[0])
    if function.__code__.co_varnames[:1] == ("self",):
        return f"{type(args[0]).__name__ if args else function.__qualname__.rpartition('.')[0]}.{function.__name__}"
    return str(function.__name__)


def refuse(who: str, names: tuple[str, ...], error: Exception, arrays: Any, attrs: dict[str, Any],
           check: Callable[..., None] | None = None) -> NoReturn:
    """Called by `apply` while `error` is handled, which an op's check or forward raised: raises it
    in our words. `check` finds them, where a glance (`fits`) had left it out.
    """
    try:
        if not isinstance(error, FOREIGN) or not is_ours(error):
            raise error
        if check is not None:
            check(*arrays, **attrs)
        for name, a in zip(names if len(names) == len(arrays) else [f"input {i}" for i in range(len(arrays))], arrays):
            if (a is None and "NoneType" in str(error)) or not isinstance(a, (np.ndarray, int, float, type(None))):
                raise DTypeError(who=who, expected=f"{name} as a tensor", got=described(a),
                                 hint=as_tensor_hint(a)) from error
        raise about_call(who, error, None, arrays, attrs) from error
    finally:
        del error


def refusal(who: str, error: Exception, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FastnnError:
    """The error about the first argument that is not as the signature says; where all are, about
    the call.
    """
    if is_of_tensor(function) and not (args and hasattr(args[0], "_data")):
        return DTypeError(who=function.__name__, expected="a tensor", got=described(args[0]) if args else "nothing")
    whole, (signature, args) = args, without_self(function, args)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return misfit(who, function, whole, kwargs)
    for name, annotation, value in bound(signature, args, kwargs):
        if not is_a(value, annotation):
            return DTypeError(who=who, expected=f"{name} as {in_words(annotation)}", got=described(value),
                              hint=NO_RETURN if value is None and "Tensor" in annotation else "")
    return about_call(who, error, str(signature).rsplit(" -> ", 1)[0].replace("'", ""), args, kwargs)


# ---- booleans and numbers ------------------------------------------------------------------------
# The kind of a parameter: BOOL, INT or FLOAT by its annotation, plus OR_NONE where that of a bool
# or an int has None as well; 0 where the annotation has room for more, and so nothing is checked.
BOOL, INT, OR_NONE, FLOAT = 1, 2, 4, 8
# The words that the annotation of a bool, that of an int or of several ints, and that of a float or
# what else is no tensor, is made of
OF_BOOL, OF_INT = {"bool", "None"}, {"int", "Dim", "None", "tuple", "list", "Sequence"}
OF_FLOAT = {"float", "str", *OF_INT}
# Places with a bit of their own in C's 64-bit numbers; the last bit is that of all further places.
MOST_PLACES = 63
DECLINED = {"false", "no", "none", "off", "true", "yes", "on"}


@cache
def kind_of_setting(annotation: str) -> int:
    """BOOL, INT or FLOAT where that is all an annotation has room for, else 0; with OR_NONE if a
    bool or an int may be None.
    """
    words = set(re.findall(r"\w+", annotation))
    none = OR_NONE if "None" in words else 0
    if words <= OF_BOOL:
        return BOOL | none if "bool" in words else 0
    if words <= OF_INT:
        return INT | none if words & {"int", "Dim"} else 0
    return FLOAT if words <= OF_FLOAT and "float" in words else 0


@cache
def settings(function: Any) -> tuple[dict[str, int], list[int]]:
    """The kinds of a function's parameters by name, and by place; the last for all that follow.

    Not by inspect.signature, which takes ten times as long and is called for each function in use.
    """
    function = unwrap(function)
    code = function.__code__
    annotations = {name: getattr(a, "__name__", str(a)) for name, a in function.__annotations__.items()}
    kinds = {name: kind_of_setting(a) for name, a in annotations.items() if name != "return"}
    if any("Numpy" in a for a in annotations.values()):
        kinds.update(axis=kinds.get("dim", 0), keepdims=kinds.get("keepdim", 0))
    places = [kinds.get(name, 0) for name in code.co_varnames[:code.co_argcount]]
    rest = kinds.pop(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], 0) \
        if code.co_flags & CO_VARARGS else 0
    return {name: kind for name, kind in kinds.items() if kind}, [*places, rest]


def settings_in_bits(function: Any) -> tuple[dict[str, int], int, int, int, int]:
    """`settings` for the compiled check: (kinds by name, bools, ints, nones, floats). Bit i of the
    four numbers belongs to the parameter at place i: it is set in `bools` if that is a bool, in
    `ints` if it is an int, in `nones` if the annotation of one of these has None as well, and in
    `floats` if it is a float.
    """
    kinds, places = settings(function)
    places = places[:-1] + places[-1:] * (MOST_PLACES + 2 - len(places))
    bits = [sum(1 << i for i, k in enumerate(places) if k & kind) for kind in (BOOL, INT, OR_NONE, FLOAT)]
    return kinds, bits[0], bits[1], bits[2], bits[3]


def check_settings(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """DTypeError unless a bool stands for a bool, neither a bool nor a float for an int, and no
    tensor that requires a gradient for a float.

    For a bool, 0 and 1 of Python and of NumPy pass too. None passes for a bool if the annotation
    has it; for an int it always passes here, and the function itself refuses it.
    """
    kinds, places = settings(function)
    for i, value in enumerate(args):
        kind = places[i] if i < len(places) else places[-1]
        if kind and is_strange_setting(kind, value):
            names = list(inspect.signature(function).parameters)
            raise_for_setting(function, names[i] if i < len(names) else names[-1], kind, args, kwargs, value)
    for name, value in kwargs.items():
        kind = kinds.get(name, 0)
        if kind and is_strange_setting(kind, value):
            raise_for_setting(function, name, kind, args, kwargs, value)


def is_strange_setting(kind: int, value: Any) -> bool:
    if value is None and kind & OR_NONE:
        return False
    if kind & FLOAT:
        return getattr(value, "requires_grad", False) is True
    if kind & INT:
        return isinstance(value, (bool, np.bool_, float, np.floating))
    return not (isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, np.integer)) and value in (0, 1)))


def raise_for_setting(function: Any, name: str, kind: int, args: tuple[Any, ...], kwargs: dict[str, Any],
                      value: Any) -> None:
    """The error about this parameter."""
    parameters = inspect.signature(function).parameters
    annotation = str(parameters[name].annotation) if name in parameters else ""
    # NumPy's names of parameters, keepdims, have no annotation
    hint, wanted = "", in_words(annotation or ("bool" if kind & BOOL else "int"))
    if isinstance(value, str) and value.lower() in DECLINED:
        hint = "Without quotes: a word is true, whatever it says."
    elif next(iter(parameters), "") == "data" and len(args) > 1 and all(isinstance(a, (int, float)) for a in args):
        hint = f"Several numbers are one list: {name_of(function, args)}([{', '.join(map(repr, args))}])."
    elif kind & INT and isinstance(value, bool) and name not in kwargs:
        booleans = [other for other, k in settings(function)[0].items() if k & BOOL and other in parameters]
        if booleans:
            hint = f"A bool goes by its name: {' or '.join(f'{other}={value}' for other in booleans)}."
    got = described(value)
    if kind & FLOAT:
        got, hint = f"{got}, that requires a gradient", f"{name} gets none: pass its .item(), or .detach()."
    raise DTypeError(who=name_of(function, args), expected=f"{name} as {wanted}", got=got, hint=hint)


def whole(who: str, expected: str, value: Any) -> int:
    """A whole number as Python's int: of an int, of NumPy's, of a tensor that holds one. A bool is
    none, as in PyTorch, nor is a fraction.
    """
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise DTypeError(who=who, expected=expected, got=repr(value))


NO_RETURN = "Did a function return nothing? A forward() ends with return."


def as_tensor_hint(value: Any) -> str:
    """How what stands in the place of a tensor becomes one."""
    if value is None:
        return NO_RETURN
    if type(value).__module__.partition(".")[0] == "torch":
        return "It is PyTorch's: nn.tensor(t.numpy())."
    return "Wrap it in nn.tensor(...)."


def without_self(function: Any, args: tuple[Any, ...]) -> tuple[inspect.Signature, tuple[Any, ...]]:
    """The signature and the arguments as the caller wrote them."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if not parameters or parameters[0].name not in ("self", "cls"):
        return signature, args
    return signature.replace(parameters=parameters[1:]), args[1:]


def misfit(who: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FastnnError:
    """The error about arguments that the function does not have, or that it lacks."""
    signature, args = without_self(function, args)
    parameters = signature.parameters
    kinds = {p.kind for p in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for name in kwargs:
            if name not in parameters:
                from .names import wrong_argument
                return wrong_argument(who, name, parameters)
    places = [name for name, p in parameters.items()
              if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    text = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters.values())
    if len(args) > len(places) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        there_are = "is 1 argument" if len(args) == 1 else f"are {len(args)} arguments"
        at_most = f"at most {len(places)}" if places else "none"
        return DTypeError(f"there {there_are} without a name, but it takes {at_most}",
                          who=who, expected=f"({text})")
    given = {*places[:len(args)], *kwargs}
    lacking = [name for name, p in parameters.items()
               if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and name not in given]
    if lacking:
        verb = "argument is" if len(lacking) == 1 else "arguments are"
        return DTypeError(f"the {verb} missing: {', '.join(lacking)}", who=who, expected=f"({text})")
    twice = ", ".join(name for name in places[:len(args)] if name in kwargs)
    return DTypeError(f"an argument is given twice: {twice}", who=who, expected=f"({text})")


def about_call(who: str, error: Exception, expected: str | None, args: tuple[Any, ...],
               kwargs: dict[str, Any]) -> FastnnError:
    """The error about a call whose arguments are each of the right kind."""
    kind: type[FastnnError] = DTypeError if isinstance(error, (TypeError, AttributeError)) else RangeError
    if isinstance(error, IndexError):
        kind = IndexMistake
    if isinstance(error, KeyError):
        kind = NameMistake
    given = [described(a) for a in args] + [f"{name}={described(a)}" for name, a in kwargs.items()]
    return kind(f"these arguments do not fit ({error})", who=who, expected=expected, got=f"({', '.join(given)})")


def is_ours(error: Exception) -> bool:
    """Whether this is an error of Python or NumPy to be told in our words, and none of the user's
    code.
    """
    return not isinstance(error, (FastnnError, RecursionError)) and only_ours(error)


def only_ours(error: Exception) -> bool:
    """Whether all frames that it passed are fastnn's, NumPy's or Python's own."""
    traceback = error.__traceback__
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if module not in ("fastnn", "numpy") and module not in sys.stdlib_module_names:
            return False
        traceback = traceback.tb_next
    return True


def bound(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """(name, annotation, value) of each argument that is given."""
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return []
    found = []
    for name, value in given.items():
        p = signature.parameters[name]
        values = value if p.kind is p.VAR_POSITIONAL else () if p.kind is p.VAR_KEYWORD else (value,)
        found += [(name, str(p.annotation), v) for v in values if v is not p.default]
    return found


def with_tensors(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """(args, kwargs) with arrays as tensors where the signature says Tensor; None if there are
    none.
    """
    signature, found = inspect.signature(function), False

    def changed(annotation: Any, value: Any) -> Any:
        nonlocal found
        if "Tensor" in str(annotation):
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                found = True
                return tensor(value)
            if isinstance(value, (tuple, list)) and any(isinstance(v, np.ndarray) for v in value):
                return type(value)([changed(annotation, v) for v in value])
        return value

    try:
        given = signature.bind(*args, **kwargs)
    except TypeError:
        return None
    for name, value in given.arguments.items():
        p = signature.parameters[name]
        if p.kind is p.VAR_POSITIONAL:
            given.arguments[name] = tuple([changed(p.annotation, v) for v in value])
        else:
            given.arguments[name] = changed(p.annotation, value)
    return (given.args, given.kwargs) if found else None


# ---- data ----------------------------------------------------------------------------------------
MOST_AXES = 64                                      # NumPy's
EACH = "Each must be a number."
TEXT = "Text becomes numbers by a table, {word: number}."
TIME = "Times become numbers by a unit: (t - t[0]) / np.timedelta64(1, 's')."
# NumPy's letters of kinds
KIND_HINTS = {"U": TEXT, "S": TEXT, "M": TIME, "m": TIME, "c": "There are no complex numbers: take .real and .imag."}


def strange(data: Any, place: tuple[int, ...] = ()) -> tuple[str, str] | None:
    """What in nested rows, or in an array, keeps it from being an array of numbers, with its place,
    and the likely fix; None where nothing does.
    """
    array = getattr(data, "_data", data)
    if isinstance(array, np.ndarray):
        data = array
        if data.dtype.kind in "fiub":
            return None
        if data.dtype.kind != "O":
            return f"{data.dtype}{place_in_words(place)}", KIND_HINTS.get(data.dtype.kind, EACH)
        data = data.tolist()
    if not isinstance(data, (list, tuple)):
        real = isinstance(data, (int, float, np.number, np.bool_)) and not isinstance(data, np.complexfloating)
        return None if real else of_kind(data, place)
    if len(place) >= MOST_AXES:
        return f"rows in rows, more than {MOST_AXES} deep", "Does a list hold itself?"
    first: Any = None
    for i, row in enumerate(data):
        found = strange(row, (*place, i))
        if found is not None:
            return found
        shape = np.shape(row)
        first = shape if i == 0 else first
        if shape != first:
            return (f"{size_in_words(shape)}{place_in_words((*place, i))} after {size_in_words(first)}",
                    "Pad the shorter ones, or make one tensor of each.")
    return None


def of_kind(value: Any, place: tuple[int, ...]) -> tuple[str, str]:
    """As `strange`, of something that is no number."""
    if value is None:
        hint = "Is a value missing there? Leave its row out, or fill in a number." if place else \
            "Did a function return nothing?"
        return f"None{place_in_words(place)}", hint
    if isinstance(value, dict):
        hint = "Take out of it what is wanted: [row['key'] for row in rows]."
    elif isinstance(value, (set, frozenset)):
        hint = "It has no order: sorted() makes a list."
    else:
        hint = KIND_HINTS.get(np.asarray(value).dtype.kind, EACH)
    what = described(value) if isinstance(value, (str, bytes)) else type(value).__name__
    return what + place_in_words(place), hint


def place_in_words(place: tuple[int, ...]) -> str:
    """ at row 2, column 1."""
    if len(place) < 3:
        return "".join(f"{word} {i}" for word, i in zip((" at row", ", column"), place))
    return " at " + "".join(f"[{i}]" for i in place)


def size_in_words(shape: tuple[int, ...]) -> str:
    return "a number" if not shape else f"a row of {shape[0]}" if len(shape) == 1 else f"a row of shape {shape}"


if compiled is not None:
    compiled.connect_guard(explain, FOREIGN, update_wrapper, settings_in_bits, check_settings)


# ---- annotations ---------------------------------------------------------------------------------
WORDS = {"Tensor": "a tensor", "int": "an int", "float": "a number", "bool": "a bool", "str": "a word", "None": "None",
         "Dim": "an int, a tuple of int or None", "Module": "a module"}


def parts(annotation: str) -> list[str]:
    """"int | tuple[int, int] | None" -> ["int", "tuple[int, int]", "None"]."""
    found, depth = [""], 0
    for c in annotation.strip("'\""):
        depth += (c == "[") - (c == "]")
        if c == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += c
    return [part.strip() for part in found]


def in_words(annotation: str) -> str:
    words = []
    for part in parts(annotation):
        base, _, inner = part.partition("[")
        if base in ("tuple", "list", "Sequence", "Iterable"):
            items = " | ".join(sorted({i.strip() for i in inner.rstrip("]").split(",")} - {"..."}))
            words.append(f"a sequence of {items}" if items else "a sequence")
        else:
            words.append(WORDS.get(base, base))
    return " or ".join(words)


def is_a(value: Any, annotation: str) -> bool:
    """Whether the value is what an annotation says; True for annotations that are not known."""
    return any(is_one(value, part) for part in parts(annotation))


def is_one(value: Any, part: str) -> bool:
    base, _, inner = part.partition("[")
    array = getattr(value, "_data", value)
    if base == "None":
        return value is None
    if base == "Tensor":
        return isinstance(array, np.ndarray) and array.dtype.kind in "fiub"
    if base == "int":
        return is_int(value)
    if base == "float":
        return isinstance(array, (int, float, np.number)) or (isinstance(array, np.ndarray) and array.size == 1
                                                               and array.dtype.kind in "fiub")
    if base == "bool":
        return isinstance(value, (bool, np.bool_, int))
    if base == "str":
        return isinstance(value, str)
    if base == "Dim":
        return value is None or is_one(value, "int") or is_one(value, "tuple[int, ...]")
    if base in ("tuple", "list", "Sequence", "Iterable"):
        items = [i.strip() for i in inner.rstrip("]").split(",") if i.strip() not in ("", "...")]
        if base == "Iterable" and not isinstance(value, (str, bytes)):
            return hasattr(value, "__iter__")
        return isinstance(value, (tuple, list)) and (len(items) != 1 or items[0] not in ("int", "Tensor", "float")
                                                     or all(is_one(v, items[0]) for v in value))
    return True


def is_int(value: Any) -> bool:
    try:
        operator.index(value)
    except Exception:
        return False
    return True


def described(value: Any) -> str:
    """A value for a message: short, and what kind of thing it is."""
    if incomplete(value) is not None:
        return f"{type(value).__name__} without values"
    array = getattr(value, "_data", value)
    if isinstance(array, np.ndarray):
        kind = type(value).__name__ if array is not value else "array"
        return f"{kind} of shape {array.shape}, {array.dtype}"
    if isinstance(value, (tuple, list)) and any(isinstance(getattr(v, "_data", v), np.ndarray) for v in value):
        return f"[{', '.join(described(v) for v in value[:4])}{', ...' if len(value) > 4 else ''}]"
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 60 else text[:57] + "..."
