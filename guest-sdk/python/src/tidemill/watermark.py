"""Watermarks that the job makes itself, where ``monotonic()`` and ``out_of_order(...)`` do not say it: from marks in the
records, or by the clock.

A strategy is given with the event time, directly behind a source: ``assign_event_time``. Each split of the source (a file,
a partition, a connection) has a generator of its own, and event time behind the source is the least over the splits::

    @record
    class Line:
        user: str
        at: int
        complete: bool


    def mark(line: Line, time: int) -> int | None:
        return time if line.complete else None


    def per_minute(job: Job) -> None:
        lines = job.source("lines", Line)
        # A line marked `complete` says that nothing older follows it.
        timed = lines.assign_event_time("at", lambda line: line.at, punctuated(mark))
        timed.key_by(Line.user).window(tumbling(minutes(1))).count("count").sink("counts")

The host asks once for each block of records, not once for each record: of the watermarks that a generator gives within a
block the greatest counts, behind the block. One that is lower than before changes nothing. What a generator remembers is no
state: after a restart from a checkpoint every split begins with a new one, and event time stays where it was until that has
caught up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from .time import to_ms

T = TypeVar("T")
S = TypeVar("S")


class WatermarkGenerator(Generic[T]):
    """Makes the watermarks of one split of a source of ``T``.

    A watermark says that no record of its time or before it is expected any more.
    """

    def on_event(self, record: T, time: int, /) -> int | None:
        """Sees a record and its event time, and may give a watermark behind it."""
        raise NotImplementedError

    def on_periodic(self, now: int, /) -> int | None:
        """Is asked every so often in processing time, where the strategy says ``every``; not while the split is idle."""
        return None


@dataclass(frozen=True)
class Generated(Generic[T]):
    """A strategy whose watermarks a :class:`WatermarkGenerator` makes; see :func:`generator`."""

    make: Callable[[], WatermarkGenerator[T]]
    every_ms: int | None

    @property
    def in_plan(self) -> object:
        """As the plan writes it."""
        return {"guest": {} if self.every_ms is None else {"every-ms": self.every_ms}}


def generator(make: Callable[[], WatermarkGenerator[T]], *, every: timedelta | None = None) -> Generated[T]:
    """Watermarks of a generator that ``make``, often its class, makes for each split.

    With ``every``, its ``on_periodic`` is asked every so often in processing time::

        class Cautious(WatermarkGenerator[Reading]):
            \"\"\"The greatest time, held back by twice the gap that was seen last.\"\"\"

            def __init__(self) -> None:
                self.greatest = 0

            def on_event(self, reading: Reading, time: int) -> int:
                gap = abs(time - self.greatest)
                self.greatest = max(self.greatest, time)
                return self.greatest - 2 * gap - 1

        readings.assign_event_time("at", lambda reading: reading.at, generator(Cautious))
    """
    if not callable(make):
        raise TypeError(f"generator takes what makes a generator for each split, such as its class, not {make!r}")
    every_ms = None if every is None else to_ms(every)
    if every_ms is not None and every_ms <= 0:
        raise ValueError(f"a generator is asked every {every}: a span above 0 is needed")
    return Generated(make, every_ms)


def punctuated(mark: Callable[[T, int], int | None]) -> Generated[T]:
    """Watermarks that records bring: ``mark`` sees each with its event time and may give one."""
    return generator(lambda: _Punctuated(mark))


def periodic(
    every: timedelta, start: Callable[[], S], see: Callable[[S, T, int], S], say: Callable[[S, int], int | None]
) -> Generated[T]:
    """Watermarks by the clock.

    ``start`` makes what is noted of a split, ``see`` gives it anew for each record and its event time, and ``say`` is asked
    ``every`` so often, with what was noted and the processing time::

        def see(last: tuple[int, int], reading: Reading, time: int) -> tuple[int, int]:
            return last[1], time

        def least(last: tuple[int, int], now: int) -> int:
            return min(last)

        periodic(seconds(1), lambda: (0, 0), see, least)
    """
    return generator(lambda: _Periodic(start(), see, say), every=every)


class _Punctuated(WatermarkGenerator[T]):
    def __init__(self, mark: Callable[[T, int], int | None]) -> None:
        self._mark = mark

    def on_event(self, record: T, time: int, /) -> int | None:
        return self._mark(record, time)


class _Periodic(WatermarkGenerator[T], Generic[T, S]):
    def __init__(self, noted: S, see: Callable[[S, T, int], S], say: Callable[[S, int], int | None]) -> None:
        self._noted = noted
        self._see = see
        self._say = say

    def on_event(self, record: T, time: int, /) -> int | None:
        self._noted = self._see(self._noted, record, time)
        return None

    def on_periodic(self, now: int, /) -> int | None:
        return self._say(self._noted, now)
