"""State that folds what is added to it: Flink's reducing and aggregating state.

How it folds is said beside its type::

    class Warmest(Process[str, Reading, Reading]):
        warmest: ReducingState[Reading] = ReducingState(lambda a, b: a if a.celsius >= b.celsius else b)
        mean: AggregatingState[Reading, float] = AggregatingState(aggregates.mean(Reading.celsius))

        def on_record(self, ctx: Ctx[str, Reading], reading: Reading) -> None:
            self.warmest.add(reading)
            self.mean.add(reading)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, get_args, get_origin

from .aggregates import Aggregate, FieldAggregate
from .error import JobError
from .record.spec import Misfit, Spec, spec_of
from .runtime.slots import Touched
from .schema import Column, Type
from .state import Piece, Value

T = TypeVar("T")
R = TypeVar("R")

__all__ = ["AggregatingState", "ReducingState"]


class Folding(Piece):
    """What both kinds have: a value per key."""

    __slots__ = ("_value",)

    _value: Value[Any]

    def attached(self, name: str, types: tuple[Any, ...], touched: Touched) -> Self:
        """The same as a piece of this name and types."""
        piece = type(self).__new__(type(self))
        piece._name = name
        piece._touched = touched
        piece._value = Value.declared(name, (self._spec(types, piece),), touched)
        piece._table = piece._value.table
        return piece

    def _spec(self, types: tuple[Any, ...], piece: Any) -> Spec[Any]:
        """The spec of what is kept, and makes ``piece`` know how it folds."""
        raise NotImplementedError

    def clear(self) -> None:
        """Begins anew."""
        self._value.clear()


class ReducingState(Folding, Generic[T]):
    """A record per key, to which others are added by a function: its first argument is what there is, its second what comes."""

    __slots__ = ("_reduce",)

    def __init__(self, reduce: Callable[[T, T], T]) -> None:
        if not callable(reduce):
            raise JobError(f"ReducingState takes a function of two records, not {reduce!r}")
        self._reduce = reduce

    def _spec(self, types: tuple[Any, ...], piece: ReducingState[T]) -> Spec[Any]:
        piece._reduce = self._reduce
        return spec_of(types[0])

    def add(self, record: T) -> None:
        """Adds a record; the first is kept as it is."""
        before = self._value.get()
        self._value.set(record if before is None else self._reduce(before, record))

    def get(self) -> T | None:
        """What all records added so far come to, if there was one."""
        so_far: T | None = self._value.get()
        return so_far


class AggregatingState(Folding, Generic[T, R]):
    """An accumulator per key: an aggregate outside of windows, of records ``T`` and with a result ``R``."""

    __slots__ = ("_aggregate", "_field")

    _field: str | None

    def __init__(self, aggregate: Aggregate[T, Any, R]) -> None:
        if not isinstance(aggregate, Aggregate):
            raise JobError(f"AggregatingState takes an aggregate such as aggregates.count(), not {aggregate!r}")
        self._aggregate: Aggregate[Any, Any, Any] = aggregate

    def _spec(self, types: tuple[Any, ...], piece: AggregatingState[T, R]) -> Spec[Any]:
        piece._aggregate, piece._field = self._aggregate, None
        spec_of(types[0])
        if not isinstance(self._aggregate, FieldAggregate):
            return spec_of(accumulator_of(self._aggregate))
        field = self._aggregate.field
        if field.owner is not types[0]:
            raise Misfit(f"{field} is no field of `{types[0].__qualname__}`")
        piece._field = field.name
        return self._aggregate.spec(numeric(spec_of(field.owner).columns[field.index]).type)

    def add(self, record: T) -> None:
        """Adds a record."""
        acc = self._value.get()
        item = record if self._field is None else getattr(record, self._field)
        self._value.set(self._aggregate.add(self._aggregate.start() if acc is None else acc, item))

    def get(self) -> R | None:
        """The result of all records added so far, if there was one."""
        acc = self._value.get()
        result: R | None = None if acc is None else self._aggregate.finish(acc)
        return result


def numeric(column: Column) -> Column:
    """A column that can be aggregated.

    Raises:
        Misfit: it cannot.
    """
    if column.type in (Type.I32, Type.I64, Type.F64) and not column.optional:
        return column
    raise Misfit(f"only numbers that are always there can be aggregated, which {column} is not")


def accumulator_of(aggregate: Aggregate[Any, Any, Any]) -> Any:
    """The type of an aggregate's accumulator: the second that its class gives ``Aggregate``.

    Raises:
        Misfit: it gives none.
    """
    for ancestor in type(aggregate).__mro__:
        for parametrised in getattr(ancestor, "__orig_bases__", ()):
            if get_origin(parametrised) is Aggregate and not isinstance(get_args(parametrised)[1], TypeVar):
                return get_args(parametrised)[1]
    cls = type(aggregate).__name__
    raise Misfit(f"{cls} does not say its types: class {cls}(Aggregate[record, accumulator, result])")
