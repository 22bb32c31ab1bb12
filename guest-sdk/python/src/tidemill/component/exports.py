"""The exports for a job."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host
from wit_world.imports.types import (
    Argument,
    Decision,
    Failure,
    LogLevel,
    Outcome,
    TimerAction,
    TimerOp,
    TriggerAction,
    TriggerEvent,
)

from .. import runtime
from ..error import Error, JobError, described
from ..job import JobFunction, job_of
from ..runtime import Instance, Level, Moment
from ..triggers import Action
from . import sandbox

_LEVELS = {level: LogLevel[level.name] for level in Level}
_EVENTS = {TriggerEvent[event.name]: event for event in runtime.TriggerEvent}
_BECOMES = {action: TriggerAction[action.name] for action in Action}
_ACTIONS = {action: TimerAction[action.name] for action in runtime.TimerAction}


class _Imports:
    """The host's imports."""

    def log(self, level: Level, operator: int, message: str) -> None:
        host.log(_LEVELS[level], operator, message)

    def emit(self, operator: int, port: int, block: bytes) -> None:
        host.emit(operator, port, block)

    def report_failure(self, operator: int, row: int, message: str) -> None:
        host.report_failure(operator, row, message)


class _Component:
    """What lives as long as the instance; an object of the exported class is made for every call."""

    job: JobFunction | None = None
    instance: Instance | None = None
    closed = False


def load(module: str, report: str) -> None:
    """Imports the module of a job, while the component is built.

    The compiler shows neither what is printed meanwhile nor an exception in one piece, so the builder reads both from
    files whose names begin with ``report``.
    """
    # What lies beside the job is the user's.
    sys.dont_write_bytecode = True
    try:
        _Component.job = job_of(importlib.import_module(module))
    except BaseException as error:
        with open(f"{report}.error", "w", encoding="utf-8") as file:
            file.write(_told(error))
        raise
    finally:
        with open(f"{report}.output", "w", encoding="utf-8") as file:
            file.writelines(sandbox.early_lines())
    sandbox.settle()


def _told(error: BaseException) -> str:
    """An exception as Python shows it, from the job's own line on."""
    if isinstance(error, Error):
        return described(error)
    where = error.__traceback__
    while where is not None and _is_own(where.tb_frame):
        where = where.tb_next
    return "".join(traceback.format_exception(error.with_traceback(where)))


def _is_own(frame: FrameType) -> bool:
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    return package in ("importlib", "tidemill", "tidemill_app") or "importlib" in frame.f_code.co_filename


@contextmanager
def _called() -> Iterator[Instance]:
    instance = _Component.instance
    if instance is None:
        raise AssertionError("the host calls plan before anything else")
    with instance.call.entered():
        yield instance
        sandbox.finish_lines()


def _outcome(outcome: runtime.Outcome) -> Outcome:
    return Outcome(
        [TimerOp(op.slot, op.timer, _ACTIONS[op.action], op.time) for op in outcome.timers],
        outcome.cleared,
        outcome.unchanged,
        [Failure(failure.row, failure.operator, failure.message) for failure in outcome.failures],
    )


class Operators(exports.Operators):
    """What the host calls."""

    def plan(self, args: list[Argument]) -> str:
        """Builds the job."""
        if not _Component.closed:
            _Component.closed = True
            sandbox.close()
        assert _Component.job is not None, "the build loads the job"
        try:
            arguments = [(argument.name, argument.value) for argument in args]
            _Component.instance, document = Instance.plan(_Component.job, arguments, _Imports(), sandbox.finish_lines)
        except JobError as error:
            raise Err(str(error)) from None
        return document

    def link(self, chain: int, members: list[int]) -> None:
        """Puts a chain together."""
        with _called() as instance:
            instance.link(chain, members)

    def process(self, chain: int, input: int, watermark: int, now: int, block: bytes, rows: list[int], slots: list[int]) -> Outcome:
        """Processes records."""
        with _called() as instance:
            return _outcome(instance.process(chain, input, Moment(watermark, now), block, rows, slots))

    def on_timer(self, chain: int, watermark: int, now: int, block: bytes, slots: list[int]) -> Outcome:
        """Fires timers."""
        with _called() as instance:
            return _outcome(instance.on_timer(chain, Moment(watermark, now), block, slots))

    def fire(self, chain: int, watermark: int, now: int, block: bytes, offsets: list[int], slots: list[int]) -> Outcome:
        """Fires windows."""
        with _called() as instance:
            return _outcome(instance.fire(chain, Moment(watermark, now), block, offsets, slots))

    def merge(self, operator: int, targets: list[int], sources: list[int]) -> None:
        """Merges accumulators."""
        with _called() as instance:
            instance.merge(operator, targets, sources)

    def trigger(
        self,
        operator: int,
        event: TriggerEvent,
        watermark: int,
        now: int,
        windows: bytes,
        slots: list[int],
        records: bytes,
        rows: list[int],
    ) -> list[Decision]:
        """Asks the trigger of windows."""
        with _called() as instance:
            decisions = instance.trigger(operator, _EVENTS[event], Moment(watermark, now), windows, slots, records, rows)
            return [Decision(_BECOMES[said.action], said.event_time, said.processing_time) for said in decisions]

    def purge(self, operator: int, slots: list[int]) -> None:
        """Empties windows."""
        with _called() as instance:
            instance.purge(operator, slots)

    def apply(self, chain: int, input: int, watermark: int, now: int, block: bytes, keys: bytes, slots: list[int]) -> Outcome:
        """Applies a broadcast record to keys."""
        with _called() as instance:
            return _outcome(instance.apply(chain, input, Moment(watermark, now), block, keys, slots))

    def watermark(self, operator: int, split: int, now: int, block: bytes) -> int | None:
        """Asks for a watermark."""
        with _called() as instance:
            return instance.watermark(operator, split, now, block)

    def export_state(self, operator: int, slots: list[int]) -> bytes:
        """Encodes state."""
        with _called() as instance:
            return instance.export_state(operator, slots)

    def import_state(self, operator: int, slots: list[int], block: bytes) -> None:
        """Loads state."""
        with _called() as instance:
            try:
                instance.import_state(operator, slots, block)
            except ValueError as error:
                refusal = described(error)
            else:
                return
        raise Err(refusal)

    def migrate_state(self, operator: int, columns: str, block: bytes) -> bytes:
        """Turns state of an earlier version into today's."""
        raise Err(f"operator {operator} does not say that it migrates state")

    def drop_state(self, operator: int, slots: list[int]) -> None:
        """Empties slots."""
        with _called() as instance:
            instance.drop_state(operator, slots)
