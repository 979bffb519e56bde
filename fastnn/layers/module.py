"""Module: a piece of a network that owns parameters. It holds no mathematics: layers call functions
from nn.functional.

PyTorch's names, semantics and state_dict keys, so that knowledge and weights carry over.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from ..autograd import RemovableHandle, is_grad_enabled
from ..device import destination, on_cpu
from ..errors import AttributeMistake, DTypeError, FastnnError, RangeError, ShapeError, warn_once
from ..guard import FOREIGN, NameMistake, PathMistake, guard_methods, guarded, is_ours, named, refusal
from ..ops.checks import OF_RECURRENT
from ..parameters import Buffer, is_lazy
from ..tensor import Parameter, Tensor, array_of, wrapped
from ..tensor import tensor as as_tensor_of

if TYPE_CHECKING:
    from typing import ParamSpec, Protocol, TypeVar

    # type checkers know it without the package
    from typing_extensions import Self

    from .summary import Summary

    Inputs = ParamSpec("Inputs")
    Output = TypeVar("Output", covariant=True)

    class HasForward(Protocol[Inputs, Output]):
        """What model(x) takes and returns is what forward of its class does."""

        def forward(self, *inputs: Inputs.args, **kwargs: Inputs.kwargs) -> Output: ...

__all__ = ["LoadReport", "Module", "RemovableHandle"]

Window = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
# What a module knows by name; each module has its own.
REGISTERS = {"_parameters": dict, "_buffers": dict, "_modules": dict, "_forward_hooks": dict,
             # _transient: buffers that state_dict leaves out
             "_forward_pre_hooks": dict, "_transient": set}
# a layer whose output pixel sees that pixel of its input alone
POINTWISE: Window = ((1, 1), (1, 1), (1, 1))


def is_of_fastnn(cls: type) -> bool:
    """Whether this is a class of the package, whose errors are ours, and not one of the user."""
    return cls.__module__.startswith("fastnn.")


class LoadReport(tuple):
    """What load_state_dict found: unpacks as (missing_keys, unexpected_keys), as PyTorch's does."""

    @named
    def __new__(cls, missing: list[str], unexpected: list[str]) -> LoadReport:
        return super().__new__(cls, (missing, unexpected))

    @property
    def missing_keys(self) -> list[str]:
        return self[0]

    @property
    def unexpected_keys(self) -> list[str]:
        return self[1]

    def __repr__(self) -> str:
        if not self[0] and not self[1]:
            return "<All keys matched successfully>"
        return f"LoadReport(missing_keys={self[0]}, unexpected_keys={self[1]})"


class _Hook:
    """A hook that gets the call's keyword arguments too, or runs also where the call raised."""

    __slots__ = ("always", "function", "with_kwargs")

    def __init__(self, function: Any, with_kwargs: bool, always: bool = False) -> None:
        self.function, self.with_kwargs, self.always = function, with_kwargs, always

    def __call__(self, module: Module, inputs: tuple[Any, ...], *more: Any) -> Any:
        """`more`: the keyword arguments, and the output of a forward."""
        return self.function(module, inputs, *(more if self.with_kwargs else more[1:]))


class Module:
    """Base of all layers and models.

    Assign Parameters, Modules and (with register_buffer) buffers as attributes in __init__ after
    super().__init__(), and define forward(). Call the module, not forward: hooks then run, and an
    error is told with the layer's path.

    >>> import fastnn as nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(2, 3)
    ...         self.out = nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).tanh())
    >>> net = Net()
    >>> [name for name, _ in net.named_parameters()]
    ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    >>> net(nn.zeros(4, 5))
    Traceback (most recent call last):
        ...
    fastnn.errors.ShapeError: model.hidden (Linear 2 -> 3): expected (..., 2), got (4, 5)
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        for name, empty in REGISTERS.items():
            object.__setattr__(self, name, empty())
        object.__setattr__(self, "training", True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_of_fastnn(cls) and "__init__" in cls.__dict__:
            # mypy calls it unsound to assign to __init__; a guard keeps its signature
            cls.__init__ = without_inputs(guarded(cls.__init__))    # type: ignore[method-assign]

    # ---- calling ---------------------------------------------------------------------------------
    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module computes. To be written."""
        from ..names import near
        close = near("forward", [name for name in vars(type(self)) if not name.startswith("_")])
        raise DTypeError(f"{type(self).__name__} must define forward()",
                         hint=f"Is it {close[0]}() that is meant?" if close else "")

    def _call(self, *inputs: Any, **kwargs: Any) -> Any:
        """forward, with the hooks around it, and this layer's path in front of an error."""
        try:
            if self._forward_pre_hooks:
                inputs, kwargs = self._before_forward(inputs, kwargs)
            y = self.forward(*inputs, **kwargs) if kwargs else self.forward(*inputs)
        except FastnnError as error:
            self._failed(inputs, kwargs)
            self._tell(error, inputs)
            raise
        except FOREIGN as error:
            self._failed(inputs, kwargs)
            if not is_of_fastnn(type(self)) or not is_ours(error):
                raise
            told = refusal(type(self).__name__, error, self.forward, inputs, kwargs)
            self._tell(told, inputs)
            raise told from error
        except BaseException:
            self._failed(inputs, kwargs)
            raise
        if self._forward_hooks:
            y = self._after_forward(inputs, kwargs, y)
        return y

    if TYPE_CHECKING:
        def __call__(self: HasForward[Inputs, Output], *inputs: Inputs.args, **kwargs: Inputs.kwargs) -> Output: ...
    else:
        __call__ = _call

    def _before_forward(self, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The arguments as the hooks leave them."""
        for hook in list(self._forward_pre_hooks.values()):
            if hook.__class__ is _Hook:
                replaced = hook(self, inputs, kwargs)
                if replaced is not None:
                    if not (isinstance(replaced, tuple) and len(replaced) == 2 and isinstance(replaced[1], dict)):
                        raise DTypeError("a hook with keyword arguments returns None or (inputs, keywords)",
                                         who=type(self).__name__, got=type(replaced).__name__)
                    inputs, kwargs = replaced
                continue
            replaced = hook(self, inputs)
            if replaced is not None:
                inputs = replaced if isinstance(replaced, tuple) else (replaced,)
        return inputs, kwargs

    def _after_forward(self, inputs: tuple[Any, ...], kwargs: dict[str, Any], y: Any) -> Any:
        """The output as the hooks leave it."""
        waiting = list(self._forward_hooks.values())
        try:
            while waiting:
                hook = waiting.pop(0)
                replaced = hook(self, inputs, kwargs, y) if hook.__class__ is _Hook else hook(self, inputs, y)
                y = y if replaced is None else replaced
        except BaseException:
            self._run_always(waiting, inputs, kwargs, y)
            raise
        return y

    def _failed(self, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The call raised: run the hooks that always run."""
        if self._forward_hooks:
            self._run_always(list(self._forward_hooks.values()), inputs, kwargs)

    def _run_always(self, waiting: list[Any], inputs: tuple[Any, ...], kwargs: dict[str, Any], y: Any = None) -> None:
        """Those hooks that run also where the call raised, with the output that forward gave, if it
        gave one. What they raise themselves is told as a warning: the first error goes on.
        """
        for hook in waiting:
            if hook.__class__ is _Hook and hook.always:
                try:
                    replaced = hook(self, inputs, kwargs, y)
                    y = y if replaced is None else replaced
                except Exception as error:
                    warnings.warn(f"a forward hook with always_call=True raised {error!r}, beside the error of the "
                                  "call", stacklevel=4)

    def _tell(self, error: FastnnError, inputs: tuple[Any, ...]) -> None:
        """Name this layer in an error of its call; another error where it got what a recurrent
        layer gives, or a layer.
        """
        if (error.layer is None and inputs and isinstance(inputs[0], (tuple, Module)) and is_of_fastnn(type(self))
                and not self._modules):
            told = DTypeError("input must be a tensor or an array", who=type(self).__name__,
                              got=type(inputs[0]).__name__,
                              hint=OF_RECURRENT if isinstance(inputs[0], tuple) else OF_LAYER)
            self._name_error(told)
            raise told from error
        self._name_error(error)

    def _name_error(self, error: FastnnError) -> FastnnError:
        """Put this layer in front of the path that the error has gathered so far.

        The op's name stays in the text where the layer's own name does not say it: "model.block
        (Block) in reshape: ...".
        """
        if error.layer is None:
            layer, op = type(self).__name__.lower(), error.who.replace("_", "").lower()
            said = op in layer or layer in op       # conv2d, Conv2d
            error.path, error.layer = "", self
            error.described = f" ({self.describe()})" + ("" if said else f" in {error.who}")
            first = self.__dict__.get("_first_input")           # of a layer that was lazy
            if first is not None and isinstance(error, ShapeError):
                error.hint = (f"{error.hint} The layer took its sizes from its first input, of shape {first}: if that "
                              "was the wrong one, make the model anew.").lstrip()
        elif error.layer is not self:
            path = next((path for path, module in self.named_modules() if module is error.layer), None)
            if path is None:                        # it came through a module that is not ours
                return error
            error.path, error.layer = f".{path}{error.path}", self
        error.who = f"model{error.path}{error.described}"
        return error

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Call hook(module, inputs, output) after each forward; what it returns, if not None,
        replaces the output.

        prepend: before the hooks that are there. with_kwargs: the hook gets the call's keyword
        arguments, hook(module, inputs, keywords, output). always_call: also where the call raised,
        with None for the output.
        """
        return RemovableHandle(self._forward_hooks, self._hook(hook, with_kwargs, always_call), prepend)

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """Call hook(module, inputs) before each forward; what it returns, if not None, replaces the
        inputs.

        prepend: before the hooks that are there. with_kwargs: hook(module, inputs, keywords) gets
        the call's keyword arguments, and returns None or (inputs, keywords).
        """
        return RemovableHandle(self._forward_pre_hooks, self._hook(hook, with_kwargs), prepend)

    def _hook(self, hook: Any, with_kwargs: bool, always: bool = False) -> Any:
        return _Hook(hook, with_kwargs, always) if (with_kwargs or always) and callable(hook) else hook

    # ---- attributes ------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise DTypeError(f"call super().__init__() before assigning attributes in {type(self).__name__}.__init__")
        homes: tuple[dict[str, Any], ...] = (self._parameters, self._buffers, self._modules)
        home: dict[str, Any]
        if isinstance(value, Parameter):
            home = self._parameters
        elif isinstance(value, Module):
            home = self._modules
        elif isinstance(value, Buffer):
            home = self._buffers
            (self._transient.discard if value.persistent else self._transient.add)(name)
        else:
            for home, what in zip(homes, ("parameter", "buffer", "module")):
                if name in home:
                    if value is not None and not (home is self._buffers and isinstance(value, Tensor)):
                        hint = (f"Write {name} = nn.Parameter(...), or copy the numbers: with nn.no_grad(): "
                                f"layer.{name}.copy_(...)." if home is self._parameters and hasattr(value, "shape")
                                else "A function becomes part of forward(); as a layer it is a Module, nn.ReLU()."
                                if home is self._modules and callable(value) else "")
                        kind = "function" if home is self._modules and callable(value) else type(value).__name__
                        raise DTypeError(f"{name} is a {what}; it cannot be replaced by a {kind}",
                                         who=type(self).__name__, hint=hint)
                    self._own(home, name, value)
                    return
            object.__setattr__(self, name, value)
            return
        if hasattr(type(self), name):       # the class's attribute would be found first, for ever
            what = "parameter" if home is self._parameters else "module" if home is self._modules else "buffer"
            raise DTypeError(f"{name!r} is an attribute of the class {type(self).__name__}: choose another name for "
                             f"the {what}")
        for other in homes:
            if other is not home:
                other.pop(name, None)
        self._own(home, name, value)

    def _own(self, home: dict[str, Any], name: str, value: Any) -> None:
        """Put a parameter, buffer or module in its register, and in __dict__ too: found there, it
        costs a tenth of __getattr__.
        """
        home[name] = value
        self.__dict__[name] = value

    def _disown(self, home: dict[str, Any], name: str) -> None:
        del home[name]
        self.__dict__.pop(name, None)

    def __getattr__(self, name: str) -> Any:        # only reached when the ordinary look-up failed
        def find() -> str:
            from ..names import advice_about
            return advice_about(self, name)
        raise AttributeMistake(f"{type(self).__name__} has no attribute {name!r}", find=find)

    def __delattr__(self, name: str) -> None:
        for home in (self._parameters, self._buffers, self._modules):
            if name in home:
                self._disown(home, name)
                return
        object.__delattr__(self, name)

    def __copy__(self) -> Self:
        """For copy.copy: the same parameters, buffers, modules and hooks, in registers of its own.

        What is assigned, hooked or deleted afterwards on either does not reach the other.
        """
        result = type(self).__new__(type(self))
        result.__dict__.update(self.__dict__)
        for name, empty in REGISTERS.items():
            object.__setattr__(result, name, empty(self.__dict__.get(name, ())))
        return result

    def __dir__(self) -> list[str]:
        return sorted(super().__dir__())

    def _claim(self, name: str, home: dict[str, Any]) -> None:
        """Refuse a name that cannot be an attribute of its own."""
        if not isinstance(name, str) or not name or "." in name:
            raise RangeError(f"a name must not be empty or hold a dot: {name!r}", who=type(self).__name__)
        if name not in home and hasattr(self, name):
            raise NameMistake(f"it has an attribute {name!r} already", who=type(self).__name__)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """A parameter, or None for one that is absent (bias=False) so that the attribute exists."""
        if param is not None and not isinstance(param, Parameter):
            raise DTypeError(f"{name} must be a Parameter, not a {type(param).__name__}", who=type(self).__name__)
        self._claim(name, self._parameters)
        self._own(self._parameters, name, param)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """A tensor that belongs to the state but is not trained, like batch norm's running mean."""
        self._claim(name, self._buffers)
        self._own(self._buffers, name, None if tensor is None else as_tensor_of(tensor))
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """A child under a name that may be computed, "layer3"; the same as assigning the attribute.
        """
        if module is not None and not isinstance(module, Module):
            raise DTypeError(f"{name} must be a Module, not a {type(module).__name__}", who=type(self).__name__)
        self._claim(name, self._modules)
        self._own(self._modules, name, module)

    register_module = add_module

    # ---- what is below ---------------------------------------------------------------------------
    def named_modules(self, memo: set[Module] | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all below, each once, parents first.

        Those in `memo` are left out, and it is filled. remove_duplicate=False: a module in two
        places comes twice.
        """
        seen: set[Module] = set() if memo is None else memo
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if module in seen:
                continue
            if remove_duplicate:
                seen.add(module)
            yield path, module
            stack.extend(reversed([(f"{path}.{name}" if path else name, child)
                                   for name, child in module.named_children()]))

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below, each once, parents first. Arguments: as `named_modules`."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of those that this module owns itself."""
        return ((name, child) for name, child in self._modules.items() if child is not None)

    def children(self) -> Iterator[Module]:
        """The modules that this module owns itself."""
        return (child for _, child in self.named_children())

    def _named(self, home: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        below = self.named_modules(prefix=prefix, remove_duplicate=once) if recurse else [(prefix, self)]
        for path, module in below:
            for name, value in getattr(module, home).items():
                if value is not None and id(value) not in seen:
                    if once:
                        seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter), each parameter once even if two layers share it, unless
        remove_duplicate=False.
        """
        if "_looked" not in self.__dict__:          # the first time: for an optimiser, a file
            object.__setattr__(self, "_looked", True)
            for text in hidden_layers(self):
                warn_once("layers in a plain list", text)
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Each parameter once; with recurse=False, those of the modules below left out."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer), each buffer once, unless remove_duplicate=False."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Each buffer once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; "" is this one."""
        module: Module = self
        for name in filter(None, target.split(".")):
            child = module._modules.get(name)
            if child is None:
                raise PathMistake(f"it has no module {name!r} (in path {target!r})", who=type(module).__name__)
            module = child
        return module

    # ---- state -----------------------------------------------------------------------------------
    def state_dict(self, *, destination: dict[str, Tensor] | None = None, prefix: str = "",
                   keep_vars: bool = False) -> dict[str, Tensor]:
        """{path: tensor} of all parameters and buffers; the tensors share memory with the module's.

        destination: a dict to put them into. prefix: what the paths begin with. keep_vars: the
        parameters themselves, which require a gradient.
        """
        state: dict[str, Tensor] = {} if destination is None else destination
        self.named_parameters()                     # looks for layers that the state would miss
        self._collect_state(state, prefix, keep_vars)
        return state

    def _collect_state(self, state: dict[str, Tensor], prefix: str, keep_vars: bool) -> None:
        for name, p in self._parameters.items():
            if p is not None:
                state[prefix + name] = p if keep_vars else p.detach()
        for name, b in self._buffers.items():
            if b is not None and name not in self._transient:
                state[prefix + name] = b if keep_vars else b.detach()
        for name, child in self._modules.items():
            if child is not None:
                child._collect_state(state, f"{prefix}{name}.", keep_vars)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> LoadReport:
        """Copy values from {path: array or tensor} into the parameters and buffers.

        Everything is checked first: if anything does not fit, all of it is told at once and nothing
        is changed.

        Raises
        ------
        ShapeError
            a value has another shape, holds no numbers or some that cannot be, as a variance below
            0 (always), keys are missing or unexpected (if strict).
        DTypeError
            no dict.
        RangeError
            assign=True: values are copied into the module's own arrays, which optimisers hold.
        """
        if assign:
            raise RangeError(who=f"{type(self).__name__}.load_state_dict", expected="assign=False", got=assign,
                             hint="Values are copied into the module's own arrays; model.to(dtype) changes theirs.")
        own, arrays, report = self._fitting(state_dict, strict)
        for key, a in arrays.items():
            target = own[key]
            if is_lazy(target):
                target.materialize(a.shape)
            # as astype: what float32 does not have becomes infinite
            with np.errstate(over="ignore"):
                np.copyto(target._data, a, casting="unsafe")
            target._version[0] += 1
        return report

    def _fitting(self, state: Mapping[str, Any],
                 strict: bool = True) -> tuple[dict[str, Any], dict[str, Any], LoadReport]:
        """The module's own state, the arrays that would go into it, and what load_state_dict tells;
        or its error. Nothing is changed.
        """
        if not isinstance(state, Mapping):
            raise DTypeError(who=f"{type(self).__name__}.load_state_dict", expected="a dict {path: array}",
                             got=type(state).__name__, hint="nn.load(path) gives the state in a file.")
        own: dict[str, Any] = self.state_dict()
        missing = [key for key in own if key not in state]
        unexpected = [key for key in state if key not in own]
        arrays, wrong = {}, []
        for key in own:
            if key in state and not (is_lazy(own[key]) and is_lazy(state[key])):
                try:
                    arrays[key] = np.asarray(state[key]) if is_lazy(state[key]) else array_of(state[key])
                except Exception as error:  # rows of different lengths; another library's tensor
                    wrong.append(f"  {key}: no array that NumPy can read ({error})")
        sizes: dict[str, Any] = {}
        for lead, layer in self._layers():
            given = {name: arrays[lead + name] for name in (*layer._parameters, *layer._buffers)
                     if lead + name in arrays}
            sizes |= {lead + name: shape for name, shape in layer._expected_shapes(
                {name: a.shape for name, a in given.items()}).items()}
            wrong += [f"  {lead}{name}: expected {layer._least[name]:g} or more, got {a.min()}"
                      for name, a in given.items() if name in layer._least and a.dtype.kind in "fi"
                      and (a < layer._least[name]).any()]
        for key, a in arrays.items():
            expected = sizes.get(key, a.shape) if is_lazy(own[key]) else own[key].shape
            if a.shape != expected:
                wrong.append(f"  {key}: expected {expected}, got {a.shape}")
            if a.dtype.kind not in "fiub":
                wrong.append(f"  {key}: expected numbers, got {a.dtype}")
            elif own[key].dtype.kind in "iu" and not _holds(own[key].dtype, a):
                wrong.append(f"  {key}: expected whole numbers of {own[key].dtype}, got {a.dtype}")
            if not is_lazy(own[key]) and not own[key]._data.flags.writeable:
                wrong.append(f"  {key}: the model's own array is read-only")
        keys = [f"  {key}: missing" for key in missing] + [f"  {key}: unexpected" for key in unexpected]
        keys = keys if strict else []
        if wrong or keys:
            hint = _renamed(missing, unexpected, state) if keys else ""
            strictly = "Pass strict=False to load the keys that match." if keys and not wrong else ""
            raise ShapeError("the state does not fit, and nothing was loaded:\n" + "\n".join(wrong + keys) + "\n",
                             who=type(self).__name__, hint=hint or strictly)
        return own, arrays, LoadReport(missing, unexpected)

    def _layers(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(what its keys in a state begin with, module): a module in two places comes twice."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._layers(f"{prefix}{name}.")

    _least: ClassVar[Mapping[str, float]] = {}      # buffer -> the least number that it may hold

    def _expected_shapes(self, given: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        """Of this layer's own parameters and buffers that have no shape yet: name -> the shape, or
        words for it; `given` came. What is not named may have any. Lazy layers override it.
        """
        return {}

    # ---- changing everything ---------------------------------------------------------------------
    def train(self, mode: bool = True) -> Self:
        """Training behaviour (dropout drops, batch norm uses the batch) on or off, for all below;
        returns self.
        """
        object.__setattr__(self, "training", bool(mode))
        for child in self.children():
            child.train(mode)                       # a layer may have a train() of its own
        return self

    def eval(self) -> Self:
        """train(False): for evaluation and use; returns self."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every module below, children first, then on this; returns self."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether the parameters are trained, for all below; returns self."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with set_to_none=False keep the arrays and fill them with zeros."""
        for p in self.parameters():
            if set_to_none or p.grad is None:
                p.grad = None
            else:
                p.grad.zero_()

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Convert all floating-point parameters and buffers, in place; returns self.

        to(dtype), to("cpu"), to("cpu", dtype) and to(tensor), whose dtype is wanted. DTypeError
        unless the dtype is float32 or float64, RangeError for another device.
        """
        dtype = destination(type(self).__name__, args, dtype, device)
        if dtype is None:
            return self
        dtype = np.dtype(dtype)
        if dtype not in (np.float32, np.float64):
            raise DTypeError(who=type(self).__name__, expected="a model's dtype float32 or float64", got=str(dtype))
        for _, t in [*self.named_parameters(), *self.named_buffers()]:
            if is_lazy(t) and t.dtype.kind == "f":
                t.to(dtype)
            elif t.dtype.kind == "f" and t.dtype != dtype:
                t.data = t._data.astype(dtype)
                if t.grad is not None:
                    t.grad = wrapped(t.grad._data.astype(dtype))
        return self

    def float(self) -> Self:
        """to(float32)."""
        return self.to(np.float32)

    def double(self) -> Self:
        """to(float64)."""
        return self.to(np.float64)

    def cpu(self) -> Self:
        """self: there is no other device."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """RangeError: fastnn runs on the CPU."""
        on_cpu("cuda", "cuda")
        return self

    # ---- what it costs: for summary() ------------------------------------------------------------
    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        """Multiply-adds of this call: products summed in matrix products and convolutions, without
        those of child modules that it calls. Element-wise work (activations, norms, pooling, gates,
        softmax) counts nothing.

        A module of yours that calls functions such as matmul itself overrides this.
        """
        return 0

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        """What a forward and backward need for their own time, besides inputs, output and
        gradients.
        """
        return 0

    def receptive_window(self) -> Window | None:
        """(size, stride, dilation) of what one output pixel sees of this layer's input; None where
        that is not defined.
        """
        return None

    # ---- showing ---------------------------------------------------------------------------------
    def describe(self) -> str:
        """One line for errors and tables: "Linear 784 -> 10". Layers override it."""
        return type(self).__name__

    def extra_repr(self) -> str:
        """What repr() shows between the brackets. Layers override it."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, child in self.named_children():
            text = repr(child).replace("\n", "\n  ")
            lines.append(f"  ({name}): {text}")
        head = f"{type(self).__name__}({self.extra_repr()}"
        return head + ")" if not lines else "\n".join([head, *lines, ")"])

    def _repr_html_(self) -> str:
        """For notebooks."""
        from ..html import model_html
        return model_html(self)

    def summary(self, *input_shapes: Any, **kwargs: Any) -> Summary:
        """A table of layers with output shapes, parameters, multiply-adds, bytes and receptive
        field: see nn.summary.
        """
        from .summary import summary
        return summary(self, *input_shapes, **kwargs)


def notice_training(layer: Module) -> None:
    """Warn where a layer that behaves otherwise in training is used in training mode without the
    tape: to evaluate, it seems.
    """
    if not is_grad_enabled():
        warn_once("eval() forgotten", f"{layer.describe()} is in training mode under no_grad(): to evaluate or to "
                  "predict, call model.eval() before, and model.train() after.")


OF_LAYER = "Is a comma missing? In nn.Sequential(nn.Linear(2, 2), nn.ReLU()) commas join the layers."

# What holds layers without the model's knowledge.
PLAIN = (list, tuple, dict, set, frozenset, deque)


def held(value: Any, depth: int = 0) -> Iterator[Any]:
    """What is in lists, sets, dicts and the like, and in those within; so deep as anybody writes
    them.
    """
    if isinstance(value, PLAIN) and depth < 4:
        for item in value.values() if isinstance(value, dict) else value:
            yield from held(item, depth + 1)
    else:
        yield value


def without_inputs(init: Any) -> Any:
    """The `__init__` of a layer, which refuses a tensor where a setting goes: a layer is made first
    and called then. Where the annotation has room for a tensor, a vector of weights is one. Where
    it says float, a number must stand.
    """
    signature = inspect.signature(init)
    places, known = list(signature.parameters), signature.parameters.keys()
    weights = {name for name in places if name in ("weight", "pos_weight")}
    # name -> whether None passes here: where there is no default, the other settings are told first
    numbers = {name: "None" in annotation or p.default is p.empty for name, p in signature.parameters.items()
               if (annotation := str(p.annotation)) in ("float", "float | None", "<class 'float'>")}

    @functools.wraps(init)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        if is_of_fastnn(type(self)) and any(isinstance(a, Tensor) and a.ndim for a in (*args, *kwargs.values())):
            try:
                given = signature.bind(self, *args, **kwargs).arguments
            except TypeError:                       # more of them than there are settings
                given = {**dict(zip(signature.parameters, (self, *args))), **kwargs}
                if len(args) >= len(signature.parameters):
                    given["and more"] = args[-1]
            for name, value in given.items():
                annotation = str(signature.parameters[name].annotation) if name in signature.parameters else ""
                if isinstance(value, Tensor) and value.ndim and name not in weights and "Tensor" not in annotation:
                    refuse_inputs(type(self).__name__)
        # of names that there are: a guard tells the others
        for name, value in (*zip(places[1:], args), *kwargs.items()) if numbers and kwargs.keys() <= known else ():
            if name in numbers and value.__class__ is not float and not (value is None and numbers[name]):
                need_number(type(self).__name__, name, value)
        init(self, *args, **kwargs)
    return made


def need_number(who: str, name: str, value: Any) -> None:
    """A setting of a layer must be a real number; a tensor may hold one."""
    a = getattr(value, "_data", value)
    if not isinstance(value, Real) and not (isinstance(a, np.ndarray) and a.ndim == 0 and a.dtype.kind in "fiub"):
        raise DTypeError(who=who, expected=f"{name} as a number", got=repr(value))


def refuse_inputs(name: str) -> NoReturn:
    is_loss = name.endswith("Loss")
    hint = f"A loss is made first and called then: nn.{name}()(output, target)." if is_loss else \
        f"A layer is made first and called then: nn.{name}(...)(x)."
    raise DTypeError(who=name, expected="options", got="Tensor", hint=hint)


def own_parameters(model: Module) -> Iterator[Parameter]:
    """model.parameters(), without a look for layers that are missing there."""
    return (p for module in model.modules() for p in module._parameters.values() if p is not None)


def hidden_layers(model: Module) -> list[str]:
    """What to write where layers with parameters to train are in a plain list, set or dict, so that
    the model does not know them.
    """
    known, found = {id(module) for module in model.modules()}, []
    owned = {id(p) for p in own_parameters(model)}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, PLAIN) and name not in REGISTERS:
                inside = list(held(value))
                layers = [layer for layer in inside if isinstance(layer, Module) and id(layer) not in known]
                alone = [p for p in inside if isinstance(p, Parameter) and p.requires_grad and id(p) not in owned]
                if alone:
                    kind = "ParameterDict" if isinstance(value, dict) else "ParameterList"
                    found.append(f"{type(module).__name__}{f' ({path})' if path else ''}: the model does not know the "
                                 f"{len(alone)} parameters in the {type(value).__name__} self.{name}. Write "
                                 f"self.{name} = nn.{kind}(...).")
                if any(p.requires_grad for layer in layers for p in own_parameters(layer)):
                    kind = "ModuleDict" if isinstance(value, dict) else "ModuleList"
                    where = f"{type(module).__name__}{f' ({path})' if path else ''}"
                    found.append(f"{where}: the model does not know the {len(layers)} layers in the "
                                 f"{type(value).__name__} self.{name}. Write self.{name} = nn.{kind}(...).")
    return found


def _renamed(missing: list[str], unexpected: list[str], state: Mapping[str, Any]) -> str:
    """The hint where the keys that came are those that are missing under other names."""
    if not missing or not unexpected:
        return ""
    first = unexpected[0]
    prefix = first[:-len(missing[0])] if first.endswith("." + missing[0]) else ""
    if prefix and {prefix + key for key in missing} <= set(unexpected):
        by = ", as DataParallel writes them" if prefix == "module." else ""
        return (f"The keys begin with {prefix!r}{by}: "
                f"{{key.removeprefix({prefix!r}): value for key, value in state.items()}}.")
    inside = next((key for key in unexpected if isinstance(state[key], Mapping)), None)
    if inside is not None:
        return f"Is it in state[{inside!r}]?"
    from ..names import near
    close = near(missing[0], unexpected)
    return f"Is {close[0]!r} what is called {missing[0]!r} here?" if close else ""


def _holds(dtype: np.dtype, a: np.ndarray) -> bool:
    """Whether an integer dtype has all of these numbers; truth values are none."""
    with np.errstate(invalid="ignore"):
        return a.dtype.kind != "b" and bool((a.astype(dtype) == a).all())


# mypy calls it unsound to assign to __init__; the signature stays
Module.__init__ = without_inputs(Module.__init__)   # type: ignore[method-assign]
guard_methods(Module, "__init__", "add_module", "apply", "buffers", "get_submodule", "load_state_dict", "modules",
              "named_buffers", "named_modules", "named_parameters", "parameters", "register_buffer",
              "register_forward_hook", "register_forward_pre_hook", "register_parameter", "requires_grad_",
              "state_dict", "to", "train", "zero_grad")
Module.register_module = Module.add_module
