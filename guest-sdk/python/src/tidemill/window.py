"""Windows: which records belong together, and what a result is told about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar

from .error import JobError
from .record.declare import Field, field_of
from .record.spec import spec_of
from .time import to_ms

K = TypeVar("K")
Domain = Literal["event", "processing"]


@dataclass(frozen=True)
class Windows:
    """Which windows a record belongs to.

    See :func:`tumbling`, :func:`sliding`, :func:`session`, :func:`session_by`, :func:`calendar_days`, :func:`records`,
    :func:`records_sliding` and :func:`global_window`.
    """

    kind: str
    """The word of the plan."""
    said: Mapping[str, Any] = field(default_factory=dict)
    """What the plan says beside it."""
    domain: Domain = "event"
    gap: Field | None = None
    """The field of :func:`session_by`, whose column is the stream's to name."""

    def offset(self, by: timedelta) -> Windows:
        """Moves the beginnings of the windows, which otherwise are multiples of their size since 1970 in UTC.

        Days in China are ``tumbling(days(1)).offset(-hours(8))``, and also ``calendar_days("Asia/Shanghai")``.
        """
        if self.kind not in ("tumbling", "sliding"):
            what = "a session has no offset: it begins with its first record"
            raise JobError(what if self.kind.startswith("session") else "only tumbling and sliding windows have an offset")
        return self._saying(offset_ms=to_ms(by))

    def every(self, count: int) -> Windows:
        """Makes windows of :func:`calendar_days` so many days long, counted from 1970-01-01."""
        if self.kind != "days":
            raise JobError("only windows of calendar_days are so many days long")
        return self._saying(days=_counted("the number of days", count))

    def or_after(self, span: timedelta) -> Windows:
        """Lets a window of :func:`records` fire although it is not full, so long of processing time after its first record."""
        return self._cut_short(span, "processing")

    def or_after_event_time(self, span: timedelta) -> Windows:
        """As :meth:`or_after`, in event time."""
        return self._cut_short(span, "event")

    def _cut_short(self, span: timedelta, domain: Domain) -> Windows:
        if self.kind != "count" or "slide" in self.said:
            raise JobError("only windows of records, which do not slide, fire although they are not full")
        return self._saying(**{"or-after": {"ms": to_ms(span), "domain": domain}})

    def processing_time(self) -> Windows:
        """Lets the host's clock drive the windows rather than the records' event time."""
        return replace(self, domain="processing")

    def _saying(self, **more: Any) -> Windows:
        return replace(self, said={**self.said, **more})

    @property
    def in_plan(self) -> object:
        """As the plan writes it, where the column of a gap is named as its field."""
        if self.gap is not None:
            return self.by_column(spec_of(self.gap.owner).columns[self.gap.index].name)
        return self.kind if self.kind == "global" else {self.kind: dict(self.said)}

    def by_column(self, column: str) -> object:
        """As the plan writes sessions whose gap is in a column of this name."""
        return {self.kind: {"field": column}}


def checked_windows(windows: object) -> Windows:
    """Windows as they are.

    Raises:
        JobError: they are something else.
    """
    if isinstance(windows, Windows):
        return windows
    raise JobError(f"windows are tumbling(...), sliding(...), session(...), records(...) or the like, not {windows!r}")


def _counted(what: str, count: object) -> int:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise JobError(f"{what} is a positive int, not {count!r}")
    return count


def tumbling(size: timedelta) -> Windows:
    """Every record in one window of this size."""
    return Windows("tumbling", {"size_ms": to_ms(size), "offset_ms": 0})


def sliding(size: timedelta, slide: timedelta) -> Windows:
    """A window of this size begins every ``slide``. The host shares work between the windows where the slide divides the size."""
    return Windows("sliding", {"size_ms": to_ms(size), "slide_ms": to_ms(slide), "offset_ms": 0})


def session(gap: timedelta) -> Windows:
    """Records that lie at most ``gap`` apart share a window, which ends ``gap`` after its last record."""
    return Windows("session", {"gap_ms": to_ms(gap)})


def session_by(gap: int) -> Windows:
    """As :func:`session`, with a gap of its own for each record, in a field such as ``Click.gap`` that holds it in milliseconds."""
    found = field_of(gap)
    if found is None:
        raise JobError(f"session_by takes a field such as Click.gap, not {gap!r}")
    return Windows("session-by", gap=found)


def calendar_days(timezone: str) -> Windows:
    """Calendar days of a time zone, by its IANA name such as ``Asia/Shanghai``.

    Each begins where the day does there, also where the clock is changed; ``.every(7)`` makes weeks of them.
    """
    return Windows("days", {"timezone": timezone, "days": 1})


def records(count: int) -> Windows:
    """So many records of a key, one behind the other, whenever they come.

    A window that is not full when the input ends gives nothing; :meth:`Windows.or_after` lets it fire earlier. Its bounds are those
    of its records' times.
    """
    return Windows("count", {"records": _counted("the number of records", count)})


def records_sliding(count: int, slide: int) -> Windows:
    """The last ``count`` records of a key, every ``slide`` records."""
    return records(count)._saying(slide=_counted("the slide of records", slide))


def global_window() -> Windows:
    """One window for ever.

    It fires when its trigger says so (see :mod:`tidemill.triggers`), and without one the job is refused. The event time of a result
    is that of the record or timer that made it fire.
    """
    return Windows("global")


@dataclass(frozen=True, slots=True)
class Window(Generic[K]):
    """The window that a result is for."""

    key: K
    """The key; ``()`` for windows over all records."""
    start: int
    """The first millisecond."""
    end: int
    """The first millisecond behind it."""
    firing: int
    """How often the window has fired before: more than 0 only for late records within the allowed lateness, when the
    result replaces the one before."""
