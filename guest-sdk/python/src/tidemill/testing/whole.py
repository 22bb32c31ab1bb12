"""A whole job under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..job import Job
from ..plan import MAIN
from ..record.spec import Spec, spec_of
from .engine import Engine, watermark
from .joins import GREATEST, LEAST
from .lines import parsed, written
from .rows import Row, records_of, row_of

T = TypeVar("T")


class JobTest:
    """A job under test: records in at its sources, results out at its sinks.

    Watermarks follow from the records pushed, as the plan says.
    """

    def __init__(self, job: Callable[[Job], None], args: Mapping[str, str] | None = None) -> None:
        """Starts the job with arguments.

        Raises:
            JobError: something is wrong with the job or its arguments.
        """
        self._engine = Engine(job, list((args or {}).items()))
        self._greatest: dict[int, int] = {}

    def push(self, source: str, record: Any, *, variant: str = MAIN) -> None:
        """Gives a record to a source; its event time is the field that the source declares.

        ``variant`` is that of a tagged source.
        """
        id = self._source(source)
        schema, spec = self._engine.port(id, variant)
        row = row_of(spec, record, LEAST)
        time = self._engine.nodes[id].details.get("time")
        at = next((i for i, column in enumerate(schema.columns) if column.name == time), None)
        self._take(id, None if at is None else row.values[at], [(variant, row)])

    def push_lines(self, source: str, text: str) -> None:
        """Gives lines in the source's format (for CSV without a header) to a source."""
        id = self._source(source)
        node = self._engine.nodes[id]
        for line in text.splitlines():
            if line:
                self._take(id, *parsed(line, node.details, node.outputs))

    def _source(self, name: str) -> int:
        id = self._engine.find(name)
        if self._engine.nodes[id].kind_name != "source":
            raise LookupError(f"{name!r} is no source")
        return id

    def _take(self, id: int, time: int | None, rows: list[tuple[str, Row]]) -> None:
        """Carries what a source read, and lets the watermark follow its event time."""
        for port, row in rows:
            self._engine.carry(id, port, [Row(LEAST if time is None else time, row.values)])
        watermarks = self._engine.nodes[id].details.get("watermarks")
        if watermarks is None or time is None:
            self._engine.spread()
        elif time > self._greatest.get(id, LEAST):
            self._greatest[id] = time
            self._engine.watermark(id, watermark(watermarks, time))

    def set_processing_time(self, now: int) -> None:
        """Sets the processing time, in milliseconds."""
        self._engine.set_now(now)

    def finish(self) -> None:
        """Ends all sources: every window closes and every event timer fires."""
        for id, node in enumerate(self._engine.nodes):
            if node.kind_name == "source":
                self._engine.watermark(id, GREATEST)

    def sink(self, name: str, record: type[T]) -> list[T]:
        """Takes what a sink has been given so far."""
        id = self._engine.find(name)
        return [taken for taken, _ in self._records(id, MAIN, self._engine.input(id, 0)[1], record)]

    def sink_lines(self, name: str) -> list[str]:
        """Takes what a sink has been given so far, as lines in its format."""
        id = self._engine.find(name)
        node = self._engine.nodes[id]
        if node.kind_name != "sink":
            raise LookupError(f"{name!r} is no sink")
        schema, _ = self._engine.input(id, 0)
        rows = self._engine.collected.pop((id, MAIN), [])
        return [written(row, schema, node.details["format"]) for row in rows]

    def output(self, operator: str, record: type[T], port: str = MAIN) -> list[tuple[T, int]]:
        """Takes what has left an operator's output so far, with event times."""
        id = self._engine.find(operator)
        return self._records(id, port, self._engine.port(id, port)[1], record)

    def _records(self, id: int, port: str, spec: Spec[Any], record: Any) -> list[tuple[Any, int]]:
        return taken(self._engine, id, port, spec, record)

    @property
    def refused(self) -> list[str]:
        """What refused records were refused for, where the job goes on."""
        return self._engine.refused

    @property
    def log(self) -> list[str]:
        """What was logged."""
        return self._engine.host.lines

    def restart(self) -> None:
        """Exports the state that the job's code keeps, drops it and loads it again, as a restart from a checkpoint does."""
        for id in range(len(self._engine.nodes)):
            self._engine.restart(id)


def taken(engine: Engine, id: int, port: str, spec: Spec[Any], record: Any) -> list[tuple[Any, int]]:
    """Takes what an output has given so far.

    Raises:
        TypeError: the records are of another type.
    """
    asked = spec_of(record)
    if asked is not spec and asked.columns != spec.columns:
        cells = [[(column.type, column.optional) for column in each.columns] for each in (asked, spec)]
        if type(asked) is not type(spec) or cells[0] != cells[1]:
            raise TypeError(f"the records are {spec.shown} ({spec.schema}), not {asked.shown} ({asked.schema})")
    return records_of(engine.collected.pop((id, port), []), spec)
