"""Windows: which records belong together, and what a result is told about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from .error import JobError
from .time import to_ms

K = TypeVar("K")
Domain = Literal["event", "processing"]


@dataclass(frozen=True)
class Windows:
    """Which windows a record belongs to; see :func:`tumbling`, :func:`sliding` and :func:`session`."""

    kind: Literal["tumbling", "sliding", "session"]
    size_ms: int
    slide_ms: int = 0
    offset_ms: int = 0
    domain: Domain = "event"

    def offset(self, by: timedelta) -> Windows:
        """Moves the beginnings of the windows, which otherwise are multiples of their size since 1970 in UTC.

        Days in China are ``tumbling(days(1)).offset(-hours(8))``.
        """
        if self.kind == "session":
            raise JobError("a session has no offset: it begins with its first record")
        return replace(self, offset_ms=to_ms(by))

    def processing_time(self) -> Windows:
        """Lets the host's clock drive the windows rather than the records' event time."""
        return replace(self, domain="processing")

    @property
    def in_plan(self) -> dict[str, object]:
        """As the plan writes it."""
        if self.kind == "session":
            return {"session": {"gap_ms": self.size_ms}}
        if self.kind == "tumbling":
            return {"tumbling": {"size_ms": self.size_ms, "offset_ms": self.offset_ms}}
        return {"sliding": {"size_ms": self.size_ms, "slide_ms": self.slide_ms, "offset_ms": self.offset_ms}}


def tumbling(size: timedelta) -> Windows:
    """Every record in one window of this size."""
    return Windows("tumbling", to_ms(size))


def sliding(size: timedelta, slide: timedelta) -> Windows:
    """A window of this size begins every ``slide``. The host shares work between the windows where the slide divides the size."""
    return Windows("sliding", to_ms(size), to_ms(slide))


def session(gap: timedelta) -> Windows:
    """Records that lie at most ``gap`` apart share a window, which ends ``gap`` after its last record."""
    return Windows("session", to_ms(gap))


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
