"""Streams without a key: stateless operators, partitioning, sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin, overload

from .. import plan
from ..error import JobError
from ..plan import Chaining, Format, Input, Node, OnError, Output, Partition
from ..record.composite import DeadLetter
from ..record.spec import EMPTY, Spec, pair_of, spec_of
from ..runtime.generator import GeneratedOperator
from ..runtime.port import Port
from ..runtime.stateless import (
    ColumnsOperator,
    Emit,
    FilterOperator,
    FlatMapOperator,
    MapOperator,
    SplitOperator,
    Stateless,
    TimestampsOperator,
)
from ..schema import Column, Schema
from ..state import key_spec_of
from ..time import Watermarks
from ..watermark import Generated
from ..window import Windows
from .hints import checked, column_of, given, given_many, hints_of

if TYPE_CHECKING:
    from ..job import Graph
    from .broadcast import WithBroadcast
    from .keyed import KeyedStream
    from .windowed import WindowedStream

T = TypeVar("T")
Out = TypeVar("Out")
Side = TypeVar("Side")
K = TypeVar("K")
K2 = TypeVar("K2")
K3 = TypeVar("K3")
K4 = TypeVar("K4")

_POLICIES = ("fail", "skip", "dead-letter")


class Stream(Generic[T]):
    """A stream of records. Every use of it is a reader of its own."""

    def __init__(
        self, graph: Graph, id: int, port: str, spec: Spec[Any], schema: Schema, partition: Partition = plan.FORWARD
    ) -> None:
        self._graph = graph
        self._id = id
        self._port = port
        self._spec = spec
        self._schema = schema
        """The columns as the plan names them; the record's own may be followed by hidden ones."""
        self._partition = partition

    def map(self, name: str, f: Callable[[T], Out], *, out: type[Out] | None = None) -> Stream[Out]:
        """Turns each record into one; ``Refusal`` refuses it."""
        return self._stateless(name, "map", MapOperator, given(name, f, out), f)

    def filter(self, name: str, keep: Callable[[T], bool]) -> Stream[T]:
        """Keeps the records for which ``keep`` says so."""
        return self._stateless(name, "filter", FilterOperator, self._spec, keep)

    def flat_map(self, name: str, f: Callable[[T], Iterable[Out]], *, out: type[Out] | None = None) -> Stream[Out]:
        """Turns each record into any number of records, which ``f`` yields or returns.

        A ``Refusal`` refuses the record, and what was yielded for it is taken back.
        """
        return self._stateless(name, "flat-map", FlatMapOperator, given_many(name, f, out), f)

    def split(
        self,
        name: str,
        side_name: str,
        f: Callable[[T, Emit[Out], Emit[Side]], None],
        *,
        out: type[Out] | None = None,
        side: type[Side] | None = None,
    ) -> tuple[Stream[Out], Stream[Side]]:
        """Sends each record to a main output, to a side output of the given port name, to both or to neither."""
        types = _emitted(name, f, out, side)
        spec, side_spec = checked(name, types[0]), checked(name, types[1])
        id = self._graph.next_id
        call = self._graph.call
        side_port = Port(id, 1, side_spec, side_spec.schema, call)
        operator = SplitOperator(id, Port(id, 0, spec, spec.schema, call), side_port, call, self._spec, f)
        main: Stream[Out] = self._guest(name, "flat-map", spec, spec.schema, operator)
        main._add_output(side_name, side_spec)
        return main, Stream(self._graph, id, side_name, side_spec, side_spec.schema)

    def union(self, name: str, *others: Stream[T]) -> Stream[T]:
        """This stream and others of the same records as one."""
        for other in others:
            if other._spec is not self._spec and other._spec.columns != self._spec.columns:
                raise JobError(f"union {name!r}: {other._spec.shown} are other records than {self._spec.shown}")
        inputs = [stream._input() for stream in (self, *others)]
        return self._add(Node(name, "union", inputs, [Output(self._schema, self._spec)]))

    def assign_event_time(self, name: str, time: Callable[[T], int], watermarks: Watermarks | Generated[T]) -> Stream[T]:
        """Gives each record an event time in milliseconds, from which watermarks follow.

        They follow by a rule of the host's or as the job says: see :mod:`tidemill.watermark`. Prefer ``event_time`` of a
        source, which costs nothing, where the host's rules do; this must come directly behind a source.
        """
        if isinstance(watermarks, Generated):
            make: Callable[..., Stateless] = partial(GeneratedOperator, make=watermarks.make)
        elif isinstance(watermarks, Watermarks):
            make = TimestampsOperator
        else:
            raise JobError(
                f"operator {name!r}: watermarks are monotonic(), out_of_order(seconds(2)) or generator(f), not {watermarks!r}"
            )
        return self._stateless(name, {"timestamps": watermarks.in_plan}, make, self._spec, time)

    @overload
    def key_by(self, field: K, /) -> KeyedStream[K, T]: ...
    @overload
    def key_by(self, field: K, second: K2, /) -> KeyedStream[tuple[K, K2], T]: ...
    @overload
    def key_by(self, field: K, second: K2, third: K3, /) -> KeyedStream[tuple[K, K2, K3], T]: ...
    @overload
    def key_by(self, field: K, second: K2, third: K3, fourth: K4, /) -> KeyedStream[tuple[K, K2, K3, K4], T]: ...
    def key_by(self, *fields: Any) -> Any:
        """Partitions the stream by fields such as ``Bid.bidder``. The host does it."""
        from .keyed import KeyedStream, key_of

        if not 1 <= len(fields) <= 4:
            raise JobError(f"key_by takes one to four fields, not {len(fields)}")
        indexes = [column_of(self._spec, field, "key_by") for field in fields]
        return KeyedStream(self, key_of(self._spec, indexes), [self._schema.columns[index].name for index in indexes])

    def key_by_fn(self, name: str, key: Callable[[T], K], *, out: type[K] | None = None) -> KeyedStream[K, T]:
        """Partitions the stream by a key that is computed."""
        from .keyed import KeyedStream

        spec = key_spec_of(out if out is not None else hints_of(name, key).get("return") or given(name, key, None))
        columns = [Column(f"$key{i}", column.type, column.optional) for i, column in enumerate(spec.columns)]
        stream = self._with_columns(name, columns, spec, key)
        return KeyedStream(stream, spec, [column.name for column in columns])

    def partition_by(self, name: str, worker: Callable[[T], int]) -> Stream[T]:
        """Sends each record to the worker of the number that ``worker`` gives, modulo the parallelism."""
        spec = spec_of(int)
        stream = self._with_columns(name, [Column("$partition", spec.columns[0].type)], spec, worker)
        return stream._partitioned({"custom": "$partition"})

    def rebalance(self) -> Stream[T]:
        """Spreads blocks over all workers in turn."""
        return self._partitioned("rebalance")

    def shuffle(self) -> Stream[T]:
        """Sends each record to a random worker."""
        return self._partitioned("shuffle")

    def rescale(self) -> Stream[T]:
        """Spreads blocks over a local subset of workers in turn."""
        return self._partitioned("rescale")

    def broadcast(self) -> Stream[T]:
        """Sends every record to all workers."""
        return self._partitioned("broadcast")

    def global_(self) -> Stream[T]:
        """Sends all records to the first worker."""
        return self._partitioned("global")

    def connect_broadcast(self, broadcast: Stream[Side]) -> WithBroadcast[tuple[()], T, Side]:
        """This stream, without a key, beside another, all of whose records come to every worker; see ``BroadcastProcess``."""
        from .broadcast import WithBroadcast
        from .keyed import KeyedStream

        return WithBroadcast(KeyedStream(self, EMPTY, []), broadcast)

    def window_all(self, windows: Windows) -> WindowedStream[tuple[()], T]:
        """Windows over all records, in one place. Partition by a key where you can: this does not run in parallel."""
        from .keyed import KeyedStream

        keyed: KeyedStream[tuple[()], T] = KeyedStream(self, EMPTY, [])
        return keyed.window(windows)

    def sink(self, name: str, *, format: Format = "json", default: str | None = None) -> None:
        """Writes the stream. The name is also the name of the binding: ``--bind NAME=URL`` replaces the default."""
        from ..job import FORMATS

        if format not in FORMATS:
            raise JobError(f"a format is json, csv or text, not {format!r}")
        self._graph.add(Node(name, {"sink": plan.binding(name, format, default)}, [self._input()]))

    def parallelism(self, workers: int) -> Stream[T]:
        """Sets the parallelism of the operator that makes this stream; nothing overrides it.

        Rarely needed: without it ``--parallelism`` holds.
        """
        self._node.parallelism = workers
        return self

    def start_new_chain(self) -> Stream[T]:
        """Begins a new chain with the operator that makes this stream: it is not in one call with the operators before it.

        Errors name the operator also inside of a chain, so this is for measuring, or for a function whose call has to be short.
        """
        return self._chained("start")

    def disable_chaining(self) -> Stream[T]:
        """Gives the operator that makes this stream a call of its own, with no operator before or behind it."""
        return self._chained("never")

    def _chained(self, chaining: Chaining) -> Stream[T]:
        if self._node.operator is None:
            raise JobError(f"operator {self._node.name!r} is run by the host and stands in no chain")
        self._node.chaining = chaining
        return self

    def on_error(self, policy: OnError) -> Stream[T]:
        """Says what happens to records that the operator which makes this stream refuses."""
        if policy not in _POLICIES:
            raise JobError(f"on_error is fail, skip or dead-letter, not {policy!r}")
        self._node.on_error = policy
        return self

    def dead_letters(self) -> Stream[DeadLetter]:
        """The records that the operator which makes this stream refuses; without it a refused record fails the job."""
        self._node.on_error = "dead-letter"
        spec = spec_of(DeadLetter)
        return Stream(self._graph, self._id, plan.DEAD_LETTER, spec, spec.schema)

    @property
    def _node(self) -> Node:
        return self._graph.nodes[self._id]

    def _partitioned(self, partition: Partition) -> Stream[T]:
        return Stream(self._graph, self._id, self._port, self._spec, self._schema, partition)

    def _with_columns(self, name: str, columns: list[Column], extra: Spec[Any], f: Callable[[T], Any]) -> Stream[T]:
        """The stream with columns behind each record."""
        id, call = self._graph.next_id, self._graph.call
        schema = self._spec.schema + columns
        operator = ColumnsOperator(id, Port(id, 0, pair_of(self._spec, extra), schema, call), call, self._spec, f)
        return self._guest(name, "key-by", self._spec, schema, operator)

    def _stateless(
        self, name: str, kind: Any, make: Callable[..., Stateless], spec: Spec[Any], f: Callable[..., Any]
    ) -> Stream[Any]:
        if not callable(f):
            raise JobError(f"operator {name!r}: {f!r} is no function")
        id, call = self._graph.next_id, self._graph.call
        operator = make(id, Port(id, 0, spec, spec.schema, call), call, self._spec, f)
        return self._guest(name, kind, spec, spec.schema, operator)

    def _guest(self, name: str, kind: Any, spec: Spec[Any], schema: Schema, operator: Any) -> Stream[Any]:
        """Adds an operator that reads this stream and that the component computes."""
        return self._add(Node(name, kind, [self._input()], [Output(schema, spec)], operator=operator))

    def _add(self, node: Node) -> Stream[Any]:
        id = self._graph.add(node)
        return Stream(self._graph, id, plan.MAIN, node.outputs[0].spec, node.outputs[0].schema)

    def _add_output(self, name: str, spec: Spec[Any]) -> None:
        node = self._node
        if name in (plan.LATE, plan.DEAD_LETTER) or any(output.name == name for output in node.outputs):
            raise JobError(f"operator {node.name!r} has two outputs called {name!r}")
        node.outputs.append(Output(spec.schema, spec, name))

    def _input(self, *, keyed: bool = False) -> Input:
        return Input(self._node.name, self._port, plan.FORWARD if keyed else self._partition)


def _emitted(name: str, f: Callable[..., Any], out: Any, side: Any) -> tuple[Any, Any]:
    """The types that a function of ``split`` emits, by its annotations or as they are given."""
    if out is not None and side is not None:
        return out, side
    hints = [hint for key, hint in hints_of(name, f).items() if key != "return"]
    found = [get_args(hint)[0] for hint in hints if get_origin(hint) is Emit and get_args(hint)]
    if len(found) != 2:
        raise JobError(f"operator {name!r}: annotate what the function emits, as in Emit[Word], or say it by out= and side=")
    return out or found[0], side or found[1]
