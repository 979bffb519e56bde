"""Containers: modules made of modules, or of parameters."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, overload

from ..errors import DTypeError
from ..guard import IndexMistake, NameMistake, guard_methods
from ..moved import moved_names
from ..parameters import is_lazy
from ..tensor import Parameter, Tensor
from .fusion import chain
from .module import POINTWISE, Module, Window

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Identity", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class Identity(Module):
    """y = x; takes and ignores any arguments. Holds the place of a layer that is left out.

    >>> import fastnn as nn
    >>> nn.Identity(54, unused=True)(nn.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input

    def receptive_window(self) -> Window:
        return POINTWISE


class _Listed(Module):
    """Children under the names "0", "1", ..., with the methods of a list."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(list(self.children()))

    def _key(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexMistake(f"of {len(self)} modules there is no number {index}", who=type(self).__name__)
        return list(self._modules)[index]

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._from(list(self._modules.items())[index])
        return self._modules[self._key(index)]

    def _from(self, items: list[tuple[str, Module | None]]) -> Self:
        raise NotImplementedError(type(self).__name__)

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._key(index), module)

    def __delitem__(self, index: int) -> None:
        self._renumber([m for key, m in self._modules.items() if key != self._key(index)])

    def _renumber(self, modules: Iterable[Module | None]) -> None:
        """These children instead of those that there are."""
        for name in list(self._modules):
            self._disown(self._modules, name)
        for i, module in enumerate(modules):
            self._own(self._modules, str(i), module)

    def append(self, module: Module) -> Self:
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        for module in modules:
            self.append(module)
        return self

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def pop(self, key: int) -> Module:
        module = self[key]
        del self[key]
        return module

    def insert(self, index: int, module: Module) -> Self:
        if not isinstance(module, Module):
            raise DTypeError(f"it holds modules, not a {type(module).__name__}", who=type(self).__name__)
        kept = list(self._modules.values())
        kept.insert(index, module)
        self._renumber(kept)
        return self


class Sequential(_Listed):
    """y = f_n(... f_2(f_1(x))). From modules, or from one dict of named modules.

    Runs them as `nn.chain` does: Linear, Conv2d or a batch norm and the ReLU after it in one pass,
    unless hooks on one of the two want to see what lies between. The result, gradients and errors
    are the same.

    >>> import fastnn as nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
      (2): Linear(in_features=3, out_features=1, bias=True)
    )
    >>> len(model[:2])
    2
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = list(modules[0].items())
        else:
            named = [(str(i), module) for i, module in enumerate(modules)]
        for name, module in named:
            if not isinstance(module, Module):
                kind = "class" if isinstance(module, type) else "function"
                called = getattr(module, "__name__", None)
                what = f"the {kind} {called}" if called else f"a {type(module).__name__}"
                raise DTypeError(f"it holds modules; number {name} is {what}", who="Sequential",
                                 hint="Give them one by one: nn.Sequential(*layers)."
                                 if isinstance(module, (list, tuple)) else f"Write {module.__name__}()."
                                 if isinstance(module, type) else "Did you mean a layer, like nn.ReLU()?")
            self.add_module(name, module)

    def _from(self, items: list[tuple[str, Module | None]]) -> Sequential:
        return Sequential(dict(items))

    def forward(self, input: Any) -> Tensor:
        # a Sequential holds no None, which a Module may
        return chain(input, *self._modules.values())        # type: ignore[arg-type]


class ModuleList(_Listed):
    """A list whose modules belong to the model, unlike a plain list's. It cannot be called: loop
    over it.

    >>> import fastnn as nn
    >>> layers = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 1)])
    >>> len(layers), list(layers.state_dict())
    (2, ['0.weight', '0.bias', '1.weight', '1.bias'])
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def _from(self, items: list[tuple[str, Module | None]]) -> ModuleList:
        return ModuleList([m for _, m in items if m is not None])

    def forward(self, *inputs: Any) -> Any:
        raise DTypeError("a ModuleList cannot be called: call its modules one by one, "
                         "`for layer in self.layers: x = layer(x)`")


class ModuleDict(Module):
    """A dict whose modules belong to the model. It cannot be called: call its modules.

    >>> import fastnn as nn
    >>> heads = nn.ModuleDict({"age": nn.Linear(8, 1), "city": nn.Linear(8, 50)})
    >>> heads["city"](nn.zeros(4, 8)).shape
    (4, 50)
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def forward(self, *inputs: Any) -> Any:
        raise DTypeError("a ModuleDict cannot be called: call its modules, `x = self.heads[name](x)`")

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        given: Any = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else list(modules)
        if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in given):
            raise DTypeError(who="ModuleDict", expected="a dict of modules, or pairs (name, module)",
                             got=[type(pair).__name__ for pair in given])
        for name, module in given:
            self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        module = self._modules.get(name)
        if module is None:
            raise NameMistake(f"there is no module {name!r}, only {', '.join(self) or 'none'}", who="ModuleDict")
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        _ = self[name]
        self._disown(self._modules, name)

    def pop(self, key: str) -> Module:
        module = self[key]
        del self[key]
        return module

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def keys(self) -> KeysView[str]:
        return self._modules.keys()

    def values(self) -> ValuesView[Module | None]:
        return self._modules.values()

    def items(self) -> ItemsView[str, Module | None]:
        return self._modules.items()


class ParameterList(Module):
    """A list whose parameters belong to the model, unlike a plain list's. Tensors become
    parameters.

    >>> import fastnn as nn
    >>> steps = nn.ParameterList([nn.zeros(2), nn.ones(3)])
    >>> len(steps), list(steps.state_dict()), steps[-1].shape
    (2, ['0', '1'], (3,))
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def forward(self, *inputs: Any) -> Any:
        raise DTypeError("a ParameterList cannot be called: use its parameters one by one, "
                         "`for p in self.weights: x = x @ p`")

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter([p for p in self._parameters.values() if p is not None])

    def _key(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexMistake(f"of {len(self)} parameters there is no number {index}", who="ParameterList")
        return list(self._parameters)[index]

    @overload
    def __getitem__(self, index: int) -> Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return self._parameters[self._key(index)]

    def __setitem__(self, index: int, value: Tensor) -> None:
        self.register_parameter(self._key(index), as_parameter("ParameterList", value))

    def append(self, value: Tensor) -> Self:
        self.register_parameter(str(len(self)), as_parameter("ParameterList", value))
        return self

    def extend(self, values: Iterable[Tensor]) -> Self:
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Tensor]) -> Self:
        return self.extend(values)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {shown(p)}" for name, p in self._parameters.items())


class ParameterDict(Module):
    """A dict whose parameters belong to the model. Tensors become parameters.

    >>> import fastnn as nn
    >>> scales = nn.ParameterDict({"left": nn.ones(2), "right": nn.zeros(2)})
    >>> sorted(scales), scales["left"].requires_grad
    (['left', 'right'], True)
    """

    def __init__(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None) -> None:
        super().__init__()
        self.update(parameters or {})

    def forward(self, *inputs: Any) -> Any:
        raise DTypeError("a ParameterDict cannot be called: use its parameters, `x * self.scales[name]`")

    def update(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> None:
        for name, value in dict(parameters).items():
            self[name] = value

    def __getitem__(self, name: str) -> Parameter:
        p = self._parameters.get(name)
        if p is None:
            raise NameMistake(f"there is no parameter {name!r}, only {', '.join(self) or 'none'}", who="ParameterDict")
        return p

    def __setitem__(self, name: str, value: Tensor) -> None:
        self.register_parameter(name, as_parameter("ParameterDict", value))

    def __delitem__(self, name: str) -> None:
        _ = self[name]
        self._disown(self._parameters, name)

    def pop(self, key: str) -> Parameter:
        p = self[key]
        del self[key]
        return p

    def get(self, key: str, default: Any = None) -> Any:
        return self._parameters.get(key, default)

    def setdefault(self, key: str, default: Tensor) -> Parameter:
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def keys(self) -> KeysView[str]:
        return self._parameters.keys()

    def values(self) -> ValuesView[Parameter | None]:
        return self._parameters.values()

    def items(self) -> ItemsView[str, Parameter | None]:
        return self._parameters.items()

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {shown(p)}" for name, p in self._parameters.items())


def as_parameter(who: str, value: Any) -> Parameter:
    """The parameter, or one made of a tensor."""
    if not isinstance(value, Tensor):
        raise DTypeError(who=who, expected="parameters or tensors", got=type(value).__name__)
    return value if isinstance(value, Parameter) else Parameter(value)


def shown(p: Parameter | None) -> str:
    """A parameter in a repr: its type and shape."""
    return repr(p) if p is None or is_lazy(p) else f"{p.dtype}{list(p.shape)}"


guard_methods(ParameterList, "__getitem__", "__setitem__", "append", "extend")
guard_methods(ParameterDict, "__getitem__", "__setitem__", "__delitem__", "__contains__", "pop", "update")
guard_methods(_Listed, "__getitem__", "__setitem__", "__delitem__", "append", "extend", "insert", "pop")
guard_methods(ModuleDict, "__getitem__", "__setitem__", "__delitem__", "__contains__", "pop", "update")
moved_names(__name__)
