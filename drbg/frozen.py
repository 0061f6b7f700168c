"""Frozen classes that are cheap to define: parameter sets and results needed for a first token or assessment.

They behave like ``attrs.frozen(kw_only=True)``, which the rest of the package uses. But attrs takes longer to import
than everything else that a token needs, and compiles an ``__init__`` for every class, a millisecond for each. Here all
classes share their methods, and nothing is compiled.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self, dataclass_transform

__all__ = ["Frozen"]


class _AttrsView:
    """What attrs' functions (``fields``, ``evolve``, ``asdict``) look for in a class, made when one of them asks."""

    def __get__(self, instance: object, owner: type[Frozen]) -> Any:
        import attrs  # noqa: PLC0415 - the reason for this module

        defaults = owner._defaults
        made = {name: attrs.field(default=defaults.get(name, attrs.NOTHING)) for name in owner._fields}
        return attrs.fields(attrs.make_class(owner.__name__, made, kw_only=True))


def _frozen_error() -> AttributeError:
    """Return attrs' own error, or its base class AttributeError where attrs is not installed."""
    try:
        from attrs.exceptions import FrozenInstanceError  # noqa: PLC0415 - only on an error
    except ModuleNotFoundError:
        return AttributeError("can't set attribute")
    return FrozenInstanceError()


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _FrozenType(type):
    """Makes a slot for each annotated name, after those of the base class, and keeps its default."""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _FrozenType:
        own = tuple(namespace.get("__annotations__", ()))
        inherited: tuple[str, ...] = getattr(bases[0], "_fields", ()) if bases else ()
        defaults = {field: namespace.pop(field) for field in own if field in namespace}
        slots = (*namespace.get("__slots__", ()), *(field for field in own if field not in inherited))
        made = super().__new__(mcs, name, bases, {**namespace, "__slots__": slots})
        made._fields = (*(field for field in inherited if field not in own), *own)
        made._defaults = {**getattr(made, "_defaults", {}), **defaults}
        return made

    @property
    def __signature__(cls) -> Any:
        """The signature that :func:`help` and editors show."""
        import inspect  # noqa: PLC0415 - for people, not for tokens

        kind, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
        return inspect.Signature(
            [inspect.Parameter(field, kind, default=cls._defaults.get(field, empty)) for field in cls._fields]
        )


class Frozen(metaclass=_FrozenType):
    """Base of classes whose annotated names are keyword-only parameters and read-only attributes.

    Two objects are equal if their classes are the same and all their attributes are equal. Hash, ``repr`` and pickle
    use the attributes, too. A subclass checks its values in ``_check``. Its module must import ``annotations`` from
    ``__future__``, as all modules of this package do.

    Raises
    ------
    TypeError
        If a parameter without a default is missing, or a parameter is unknown.
    AttributeError
        If an attribute is set or deleted (``attrs.exceptions.FrozenInstanceError``).

    Examples
    --------
    >>> class Interval(Frozen):
    ...     low: int = 0
    ...     high: int
    >>> Interval(high=3)
    Interval(low=0, high=3)
    >>> Interval(high=3).replace(low=1)
    Interval(low=1, high=3)
    """

    __slots__ = ("__weakref__",)
    __attrs_attrs__ = _AttrsView()

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        for field in cls._fields:
            if field in values:
                object.__setattr__(self, field, values.pop(field))
            elif field in cls._defaults:
                object.__setattr__(self, field, cls._defaults[field])
            else:
                raise TypeError(f"{cls.__name__}() misses the keyword-only argument {field!r}")
        if values:
            raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {next(iter(values))!r}")
        self._check()

    def _check(self) -> None:
        """Raise if the values are not possible, alone or together."""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed; the copy is checked like a new object."""
        return type(self)(**self._values() | changes)

    __replace__ = replace  # copy.replace, Python 3.13

    def _values(self) -> dict[str, Any]:
        """Return the attributes by name, in the order of the class; their values are not converted."""
        return {field: getattr(self, field) for field in type(self)._fields}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise _frozen_error()

    def __delattr__(self, name: str) -> NoReturn:
        raise _frozen_error()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in type(self)._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field) for field in type(self)._fields)))

    def __repr__(self) -> str:
        values = ", ".join(f"{field}={getattr(self, field)!r}" for field in type(self)._fields)
        return f"{type(self).__qualname__.rpartition('>.')[2]}({values})"

    def __getstate__(self) -> dict[str, Any]:
        return self._values()

    def __setstate__(self, state: dict[str, Any]) -> None:
        for field, value in state.items():
            object.__setattr__(self, field, value)
