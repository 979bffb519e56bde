"""Containers: modules made of modules."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, overload

from ..errors import DTypeError
from ..guard import IndexMistake, NameMistake, guard_methods
from ..moved import moved_names
from ..tensor import Tensor
from .fusion import chain
from .module import POINTWISE, Module, Window

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Identity", "ModuleDict", "ModuleList", "Sequential"]


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

    def pop(self, index: int) -> Module:
        module = self[index]
        del self[index]
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
                what = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
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

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def forward(self, *inputs: Any) -> Any:
        raise DTypeError("a ModuleDict cannot be called: call its modules, `x = self.heads[name](x)`")

    def update(self, modules: Mapping[str, Module]) -> None:
        for name, module in modules.items():
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

    def pop(self, name: str) -> Module:
        module = self[name]
        del self[name]
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


guard_methods(_Listed, "__getitem__", "__setitem__", "__delitem__", "append", "extend", "insert", "pop")
guard_methods(ModuleDict, "__getitem__", "__setitem__", "__delitem__", "__contains__", "pop", "update")
moved_names(__name__)
