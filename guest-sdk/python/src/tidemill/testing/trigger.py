"""Triggers in their simplest form, after the host's rules: a tree beside the plan's, with one number for each of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NEVER = (1 << 63) - 1
"""No time is waited for."""
USUAL = {"any": ["at-watermark", "late-each"]}
"""The trigger of a window that says nothing of one."""


@dataclass(frozen=True)
class At:
    """What a window is at."""

    end: int
    domain: str
    watermark: int
    now: int
    fresh: bool
    """Some records have come since it fired last."""

    def time(self, domain: str) -> int:
        """The time of a domain."""
        return self.watermark if domain == "event" else self.now

    @property
    def over(self) -> bool:
        """Whether time has come to the window's end."""
        return self.time(self.domain) >= self.end - 1


def _parts(when: Any) -> tuple[str, Any]:
    """The word of a trigger, and what it says beside it."""
    if isinstance(when, str):
        return when, {}
    ((word, said),) = when.items()
    return word, said


def _children(when: Any) -> list[Any]:
    word, said = _parts(when)
    return said if word in ("any", "all") else []


@dataclass
class Memory:
    """What a trigger remembers of a window."""

    number: int = 0
    """A count, whether it has fired, or when it is to."""
    of: list[Memory] = field(default_factory=list)

    @staticmethod
    def new(when: Any) -> Memory:
        """That of a new window."""
        waits = _parts(when)[0] in ("early-every", "after")
        return Memory(NEVER if waits else 0, [Memory.new(one) for one in _children(when)])

    def step(self, when: Any, at: At, record: int | None) -> bool:
        """Whether the window fires: a record of this time came, or time went on."""
        word, said = _parts(when)
        if word == "at-watermark":
            fires = at.over and self.number == 0
            self.number = 1 if at.over else self.number
            return fires
        if word == "late-each":
            return at.over and record is not None
        if word == "count":
            self.number += record is not None
            return self._full(record is not None and self.number >= said["records"])
        if word in ("any", "all"):
            fired = [memory.step(one, at, record) for memory, one in zip(self.of, said)]
            if word == "any":
                return any(fired)
            self.number |= sum(1 << bit for bit, one in enumerate(fired) if one)
            return self._full(self.number == (1 << len(said)) - 1)
        return word != "guest" and self._timed(word, said, at, record)

    def _timed(self, word: str, said: dict[str, Any], at: At, record: int | None) -> bool:
        domain, ms = said["domain"], said["ms"]
        if record is not None and self.number == NEVER and not (word == "early-every" and at.over):
            since = record if domain == "event" else at.now
            self.number = since + ms - (since % ms if word == "early-every" else 0)
        due = self.number <= at.time(domain)
        self.number = NEVER if due else self.number
        return due and (word == "after" or record is not None or at.fresh)

    def _full(self, full: bool) -> bool:
        self.number = 0 if full else self.number
        return full

    def due(self, when: Any, at: At, domain: str) -> int:
        """When time has to be looked at next in a domain."""
        word, said = _parts(when)
        if word == "at-watermark":
            return at.end - 1 if domain == at.domain and self.number == 0 else NEVER
        if word in ("early-every", "after"):
            return self.number if said["domain"] == domain else NEVER
        return min((memory.due(one, at, domain) for memory, one in zip(self.of, _children(when))), default=NEVER)

    def fired(self, when: Any) -> None:
        """The window has fired."""
        if _parts(when)[0] == "after":
            self.number = NEVER
        for memory, one in zip(self.of, _children(when)):
            memory.fired(one)

    def merge(self, when: Any, other: Memory, at: At) -> None:
        """The window takes in another, and reaches to ``at.end`` now."""
        word, _ = _parts(when)
        if word == "count":
            self.number += other.number
        elif word in ("early-every", "after"):
            self.number = min(self.number, other.number)
        elif word == "all":
            self.number |= other.number
        elif word == "at-watermark" and not at.over:
            self.number = 0
        for memory, theirs, one in zip(self.of, other.of, _children(when)):
            memory.merge(one, theirs, at)
