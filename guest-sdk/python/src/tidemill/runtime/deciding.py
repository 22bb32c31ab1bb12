"""Trigger functions with the states of their windows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..block import Block
from ..record.spec import Spec
from ..schema import Column, Type
from .call import Call
from .outcome import Moment
from .slots import Table

if TYPE_CHECKING:
    from ..triggers import Action, TriggerFunction

BOUNDS = (Column("$start", Type.I64), Column("$end", Type.I64), Column("$firing", Type.I32))
"""What stands behind the key of a window."""


class TriggerEvent(IntEnum):
    """What happened to a window whose trigger is a function of the job."""

    RECORD = 0
    EVENT_TIME = 1
    PROCESSING_TIME = 2


class Decision(NamedTuple):
    """What a trigger function said."""

    action: Action
    event_time: int | None
    processing_time: int | None


class Asked(NamedTuple):
    """What the trigger of a window operator is asked: windows, their slots, and for records the block and the rows of it."""

    event: TriggerEvent
    at: Moment
    windows: Block
    slots: Sequence[int]
    records: Block | None
    rows: Sequence[int]


class Decider:
    """A trigger function, and what it remembers of each window."""

    def __init__(self, function: TriggerFunction[Any, Any], table: Table[Any], spec: Spec[Any], width: int) -> None:
        self._function = function
        self.table = table
        self._spec = spec
        """The records."""
        self._width = width
        """How many columns the key has."""

    def decide(self, id: int, call: Call, asked: Asked) -> list[Decision]:
        """What becomes of each of the windows."""
        starts, ends, firings = asked.windows.read(BOUNDS, self._width)
        items = [] if asked.records is None else self._spec.read(asked.records)
        decisions: list[Decision] = []
        row = 0
        try:
            for index, time in enumerate(asked.windows.times):
                row = asked.rows[index] if items else index
                bounds = starts[index], ends[index], firings[index]
                decisions.append(self._one(asked, asked.slots[index], bounds, time, items[row] if items else None))
        except BaseException as error:
            call.trap(id, row, error)
        return decisions

    def _one(self, asked: Asked, slot: int, bounds: tuple[int, int, int], time: int, record: Any) -> Decision:
        from ..triggers import Action, TriggerWindow

        entries, function = self.table.entries, self._function
        state = entries[slot]
        window = TriggerWindow(function.start() if state is None else state, bounds, time, *asked.at)
        if asked.event is TriggerEvent.RECORD:
            action = function.on_record(window, record)
        elif asked.event is TriggerEvent.EVENT_TIME:
            action = function.on_event_time(window)
        else:
            action = function.on_processing_time(window)
        if not isinstance(action, Action):
            raise TypeError(f"a trigger function answers with an Action, not {action!r}")
        entries[slot] = window.state
        return Decision(action, *window.asked)

    def merge(self, target: int, source: int) -> None:
        """Notes that a window takes in another one."""
        entries = self.table.entries
        other, entries[source] = entries[source], None
        if other is not None:
            ours = entries[target]
            entries[target] = self._function.merge(self._function.start() if ours is None else ours, other)
