"""Streams partitioned by a key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from ..error import JobError
from ..plan import Node, Output
from ..process import Ctx, Process, Process2, declared, types_of
from ..record.composite import KeyCount, KeyValue, composite_of
from ..record.spec import Misfit, Spec, TupleSpec, spec_of
from ..runtime.keyed import Broadcast, KeyedOperator
from ..runtime.port import Port
from ..schema import Column, Schema, Type
from ..state import Value, key_spec_of
from ..window import Windows, checked_windows
from .broadcast import WithBroadcast
from .co_group import CoGroup
from .hints import checked, column_of
from .join import Side, side_of
from .stream import Stream
from .windowed import WindowedStream

K = TypeVar("K")
T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
N = TypeVar("N", int, float)
Out = TypeVar("Out")
SideRecord = TypeVar("SideRecord")


def key_of(spec: Spec[Any], indexes: Sequence[int]) -> Spec[Any]:
    """The spec of a key of columns.

    Raises:
        JobError: one of them cannot be in a key.
    """
    parts: list[Spec[Any]] = []
    for index in indexes:
        column = spec.columns[index]
        if column.type is Type.F64:
            raise JobError(f"field {column.name!r} cannot be a key: it is a float; round it to an int by key_by_fn")
        parts.append(scalar_of_column(column))
    return parts[0] if len(parts) == 1 else TupleSpec(parts, "the key")


def scalar_of_column(column: Column) -> Spec[Any]:
    """The spec of the bare values of a column."""
    from ..record.cell import I32

    plain: Any = {Type.BOOL: bool, Type.I32: I32, Type.I64: int, Type.F64: float, Type.STRING: str, Type.BYTES: bytes}[column.type]
    return spec_of(plain | None if column.optional else plain)


class Processed(Stream[Out]):
    """The results of a process function."""

    def side_output(self, name: str, record: type[SideRecord]) -> Stream[SideRecord]:
        """The records of a side output that the function declares under this name."""
        spec = spec_of(record)
        node = self._node
        found = [output for output in node.outputs[1:] if output.name == name]
        if not found:
            there = ", ".join(repr(output.name) for output in node.outputs[1:]) or "none"
            raise JobError(f"operator {node.name!r} declares no side output {name!r}; it has {there}")
        if found[0].spec is not spec and found[0].spec.columns != spec.columns:
            raise JobError(f"side output {name!r} of {node.name!r} has other records than {spec.shown}")
        return Stream(self._graph, self._id, name, spec, found[0].schema)


class KeyedStream(Generic[K, T]):
    """A stream partitioned by a key: all records of one key are handled in one place, in order."""

    def __init__(self, stream: Stream[T], key: Spec[K], names: list[str]) -> None:
        self._stream = stream
        self._key = key
        self._names = names

    def window(self, windows: Windows) -> WindowedStream[K, T]:
        """Cuts the stream into windows, each key for itself."""
        return WindowedStream(self._stream, self._key, self._names, checked_windows(windows))

    def process(self, name: str, function: Process[K, T, Out]) -> Processed[Out]:
        """Handles the stream with state and timers; see ``Process``."""
        key, record, out = types_of(function, Process)
        self._check(name, key, record)
        return add_process(name, [self], function, ["on_record"], out)

    def connect(self, other: KeyedStream[K, U]) -> Connected[K, T, U]:
        """This stream and another of the same key, to be handled by one function with common state."""
        return Connected(self, other)

    def connect_broadcast(self, broadcast: Stream[U]) -> WithBroadcast[K, T, U]:
        """This stream beside another, all of whose records come to every worker; see ``BroadcastProcess``."""
        return WithBroadcast(self, broadcast)

    def side(self, name: str) -> Side[K, T]:
        """This stream as a side of a join.

        The name is that of its fields in the plan, and finds what the join keeps of it again when the job changes.
        """
        return side_of(name, self._stream, self._key, self._names)

    def co_group(self, other: KeyedStream[K, U], windows: Windows) -> CoGroup[K, T, U]:
        """This stream and another of the same key, cut into windows together."""
        return CoGroup(self, other, windows)

    def reduce(self, name: str, f: Callable[[T, T], T]) -> Stream[T]:
        """Combines each record with the result so far of its key, and emits the new result."""
        if not callable(f):
            raise JobError(f"operator {name!r}: {f!r} is no function")
        return add_process(name, [self], _Reduce(f), ["on_record"], None)

    def count(self, name: str) -> Stream[KeyCount[K]]:
        """Counts the records of each key; every record emits the new count. The host computes it."""
        return self._rolling(name, "count", KeyCount, Column("count", Type.I64))

    def sum(self, name: str, field: N) -> Stream[KeyValue[K, N]]:
        """Sums a field for each key; every record emits the new sum. The host computes it."""
        column = self._column(name, field)
        summed = Column(column.name, sum_type(name, column))
        return self._rolling(name, {"sum": column.name}, KeyValue, summed)

    def min(self, name: str, field: V) -> Stream[KeyValue[K, V]]:
        """The least value of a field so far; every record emits it. The host computes it."""
        column = self._column(name, field)
        return self._rolling(name, {"min": column.name}, KeyValue, column)

    def max(self, name: str, field: V) -> Stream[KeyValue[K, V]]:
        """The greatest value of a field so far; every record emits it. The host computes it."""
        column = self._column(name, field)
        return self._rolling(name, {"max": column.name}, KeyValue, column)

    def min_by(self, name: str, field: object) -> Stream[T]:
        """The record with the least value of a field so far; every record emits it. The host computes it."""
        return self._rolling(name, {"min-by": self._column(name, field).name}, None, None)

    def max_by(self, name: str, field: object) -> Stream[T]:
        """The record with the greatest value of a field so far; every record emits it. The host computes it."""
        return self._rolling(name, {"max-by": self._column(name, field).name}, None, None)

    def _column(self, name: str, field: object) -> Column:
        return self._stream._schema.columns[column_of(self._stream._spec, field, f"operator {name!r}")]

    def _rolling(self, name: str, aggregate: Any, cls: type | None, column: Column | None) -> Stream[Any]:
        """A running aggregate: the key and a column, or the whole record."""
        stream = self._stream
        if cls is None or column is None:
            output = Output(stream._schema, stream._spec)
        else:
            schema = Schema((*key_columns(stream._schema, self._names), column))
            output = Output(schema, composite_of(cls, [self._key, scalar_of_column(column)]))
        kind = {"rolling": {"key": self._names, "aggregate": aggregate}}
        return stream._add(Node(name, kind, [stream._input(keyed=True)], [output]))

    def _check(self, name: str, key: Any, record: Any) -> None:
        """Refuses a function for another key or other records."""
        same_records(name, checked(name, record), self._stream._spec)
        try:
            asked = key_spec_of(key)
        except Misfit as error:
            raise JobError(f"operator {name!r}: {error}") from None
        if cells_of(asked) != cells_of(self._key):
            raise JobError(f"operator {name!r}: the function's key is {asked.shown}, the stream's is {Schema(self._key.columns)}")


def same_records(name: str, spec: Spec[Any], ours: Spec[Any]) -> None:
    """Refuses a function that takes other records than the stream has."""
    if spec is not ours and (spec.columns != ours.columns or type(spec) is not type(ours)):
        raise JobError(f"operator {name!r}: the function takes {spec.shown}, the stream has {ours.shown}")


def cells_of(spec: Spec[Any]) -> list[tuple[Type, bool]]:
    """The types of a spec's columns, whatever their names."""
    return [(column.type, column.optional) for column in spec.columns]


def key_columns(schema: Schema, names: Sequence[str]) -> list[Column]:
    """The columns of a key."""
    return [schema.columns[schema.index(name)] for name in names]


def sum_type(name: str, column: Column) -> Type:
    """The type of a sum."""
    sums = {Type.I32: Type.I64, Type.I64: Type.I64, Type.F64: Type.F64}
    if column.type not in sums or column.optional:
        raise JobError(f"operator {name!r}: only numbers that are always there have a sum, which {column} is not")
    return sums[column.type]


class Connected(Generic[K, T, U]):
    """Two streams with the same key, about to be handled by one ``Process2``."""

    def __init__(self, first: KeyedStream[K, T], second: KeyedStream[K, U]) -> None:
        if cells_of(first._key) != cells_of(second._key):
            keys = f"{Schema(first._key.columns)} and {Schema(second._key.columns)}"
            raise JobError(f"streams that are connected have keys of the same types, not {keys}")
        self._first = first
        self._second = second

    def process(self, name: str, function: Process2[K, T, U, Out]) -> Processed[Out]:
        """Handles both streams with common state and timers."""
        key, first, second, out = types_of(function, Process2)
        self._first._check(name, key, first)
        self._second._check(name, key, second)
        return add_process(name, [self._first, self._second], function, ["on_first", "on_second"], out)


def add_process(
    name: str,
    inputs: Sequence[KeyedStream[Any, Any]],
    function: Any,
    handlers: Sequence[str],
    out: Any,
    broadcast: Stream[Any] | None = None,
    apply: bool = False,
) -> Processed[Any]:
    """Adds a process function with these inputs and perhaps a broadcast one; without ``out`` it gives the records it takes.

    With ``apply`` each broadcast record is applied to every key.
    """
    first = inputs[0]
    graph = first._stream._graph
    id, call = graph.next_id, graph.call
    found = function.declared(first._stream._spec) if isinstance(function, _Reduce) else declared(function)
    bound = function.bound(found)
    spec = first._stream._spec if out is None else checked(name, out)
    sides = [Port(id, 1 + i, side_spec, side_spec.schema, call) for i, (_, _, side_spec) in enumerate(found.sides)]
    operator = KeyedOperator(
        id,
        Port(id, 0, spec, spec.schema, call),
        call,
        found,
        [(keyed._stream._spec, getattr(bound, handler)) for keyed, handler in zip(inputs, handlers)],
        bound.on_timer,
        first._key,
        [[keyed._stream._schema.index(column) for column in keyed._names] for keyed in inputs],
        sides,
        None if broadcast is None else Broadcast(broadcast._spec, bound.on_broadcast, bound.on_key),
    )
    details: dict[str, Any] = {"keys": [keyed._names for keyed in inputs]}
    if found.pieces:
        details["state"] = [piece.table.in_plan for piece in found.pieces]
    if found.timers:
        details["timers"] = [{"name": n, "domain": timer.domain} for n, timer in zip(found.timer_names, found.timers)]
    _check_names(name, [table.name for table in found.slots.tables], "pieces of state")
    _check_names(name, found.timer_names, "timers")
    reads = [keyed._stream._input(keyed=bool(keyed._names)) for keyed in inputs]
    if broadcast is not None:
        details["broadcast"] = {"state": [piece.table.in_plan for piece in found.shared], "apply": apply}
        reads.append(dataclasses.replace(broadcast._input(), partition="broadcast"))
        if not first._names and (found.pieces or found.timers):
            raise JobError(f"operator {name!r}: records without a key have no state but the broadcast one, and no timers")
    elif found.shared:
        raise JobError(f"operator {name!r} declares broadcast state, but no stream is broadcast to it: use connect_broadcast")
    node = Node(name, {"process": details}, reads, [Output(spec.schema, spec)], operator=operator)
    stream: Processed[Any] = Processed(graph, graph.add(node), "out", spec, spec.schema)
    for side_name, _, side_spec in found.sides:
        stream._add_output(side_name, side_spec)
    return stream


def _check_names(operator: str, names: Sequence[str], what: str) -> None:
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise JobError(f"operator {operator!r} has two {what} called {twice[0]!r}")


class _Reduce(Process[Any, Any, Any]):
    """``KeyedStream.reduce``."""

    so_far: Value[Any]

    def __init__(self, f: Callable[[Any, Any], Any]) -> None:
        self._f = f

    def declared(self, spec: Spec[Any]) -> Any:
        """What it declares, for records of this spec."""
        from ..process import Declared
        from ..runtime.slots import Slots, Touched

        touched = Touched()
        piece = Value.declared("so-far", (spec,), touched)
        slots = Slots([piece.table])
        slots.touched = touched
        return Declared(slots, {"so_far": piece}, [piece])

    def on_record(self, ctx: Ctx[Any, Any], record: Any) -> None:
        before = self.so_far.get()
        result = record if before is None else self._f(before, record)
        self.so_far.set(result)
        ctx.emit(result)
