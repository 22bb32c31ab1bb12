"""What calls are given and answer, in the words of the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class TimerAction(IntEnum):
    """What to do with timers of a key."""

    ADD = 0
    REPLACE = 1
    DELETE = 2
    CLEAR = 3


class TimerOp(NamedTuple):
    """One change to the timers of a keyed operator."""

    slot: int
    timer: int
    """The index of the timer in the plan."""
    action: TimerAction
    time: int


class Failure(NamedTuple):
    """A record that the job's code refused."""

    row: int
    operator: int
    message: str


@dataclass
class Outcome:
    """What a call did besides emitting."""

    timers: list[TimerOp] = field(default_factory=list)
    cleared: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class Moment(NamedTuple):
    """Event time and processing time at a call, in milliseconds."""

    watermark: int
    now: int
