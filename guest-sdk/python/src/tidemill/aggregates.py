"""Aggregates of windows: a small accumulator per window instead of all its records.

:func:`count`, :func:`sum`, :func:`mean`, :func:`min` and :func:`max` are ready; derive from :class:`Aggregate` for others.
The names are those of built-in functions, so import the module: ``aggregates.mean(Reading.celsius)``.
"""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

from .record.cell import I32
from .record.declare import Field, field_of
from .record.spec import Spec, spec_of
from .schema import Type

T = TypeVar("T")
Acc = TypeVar("Acc")
R = TypeVar("R")
N = TypeVar("N", int, float)

__all__ = ["Aggregate", "count", "max", "mean", "min", "sum"]

_I64_MAX, _I64_RANGE = (1 << 63) - 1, 1 << 64


class Aggregate(Generic[T, Acc, R]):
    """How records of type ``T`` become an accumulator ``Acc``, and the accumulator a result ``R``.

    The accumulator is state, so it is a record itself, and it is never changed: ``add`` and ``merge`` return a new one.
    Adding must not depend on the order of records, and merging must give what adding all records to one accumulator
    would: the host merges sessions that grow together, and shares accumulators between sliding windows.
    """

    def start(self) -> Acc:
        """The accumulator of no records."""
        raise NotImplementedError

    def add(self, acc: Acc, record: T, /) -> Acc:
        """The accumulator with a record added."""
        raise NotImplementedError

    def merge(self, acc: Acc, other: Acc, /) -> Acc:
        """The accumulator with what another holds added."""
        raise NotImplementedError

    def finish(self, acc: Acc, /) -> R:
        """The result of an accumulator."""
        raise NotImplementedError


class FieldAggregate(Aggregate[Any, Any, Any]):
    """An aggregate of one field, which needs no record to be made: ``add`` is given the field's value."""

    def __init__(self, field: Field) -> None:
        self.field = field

    def spec(self, kind: Type) -> Spec[Any]:
        """The spec of the accumulator, for a field of this type."""
        raise NotImplementedError


def _number(field: object, what: str) -> Field:
    found = field_of(field)
    if found is None:
        raise TypeError(f"{what} is of a field such as Reading.celsius, not of {field!r}")
    return found


def wrapped(n: int) -> int:
    """Integers wrap around at 64 bits, as in every language of the contract."""
    return n if -_I64_MAX <= n <= _I64_MAX else (n + _I64_MAX + 1) % _I64_RANGE - _I64_MAX - 1


class _Count(Aggregate[Any, int, int]):
    def start(self) -> int:
        return 0

    def add(self, acc: int, record: Any) -> int:
        return acc + 1

    def merge(self, acc: int, other: int) -> int:
        return acc + other

    def finish(self, acc: int) -> int:
        return acc


class _Sum(FieldAggregate):
    _integer = True

    def spec(self, kind: Type) -> Spec[Any]:
        self._integer = kind is not Type.F64
        return spec_of(int if self._integer else float)

    def start(self) -> Any:
        return 0 if self._integer else 0.0

    def add(self, acc: Any, record: Any) -> Any:
        return wrapped(acc + record) if self._integer else acc + record

    def merge(self, acc: Any, other: Any) -> Any:
        return self.add(acc, other)

    def finish(self, acc: Any) -> Any:
        return acc


class _Mean(FieldAggregate):
    def spec(self, kind: Type) -> Spec[Any]:
        return spec_of(tuple[float, int])

    def start(self) -> tuple[float, int]:
        return 0.0, 0

    def add(self, acc: tuple[float, int], record: float) -> tuple[float, int]:
        return acc[0] + record, acc[1] + 1

    def merge(self, acc: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
        return acc[0] + other[0], acc[1] + other[1]

    def finish(self, acc: tuple[float, int]) -> float:
        return acc[0] / acc[1]


class _Extreme(FieldAggregate):
    _start: Any = None

    def __init__(self, field: Field, greatest: bool) -> None:
        super().__init__(field)
        self._greatest = greatest

    def spec(self, kind: Type) -> Spec[Any]:
        bits = 32 if kind is Type.I32 else 64
        if kind is Type.F64:
            self._start = -math.inf if self._greatest else math.inf
        else:
            self._start = -(1 << bits - 1) if self._greatest else (1 << bits - 1) - 1
        return spec_of({Type.F64: float, Type.I32: I32}.get(kind, int))

    def start(self) -> Any:
        return self._start

    def add(self, acc: Any, record: Any) -> Any:
        better = record > acc if self._greatest else record < acc
        return record if better else acc

    def merge(self, acc: Any, other: Any) -> Any:
        return self.add(acc, other)

    def finish(self, acc: Any) -> Any:
        return acc


def count() -> Aggregate[Any, int, int]:
    """The number of records."""
    return _Count()


def sum(field: N) -> Aggregate[Any, N, N]:
    """The sum of a field."""
    return _Sum(_number(field, "a sum"))


def mean(field: float) -> Aggregate[Any, tuple[float, int], float]:
    """The arithmetic mean of a field."""
    return _Mean(_number(field, "a mean"))


def min(field: N) -> Aggregate[Any, N, N]:
    """The least value of a field."""
    return _Extreme(_number(field, "a minimum"), greatest=False)


def max(field: N) -> Aggregate[Any, N, N]:
    """The greatest value of a field."""
    return _Extreme(_number(field, "a maximum"), greatest=True)
