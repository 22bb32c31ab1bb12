"""One operator, or one process function, under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from ..job import Job
from ..plan import MAIN, Output
from ..process import Process, types_of
from ..record.spec import pair_of, spec_of
from ..schema import Column
from ..state import key_spec_of
from ..stream.keyed import KeyedStream
from .engine import Engine
from .rows import records_of, row_of
from .whole import taken

K = TypeVar("K")
In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")


class OperatorTest:
    """One operator of a job under test. Time stands still unless the test moves it."""

    def __init__(self, job: Callable[[Job], None], name: str, args: Mapping[str, str] | None = None) -> None:
        """Starts the operator of this name.

        Raises:
            JobError: something is wrong with the job or its arguments.
        """
        self._engine = Engine(job, list((args or {}).items()), name)
        self._id = self._engine.find(name)

    def push(self, record: Any, time: int, *, input: int = 0) -> None:
        """Gives a record with an event time in milliseconds to the operator, or to one of several inputs."""
        schema, spec = self._engine.input(self._id, input)
        if len(schema.columns) != len(spec.columns):
            raise LookupError(
                f"operator {self._engine.nodes[self._id].name!r} reads columns that another makes: test the whole job"
            )
        self._engine.accept(self._id, input, [row_of(spec, record, time)])

    def watermark(self, watermark: int) -> None:
        """Raises the watermark."""
        self._engine.watermark(self._id, watermark)

    def set_processing_time(self, now: int) -> None:
        """Sets the processing time."""
        self._engine.set_now(now)

    def output(self, record: type[T], port: str = MAIN) -> list[tuple[T, int]]:
        """Takes what was emitted so far, with event times: on the main output, a side output, ``late`` or ``dead-letter``."""
        return taken(self._engine, self._id, port, self._engine.port(self._id, port)[1], record)

    @property
    def timers(self) -> list[tuple[str, int]]:
        """The timers that are set: name and time, the earliest first."""
        return self._engine.timers(self._id)

    @property
    def refused(self) -> list[str]:
        """What refused records were refused for."""
        return self._engine.refused

    @property
    def log(self) -> list[str]:
        """What was logged."""
        return self._engine.host.lines

    def restart(self) -> None:
        """Exports all state, drops it and loads it again, as a restart from a checkpoint does."""
        self._engine.restart(self._id)


class ProcessTest(Generic[K, In, Out]):
    """A process function under test. Time stands still unless the test moves it."""

    def __init__(self, function: Process[K, In, Out]) -> None:
        """Starts the function over a stream of its own.

        Raises:
            JobError: something is wrong with what it declares.
        """
        key_type, record_type, _ = types_of(function, Process)
        key = key_spec_of(key_type)
        record = spec_of(record_type)
        columns = [Column(f"$key{i}", column.type, column.optional) for i, column in enumerate(key.columns)]

        def job(job: Job) -> None:
            source = job.source("source", record_type)
            source._schema = record.schema + columns
            job.graph.nodes[0].outputs[0] = Output(source._schema, record)
            KeyedStream(source, key, [column.name for column in columns]).process("process", function)

        self._engine = Engine(job, [], "process")
        self._id = self._engine.find("process")
        self._spec = pair_of(record, key)

    def push(self, key: K, record: In, time: int) -> None:
        """Gives a record with its key and an event time in milliseconds to the function."""
        row = row_of(self._spec, (record, key), time)
        self._engine.accept(self._id, 0, [row])

    def watermark(self, watermark: int) -> None:
        """Raises the watermark."""
        self._engine.watermark(self._id, watermark)

    def set_processing_time(self, now: int) -> None:
        """Sets the processing time."""
        self._engine.set_now(now)

    def output(self) -> list[tuple[Out, int]]:
        """Takes what was emitted so far, with event times."""
        _, spec = self._engine.port(self._id, MAIN)
        return records_of(self._engine.collected.pop((self._id, MAIN), []), spec)

    def side(self, port: str, record: type[T]) -> list[tuple[T, int]]:
        """Takes what was emitted so far on a side output."""
        return taken(self._engine, self._id, port, self._engine.port(self._id, port)[1], record)

    @property
    def timers(self) -> list[tuple[str, int]]:
        """The timers that are set: name and time, the earliest first."""
        return self._engine.timers(self._id)

    @property
    def refused(self) -> list[str]:
        """What refused records were refused for."""
        return self._engine.refused

    @property
    def log(self) -> list[str]:
        """What was logged."""
        return self._engine.host.lines

    def restart(self) -> None:
        """Exports all state, drops it and loads it again, as a restart from a checkpoint does."""
        self._engine.restart(self._id)
