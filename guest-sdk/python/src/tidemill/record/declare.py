"""``@record``: a class with annotated fields becomes a record."""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast, dataclass_transform, get_type_hints, overload

from ..schema import Column
from .cell import name_in
from .spec import Misfit, RecordSpec, Spec, remember, scalar_of

T = TypeVar("T")
Rename = Literal["camelCase", "PascalCase", "kebab-case", "SCREAMING_SNAKE_CASE"]

_LEGAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@dataclass(frozen=True)
class Field:
    """A field of a record class: what ``Reading.sensor`` is at run time."""

    owner: type
    index: int
    name: str

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"


_FIELDS: dict[Any, Field] = {}


def field_of(value: object) -> Field | None:
    """The field that ``Reading.sensor`` names; ``None`` for anything else."""
    try:
        return _FIELDS.get(value)
    except TypeError:
        return None


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, rename: Rename | None = None) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True)
def record(cls: type[T] | None = None, /, *, rename: Rename | None = None) -> Any:
    """Makes a record of a class with annotated fields.

    Records are immutable and compared by value; :func:`replace` makes a changed copy. A field's column has the field's
    name, unless ``Annotated[..., Name("other")]`` or ``rename`` says otherwise. On the class, ``Reading.sensor`` names the
    field, for ``key_by`` and the like.

    >>> @record
    ... class Reading:
    ...     sensor: str
    ...     celsius: float
    ...     at: int
    >>> Reading("cellar", 12.5, 0)
    Reading(sensor='cellar', celsius=12.5, at=0)
    """
    names = sys._getframe(1).f_locals

    def decorate(cls: type[T]) -> type[T]:
        made, hints = declare(cls, names)
        columns = [_column(cls, name, annotation, rename) for name, annotation in hints.items()]
        for i, (column, _) in enumerate(columns):
            if any(column.name == earlier.name for earlier, _ in columns[:i]):
                raise Misfit(f"record {cls.__qualname__}: two fields have the column name {column.name!r}")
        remember(made, RecordSpec(made, [spec for _, spec in columns], [column for column, _ in columns]))
        return made

    return decorate if cls is None else decorate(cls)


def replace(record: T, /, **changes: Any) -> T:
    """A copy of a record with some fields changed."""
    return cast("T", cast("Any", record)._replace(**changes))


def declare(cls: type[T], names: dict[str, Any]) -> tuple[type[T], dict[str, Any]]:
    """The tuple class of a class with annotated fields, and the annotations.

    Raises:
        Misfit: the class is none that a record can be made of.
    """
    shown = f"record {cls.__qualname__}"
    if any(base not in (object, Generic) for base in cls.__bases__):
        raise Misfit(f"{shown} has a base class: a record stands alone, its columns are fixed in the plan")
    try:
        hints = get_type_hints(cls, localns=dict(names), include_extras=True)
    except NameError as error:
        raise Misfit(f"{shown}: {error}; types of fields are known where the class stands") from None
    if not hints:
        raise Misfit(f"{shown} has no field: annotate at least one, as in `sensor: str`")
    defaults = [name for name in hints if name in vars(cls)]
    if list(hints)[len(hints) - len(defaults) :] != defaults:
        raise Misfit(f"{shown}: a field without a default stands behind {defaults[0]!r}, which has one")
    try:
        values: Any = [vars(cls)[name] for name in defaults]
        base: Any = collections.namedtuple(cls.__name__, list(hints), defaults=values, module=cls.__module__)  # type: ignore[misc]
    except ValueError as error:
        raise Misfit(f"{shown}: {error}") from None
    namespace = {key: value for key, value in vars(cls).items() if key not in hints and key not in ("__dict__", "__weakref__")}
    if "__eq__" not in namespace:
        namespace["__eq__"], namespace["__ne__"] = _equal, _unequal
    namespace.setdefault("__hash__", tuple.__hash__)
    namespace["__slots__"] = ()
    generic: Any = (Generic,) if Generic in cls.__bases__ else ()
    made = cast("type[T]", type(cls.__name__, (base, *generic), namespace))
    for index, name in enumerate(hints):
        _FIELDS[getattr(made, name)] = Field(made, index, name)
    return made, hints


def _equal(self: tuple[Any, ...], other: object) -> bool:
    """Records of two types are not equal, whatever they hold."""
    return self.__class__ is other.__class__ and tuple.__eq__(self, other)


def _unequal(self: tuple[Any, ...], other: object) -> bool:
    """A tuple has an inequality of its own."""
    return not _equal(self, other)


def _column(cls: type, name: str, annotation: Any, rename: Rename | None) -> tuple[Column, Spec[Any]]:
    spec = scalar_of(annotation, f"record {cls.__qualname__}")
    column = name_in(annotation)
    if column is None:
        column = name if rename is None else _cased(name, rename)
    elif not column or not _LEGAL.issuperset(column):
        raise Misfit(f"record {cls.__qualname__}: a column's name may only hold letters, digits, `_`, `.` and `-`, not {column!r}")
    return spec.named(column)[0], spec


def _cased(snake: str, rename: Rename) -> str:
    words = [word for word in snake.split("_") if word]
    if rename == "kebab-case":
        return snake.replace("_", "-")
    if rename == "SCREAMING_SNAKE_CASE":
        return snake.upper()
    capitalised = [word[:1].upper() + word[1:] for word in words]
    if rename == "PascalCase":
        return "".join(capitalised)
    if rename == "camelCase":
        return "".join(words[:1] + capitalised[1:])
    raise Misfit(f"rename is camelCase, PascalCase, kebab-case or SCREAMING_SNAKE_CASE, not {rename!r}")
