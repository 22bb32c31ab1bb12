"""Keyed streams cut into windows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from ..aggregates import Aggregate, FieldAggregate
from ..error import JobError
from ..evictors import Evictor
from ..folded import accumulator_of, numeric
from ..plan import LATE, Node, Output
from ..record.composite import WindowCount, WindowRecord, WindowValue, composite_of
from ..record.declare import Field
from ..record.spec import Misfit, Spec, pair_of, spec_of
from ..runtime.deciding import Decider
from ..runtime.port import Port
from ..runtime.slots import Table, ValueTable, buffer_table
from ..runtime.windowed import Aggregated, Buffered, Compute, Evicting, Folded, Reduced, WindowOperator
from ..schema import Column, Schema, Type
from ..time import to_ms
from ..triggers import Trigger, TriggerFunction, checked_trigger, types_of_trigger
from ..window import Window, Windows
from .hints import checked, column_of, given, given_many
from .stream import Stream

K = TypeVar("K")
T = TypeVar("T")
V = TypeVar("V")
N = TypeVar("N", int, float)
Acc = TypeVar("Acc")
R = TypeVar("R")
Out = TypeVar("Out")

_ACC = "acc"
"""The name of the state that a window keeps."""
_TRIGGER = "trigger"
"""The name of what its trigger function keeps."""
_BOUNDS = (Column("start", Type.I64), Column("end", Type.I64))


class WindowResults(Stream[Out], Generic[Out, T]):
    """The results of windows, and the records that came too late for theirs."""

    _input_stream: Stream[T]
    _windows: Windows

    def late(self) -> Stream[T]:
        """The records that came too late for every window they belong to.

        Without a reader the host counts them and logs the first ones. Windows in processing time have none.
        """
        if self._windows.domain == "processing":
            raise JobError(f"window {self._node.name!r} is in processing time, where nothing is late")
        return Stream(self._graph, self._id, LATE, self._input_stream._spec, self._input_stream._schema)


class WindowedStream(Generic[K, T]):
    """A keyed stream cut into windows.

    A window exists from its first record on; its results leave when the watermark passes its end, with the window's last
    millisecond as event time.
    """

    def __init__(self, stream: Stream[T], key: Spec[K], names: list[str], windows: Windows) -> None:
        self._stream = stream
        self._key = key
        self._names = names
        self._windows = windows
        self._lateness_ms = 0
        self._trigger: Trigger | None = None
        self._decides: TriggerFunction[Any, Any] | None = None
        self._evictor: Evictor[Any] | None = None

    def _changed(self, **changes: Any) -> WindowedStream[K, T]:
        changed = copy.copy(self)
        vars(changed).update(changes)
        return changed

    def trigger(self, trigger: Trigger) -> WindowedStream[K, T]:
        """Says when a window fires, instead of at its end and at each late record; see :mod:`tidemill.triggers`."""
        return self._changed(_trigger=checked_trigger(trigger), _decides=None)

    def trigger_function(self, function: TriggerFunction[T, Any]) -> WindowedStream[K, T]:
        """Lets a function say when a window fires, with state of its own for every window."""
        types_of_trigger(function)
        return self._changed(_trigger=Trigger("guest"), _decides=function)

    def evictor(self, evictor: Evictor[T]) -> WindowedStream[K, T]:
        """Says what a window leaves out when it fires; see :mod:`tidemill.evictors`. Only for :meth:`process`."""
        if not isinstance(evictor, Evictor):
            raise JobError(f"an evictor is evictors.all_but_last(...) or the like, not {evictor!r}")
        return self._changed(_evictor=evictor)

    def allowed_lateness(self, span: timedelta) -> WindowedStream[K, T]:
        """Keeps a window for this long after its end: a late record until then lets it fire again.

        What comes later goes to ``late`` of the results.
        """
        return self._changed(_lateness_ms=to_ms(span))

    def aggregate(
        self,
        name: str,
        aggregate: Aggregate[T, Any, R],
        finish: Callable[[Window[K], R], Out],
        *,
        out: type[Out] | None = None,
    ) -> WindowResults[Out, T]:
        """Aggregates the records of each window; ``finish`` makes the result of the window and the aggregate."""
        return self._aggregate(name, aggregate, lambda window, result: (finish(window, result),), given(name, finish, out))

    def aggregate_flat(
        self,
        name: str,
        aggregate: Aggregate[T, Any, R],
        finish: Callable[[Window[K], R], Iterable[Out]],
        *,
        out: type[Out] | None = None,
    ) -> WindowResults[Out, T]:
        """Aggregates the records of each window; ``finish`` yields or returns any number of results."""
        return self._aggregate(name, aggregate, finish, given_many(name, finish, out))

    def _aggregate(
        self, name: str, aggregate: Any, finish: Callable[[Window[Any], Any], Iterable[Any]], spec: Spec[Any]
    ) -> WindowResults[Any, T]:
        if not isinstance(aggregate, Aggregate):
            raise JobError(f"operator {name!r}: {aggregate!r} is no aggregate: give one such as aggregates.count()")
        column = None
        if isinstance(aggregate, FieldAggregate):
            column = column_of(self._stream._spec, getattr(aggregate.field.owner, aggregate.field.name), f"operator {name!r}")
            acc = aggregate.spec(_said_of(name, lambda: numeric(self._stream._spec.columns[column])).type)
        else:
            acc = checked(name, _said_of(name, lambda: accumulator_of(aggregate)))
        return self._compute(name, Aggregated(aggregate, column, finish), ValueTable(_ACC, acc, "accumulator"), spec)

    def fold(
        self,
        name: str,
        start: Acc,
        add: Callable[[Acc, T], Acc],
        merge: Callable[[Acc, Acc], Acc],
        finish: Callable[[Window[K], Acc], Out],
        *,
        acc: type[Acc] | None = None,
        out: type[Out] | None = None,
    ) -> WindowResults[Out, T]:
        """Folds the records of each window into an accumulator that begins as ``start``.

        ``add`` gives the accumulator with a record added, ``merge`` that with another accumulator (of a session grown
        together, or of a pane), ``finish`` the result. Accumulators are never changed in place. Their type is that of
        ``start``, unless ``acc`` says it.
        """
        accs = checked(name, acc if acc is not None else _type_of(name, start))
        compute = Folded(start, add, merge, lambda window, folded: (finish(window, folded),))
        return self._compute(name, compute, ValueTable(_ACC, accs, "accumulator"), given(name, finish, out))

    def reduce(self, name: str, f: Callable[[T, T], T]) -> WindowResults[T, T]:
        """Combines the records of each window two by two into one of the same type."""
        if not callable(f):
            raise JobError(f"operator {name!r}: {f!r} is no function")
        spec = self._stream._spec
        return self._compute(name, Reduced(f), ValueTable(_ACC, spec, "accumulator"), spec)

    def process(
        self, name: str, f: Callable[[Window[K], list[T]], Iterable[Out]], *, out: type[Out] | None = None
    ) -> WindowResults[Out, T]:
        """Handles all records of each window at once, in the order of their arrival.

        Keeps every record until then: where an aggregate can say the same, it needs less memory.
        """
        spec, results = self._stream._spec, given_many(name, f, out)
        if self._evictor is None:
            return self._compute(name, Buffered(f), buffer_table(_ACC, spec), results)
        table = buffer_table(_ACC, pair_of(spec, spec_of(int)))
        return self._compute(name, Evicting(f, self._evictor), table, results)

    def count(self, name: str) -> WindowResults[WindowCount[K], T]:
        """Counts the records of each window. The host computes it."""
        return self._host(name, "count", WindowCount, Column("count", Type.I64))

    def sum(self, name: str, field: N) -> WindowResults[WindowValue[K, N], T]:
        """Sums a field over each window. The host computes it."""
        from .keyed import sum_type

        column = self._column(name, field)
        return self._host(name, {"sum": column.name}, WindowValue, Column(column.name, sum_type(name, column)))

    def min(self, name: str, field: V) -> WindowResults[WindowValue[K, V], T]:
        """The least value of a field in each window. The host computes it."""
        column = self._column(name, field)
        return self._host(name, {"min": column.name}, WindowValue, column)

    def max(self, name: str, field: V) -> WindowResults[WindowValue[K, V], T]:
        """The greatest value of a field in each window. The host computes it."""
        column = self._column(name, field)
        return self._host(name, {"max": column.name}, WindowValue, column)

    def min_by(self, name: str, field: object) -> WindowResults[WindowRecord[T], T]:
        """The record with the least value of a field in each window, the first of equals. The host computes it."""
        return self._host(name, {"min-by": self._column(name, field).name}, WindowRecord, None)

    def max_by(self, name: str, field: object) -> WindowResults[WindowRecord[T], T]:
        """The record with the greatest value of a field in each window, the first of equals. The host computes it."""
        return self._host(name, {"max-by": self._column(name, field).name}, WindowRecord, None)

    def _column(self, name: str, field: object) -> Column:
        return self._stream._schema.columns[column_of(self._stream._spec, field, f"operator {name!r}")]

    def _host(self, name: str, aggregate: Any, cls: type, column: Column | None) -> WindowResults[Any, T]:
        """The key's columns and the window's followed by a column, or the window's followed by the record's."""
        from .keyed import key_columns, scalar_of_column

        stream = self._stream
        time = spec_of(int)
        if column is None:
            schema = Schema((*_BOUNDS, *stream._schema.columns))
            output = Output(schema, composite_of(cls, [time, time, stream._spec]))
        else:
            schema = Schema((*key_columns(stream._schema, self._names), *_BOUNDS, column))
            output = Output(schema, composite_of(cls, [self._key, time, time, scalar_of_column(column)]))
        if self._decides is not None:
            raise JobError(
                f"operator {name!r}: only windows that the job computes are asked for their trigger, and the host computes it"
            )
        if self._evictor is not None:
            raise JobError(
                f"operator {name!r}: only windows that are processed whole have an evictor, since they keep their records"
            )
        return self._add(name, {"host": aggregate}, [], output, None)

    def _compute(self, name: str, compute: Compute, table: Table[Any], spec: Spec[Any]) -> WindowResults[Any, T]:
        """Adds a window that the component computes."""
        graph = self._stream._graph
        port = Port(graph.next_id, 0, spec, spec.schema, graph.call)
        decider = self._decider(name)
        operator = WindowOperator(graph.next_id, port, graph.call, compute, [table], [self._stream._spec], self._key, decider)
        if self._evictor is not None and not compute.evicts:
            raise JobError(
                f"operator {name!r}: only windows that are processed whole have an evictor, since they keep their records"
            )
        return self._add(name, "guest", operator.state.tables, Output(spec.schema, spec), operator)

    def _decider(self, name: str) -> Decider | None:
        from .keyed import same_records

        function = self._decides
        if function is None:
            return None
        record, state = types_of_trigger(function)
        same_records(name, checked(name, record), self._stream._spec)
        table = ValueTable(_TRIGGER, checked(name, state))
        return Decider(function, table, self._stream._spec, len(self._key.columns))

    def _add(
        self, name: str, compute: Any, tables: Sequence[Table[Any]], output: Output, operator: WindowOperator | None
    ) -> WindowResults[Any, T]:
        stream, windows = self._stream, self._windows
        details: dict[str, Any] = {
            "key": self._names,
            "assigner": self._assigner(name),
            "domain": windows.domain,
            "lateness-ms": self._lateness_ms,
            "compute": compute,
        }
        if self._trigger is not None:
            details["trigger"] = self._trigger.in_plan
        if self._evictor is not None:
            details["evictor"] = self._evicting(name, self._evictor)
        if tables:
            details["state"] = [table.in_plan for table in tables]
        node = Node(name, {"window": details}, [stream._input(keyed=True)], [output], operator=operator)
        results: WindowResults[Any, T] = WindowResults(stream._graph, stream._graph.add(node), "out", output.spec, output.schema)
        results._input_stream, results._windows = stream, windows
        return results

    def _assigner(self, name: str) -> object:
        gap = self._windows.gap
        return self._windows.in_plan if gap is None else self._windows.by_column(self._named(name, gap).name)

    def _evicting(self, name: str, evictor: Evictor[Any]) -> dict[str, object]:
        evict = evictor.evict
        if evictor.field is not None:
            evict = {"delta": {"field": self._named(name, evictor.field).name, **evict["delta"]}}
        return {"evict": evict, "after": evictor.is_after}

    def _named(self, name: str, field: Field) -> Column:
        return self._column(name, getattr(field.owner, field.name))


def _said_of(name: str, find: Callable[[], V]) -> V:
    """What is found, or what is wrong with it in the words of an operator."""
    try:
        return find()
    except Misfit as error:
        raise JobError(f"operator {name!r}: {error}") from None


def _type_of(name: str, value: object) -> Any:
    """The type of a first accumulator."""
    if type(value) is tuple:
        parts = tuple(_type_of(name, part) for part in value)
        return tuple[parts]  # type: ignore[valid-type]
    if value is None:
        raise JobError(f"operator {name!r}: of what type the accumulator is cannot be told from None: say it by acc=")
    return type(value)
