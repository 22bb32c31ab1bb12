"""Specs: how records of one type become columns and back.

A spec works on all records of a block at once. :func:`spec_of` finds the one of a type.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin

from ..block import Block, ColumnError, encode
from ..error import Error
from ..schema import Column, Schema
from .cell import CHOICES, Cell, cell_of

T = TypeVar("T")
TUPLE_MAX = 8


class Misfit(Error, TypeError):
    """A type is no record, or a value is none of its type."""

    def __init__(self, what: str, row: int = 0) -> None:
        super().__init__(what)
        self.row = row


class Spec(Generic[T]):
    """How records of one type become columns and back."""

    columns: tuple[Column, ...]
    """The columns as the type names them."""
    shown: str
    """The type in messages."""
    mutable = False
    """Whether a record can be changed: where a field holds a list or what JSON decodes to."""

    def make(self, columns: Sequence[list[Any]], rows: int) -> list[T]:
        """The records of decoded columns."""
        raise NotImplementedError

    def split(self, records: Sequence[T]) -> list[Sequence[Any]]:
        """The columns of records.

        Raises:
            Misfit: one of them is of another type.
        """
        raise NotImplementedError

    def accepts(self, value: object) -> bool:
        """Whether a value is of this type, its fields not looked at."""
        raise NotImplementedError

    def named(self, name: str) -> tuple[Column, ...]:
        """The columns where a record is one field of another: a single column takes the field's name."""
        return self.columns if len(self.columns) != 1 else (_renamed(self.columns[0], name),)

    @property
    def schema(self) -> Schema:
        """The columns as a schema."""
        return Schema(self.columns)

    def encode(self, schema_id: int, times: Sequence[int], records: Sequence[T], *, optional: bool = False) -> bytes:
        """A block of records.

        Raises:
            Misfit: a record or a field of one is of another type.
        """
        cells = [(column.type, optional or column.optional) for column in self.columns]
        try:
            return encode(schema_id, times, cells, self.split(records))
        except ColumnError as error:
            record = records[error.row]
            raise Misfit(f"field {self.columns[error.column].name!r} of {record!r}: {error.what}", error.row) from None

    def decode(self, data: bytes) -> list[T]:
        """The records of a block that the host did not check."""
        block = Block(data)
        block.check(self.columns)
        return self.make(block.read(self.columns), block.rows)

    def read(self, block: Block) -> list[T]:
        """The records of a block that begins with this type's columns."""
        return self.make(block.read(self.columns), block.rows)


def _renamed(column: Column, name: str) -> Column:
    return Column(name, column.type, column.optional)


def _refuse(records: Sequence[Any], accepts: Callable[[object], bool], shown: str) -> Misfit:
    row = next((row for row, record in enumerate(records) if not accepts(record)), 0)
    return Misfit(f"{records[row]!r} is no {shown}", row)


class ScalarSpec(Spec[T]):
    """A single value as a record of one column."""

    def __init__(self, cell: Cell, shown: str, python: Any) -> None:
        self.columns = (Column(cell.alone, cell.type, cell.optional),)
        self.shown = shown
        self.cell = cell
        self._types: tuple[type, ...] = _types_of(python)
        self.mutable = cell.codec is not None

    def make(self, columns: Sequence[list[Any]], rows: int) -> list[T]:
        codec = self.cell.codec
        if codec is None:
            return columns[0]
        return cast("list[T]", [None if value is None else codec.decode(value) for value in columns[0]])

    def split(self, records: Sequence[T]) -> list[Sequence[Any]]:
        codec = self.cell.codec
        if codec is None:
            return [records]
        encoded: list[Any] = []
        try:
            for value in records:
                encoded.append(None if value is None else codec.encode(value))
        except (TypeError, ValueError) as error:
            row = len(encoded)
            raise Misfit(f"{records[row]!r} cannot be encoded as {self.shown}: {error}", row) from None
        return [encoded]

    def accepts(self, value: object) -> bool:
        if value is None:
            return self.cell.optional
        return isinstance(value, self._types) if self._types else True


def _types_of(python: Any) -> tuple[type, ...]:
    """The classes whose instances a scalar may be; none where anything may."""
    if get_origin(python) is Annotated:
        inner, *marks = get_args(python)
        return () if any(type(mark).__name__ == "_JsonMarker" for mark in marks) else _types_of(inner)
    if get_origin(python) is list:
        return (list, tuple)
    rest = [part for part in get_args(python) if part is not types.NoneType]
    if rest:
        return _types_of(rest[0])
    return {float: (float, int), bytes: (bytes, bytearray, memoryview)}.get(python, (python,))


class _Parts(Spec[T]):
    """Records that are put together of parts, each with a spec of its own."""

    def __init__(self, parts: Sequence[Spec[Any]], columns: Iterable[Column], shown: str) -> None:
        self.parts = tuple(parts)
        self.columns = tuple(columns)
        self.shown = shown
        self.mutable = any(part.mutable for part in parts)
        self._plain = all(isinstance(part, ScalarSpec) and part.cell.codec is None for part in parts)

    def _tuples(self, columns: Sequence[list[Any]], rows: int) -> Iterable[tuple[Any, ...]]:
        if not self._plain:
            taken, at = [], 0
            for part in self.parts:
                width = len(part.columns)
                taken.append(part.make(columns[at : at + width], rows))
                at += width
            columns = taken
        return zip(*columns) if columns else repeat((), rows)

    def _columns(self, records: Sequence[Any]) -> list[Sequence[Any]]:
        if not records:
            return [[] for _ in self.columns]
        parts = list(zip(*records))
        if self._plain:
            return cast("list[Sequence[Any]]", parts)
        columns: list[Sequence[Any]] = []
        for part, values in zip(self.parts, parts):
            columns.extend(part.split(values))
        return columns


class RecordSpec(_Parts[T]):
    """A class under ``@record``."""

    def __init__(self, cls: type[T], parts: Sequence[Spec[Any]], columns: Iterable[Column]) -> None:
        super().__init__(parts, columns, f"`{cls.__qualname__}`")
        self.cls = cls

    def make(self, columns: Sequence[list[Any]], rows: int) -> list[T]:
        # What `cls._make` does, without a call of Python code per record.
        return list(map(tuple.__new__, repeat(self.cls), self._tuples(columns, rows)))  # type: ignore[arg-type]

    def split(self, records: Sequence[T]) -> list[Sequence[Any]]:
        if set(map(type, records)) - {self.cls}:
            raise _refuse(records, self.accepts, self.shown)
        return self._columns(records)

    def accepts(self, value: object) -> bool:
        return type(value) is self.cls


class TupleSpec(_Parts[T]):
    """A tuple of fields ``f0`` to ``f7``. The empty tuple has no column and is the key of what has no key."""

    def __init__(self, parts: Sequence[Spec[Any]], shown: str, columns: Iterable[Column] | None = None) -> None:
        named = [column for i, part in enumerate(parts) for column in part.named(f"f{i}")]
        super().__init__(parts, named if columns is None else columns, shown)

    def make(self, columns: Sequence[list[Any]], rows: int) -> list[T]:
        return cast("list[T]", list(self._tuples(columns, rows)))

    def split(self, records: Sequence[T]) -> list[Sequence[Any]]:
        if set(map(type, records)) - {tuple} or set(map(len, cast("Sequence[Any]", records))) - {len(self.parts)}:
            raise _refuse(records, self.accepts, self.shown)
        return self._columns(records)

    def accepts(self, value: object) -> bool:
        return type(value) is tuple and len(value) == len(self.parts)


class MaybeSpec(Spec[Any]):
    """A record that may be absent, such as a side of a join that is not required: it is absent where all of its columns are.

    So a record whose every field is an optional, all of them ``None``, cannot be told from none.
    """

    def __init__(self, part: Spec[Any]) -> None:
        self.part = part
        self.columns = tuple(Column(column.name, column.type, True) for column in part.columns)
        self.shown = f"`{part.shown.strip('`')} | None`"
        self.mutable = part.mutable

    def make(self, columns: Sequence[list[Any]], rows: int) -> list[Any]:
        present = [row for row in range(rows) if any(column[row] is not None for column in columns)]
        if len(present) == rows:
            return self.part.make(columns, rows)
        records: list[Any] = [None] * rows
        made = self.part.make([[column[row] for row in present] for column in columns], len(present))
        for row, record in zip(present, made):
            records[row] = record
        return records

    def split(self, records: Sequence[Any]) -> list[Sequence[Any]]:
        present = [row for row, record in enumerate(records) if record is not None]
        if len(present) == len(records):
            return self.part.split(records)
        try:
            parts = self.part.split([records[row] for row in present])
        except Misfit as error:
            raise Misfit(str(error), present[error.row]) from None
        columns: list[Sequence[Any]] = []
        for values in parts:
            column: list[Any] = [None] * len(records)
            for row, value in zip(present, values):
                column[row] = value
            columns.append(column)
        return columns

    def accepts(self, value: object) -> bool:
        return value is None or self.part.accepts(value)


def pair_of(first: Spec[Any], second: Spec[Any]) -> TupleSpec[Any]:
    """The spec of a record and what stands behind it, as a tuple of two."""
    return TupleSpec((first, second), f"({first.shown}, {second.shown})", (*first.columns, *second.columns))


EMPTY: TupleSpec[tuple[()]] = TupleSpec((), "`()`")
"""The record without columns."""

_SPECS: dict[Any, Spec[Any]] = {type(None): EMPTY, None: EMPTY}


def remember(cls: type, spec: Spec[Any]) -> None:
    """Makes :func:`spec_of` know a class."""
    _SPECS[cls] = spec


def spec_of(python: Any) -> Spec[Any]:
    """The spec of a type.

    Raises:
        Misfit: it is no record.
    """
    try:
        known = _SPECS.get(python)
    except TypeError:
        known = None
    if known is not None:
        return known
    spec = _find(python)
    _SPECS[python] = spec
    return spec


def _find(python: Any) -> Spec[Any]:
    shown = f"`{type_name(python)}`"
    if get_origin(python) is tuple:
        arguments = get_args(python)
        if arguments == ((),):
            arguments = ()
        if len(arguments) > TUPLE_MAX or Ellipsis in arguments:
            raise Misfit(
                f"{shown} is not a record: a tuple has up to {TUPLE_MAX} fields; name more of them in a class under @record"
            )
        return _tuple_of(arguments, shown) if arguments else EMPTY
    origin = get_origin(python)
    parametrised = getattr(origin, "__tidemill_parametrised__", None)
    if parametrised is not None:
        return cast("Spec[Any]", parametrised(get_args(python)))
    return scalar_of(python, None)


def _tuple_of(arguments: Sequence[Any], shown: str) -> TupleSpec[Any]:
    """Fields, and records whose columns stand there with the name of the field in front."""
    parts: list[Spec[Any]] = []
    columns: list[Column] = []
    for i, argument in enumerate(arguments):
        record = _record_in(argument)
        part = record or scalar_of(argument, shown)
        parts.append(part)
        columns.extend(prefixed(f"f{i}", part.columns) if record else part.named(f"f{i}"))
    return TupleSpec(parts, shown, columns)


def _record_in(python: Any) -> Spec[Any] | None:
    """The spec of a class under ``@record``, or of an optional of one."""
    if get_origin(python) in (Union, types.UnionType):
        rest = [part for part in get_args(python) if part is not types.NoneType]
        record = _record_in(rest[0]) if len(rest) == 1 else None
        return None if record is None else MaybeSpec(record)
    known = _SPECS.get(python) if isinstance(python, type) else None
    return known if isinstance(known, RecordSpec) else None


def prefixed(name: str, columns: Iterable[Column]) -> list[Column]:
    """Columns of a record that is a part of another."""
    return [Column(f"{name}.{column.name}", column.type, column.optional) for column in columns]


def scalar_of(python: Any, inside: str | None) -> ScalarSpec[Any]:
    """The spec of a column type.

    Raises:
        Misfit: it is none.
    """
    cell = cell_of(python)
    shown = f"`{type_name(python)}`"
    if cell is None and inside is None:
        raise Misfit(
            f"{shown} is not a record: put @record on the class;"
            f" single values and tuples of up to {TUPLE_MAX} fields are records too"
        )
    if cell is None:
        raise Misfit(f"{shown} cannot be a field of {inside}: {CHOICES}")
    return ScalarSpec(cell, shown, python)


def type_name(python: Any) -> str:
    """A type as it stands in the source."""
    if get_origin(python) is Annotated:
        inner, *marks = get_args(python)
        label = type(marks[0]).__name__.strip("_").removesuffix("Marker")
        return {"Json": f"Json[{type_name(inner)}]", "I32": "I32"}.get(label, type_name(inner))
    if isinstance(python, type) and get_origin(python) is None:
        return python.__qualname__
    return str(python).replace("typing.", "")
