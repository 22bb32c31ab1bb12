"""Sources, and the event time that they declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..error import JobError
from ..plan import Output
from ..record.spec import spec_of
from ..schema import Type
from ..time import Watermarks
from ..watermark import Generated
from .hints import column_of
from .stream import Stream

if TYPE_CHECKING:
    from ..job import Graph

T = TypeVar("T")


class Source(Stream[T]):
    """A source of records of one type: a stream whose event time can be declared."""

    def event_time(self, field: int, watermarks: Watermarks) -> Source[T]:
        """Says which field, such as ``Reading.at``, holds the event time, in milliseconds since 1970 in UTC, and how
        watermarks follow."""
        column = self._spec.columns[column_of(self._spec, field, "event_time")]
        if column.type is not Type.I64 or column.optional:
            raise JobError(f"event time is an int field of milliseconds since 1970, which {column} is not")
        _set_time(self._graph, self._id, column.name, watermarks)
        return self


class TaggedSource:
    """A source whose records are of several types, told apart by a tag field."""

    def __init__(self, graph: Graph, id: int) -> None:
        self._graph = graph
        self._id = id

    def event_time_field(self, name: str, watermarks: Watermarks) -> TaggedSource:
        """Says which field of every variant holds the event time, in milliseconds since 1970 in UTC, and how watermarks
        follow. The field need not be one that the job reads."""
        _set_time(self._graph, self._id, name, watermarks)
        return self

    def variant(self, value: str, record: type[T]) -> Stream[T]:
        """The records with this value of the tag. Variants that no job asks for are not decoded."""
        spec = spec_of(record)
        outputs = self._graph.nodes[self._id].outputs
        if any(output.name == value for output in outputs):
            raise JobError(f"variant {value!r} is asked for twice: use one stream twice")
        outputs.append(Output(spec.schema, spec, value, value))
        return Stream(self._graph, self._id, value, spec, spec.schema)


def _set_time(graph: Graph, id: int, field: str, watermarks: Watermarks) -> None:
    if isinstance(watermarks, Generated):
        raise JobError("a generator sees no record before it is decoded: use assign_event_time, without event_time at the source")
    if not isinstance(watermarks, Watermarks):
        raise JobError(f"watermarks are monotonic() or out_of_order(seconds(2)), not {watermarks!r}")
    details: dict[str, Any] = graph.nodes[id].details
    details["time"] = field
    details["watermarks"] = watermarks.in_plan
