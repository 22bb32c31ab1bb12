"""The windows of the kit's host, one by one, with their triggers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ..plan import LATE, LATE_SIDE, MAIN
from ..runtime import TriggerEvent
from ..runtime.deciding import BOUNDS, Decision
from ..schema import Schema
from ..triggers import Action
from .joins import GREATEST, LEAST
from .keeping import Acc, Bounds, Key, field_of, is_record
from .rows import Row, encoded, order
from .trigger import NEVER, USUAL, At, Memory

if TYPE_CHECKING:
    from .engine import Engine

WINDOWS = ("window", "window-join", "co-group")
_DOMAINS = ("event", "processing")


@dataclass
class Open:
    """An open window of a key."""

    bounds: Bounds
    key: Key
    memory: Memory
    asked: list[int] | None
    """When the job's trigger wants to be asked, in event and in processing time; ``None`` where it is declared."""
    fired: int = 0
    acc: Acc = field(default_factory=Acc)
    rows: list[tuple[int, Row]] = field(default_factory=list)
    """Of a join: the records with their inputs."""
    filled: bool = False
    fresh: bool = False

    @property
    def order(self) -> tuple[int, int, Any]:
        """In which order windows that are due at the same time are come to."""
        return self.bounds[1], self.bounds[0], order(self.key)


@dataclass
class Line:
    """The records of a key in windows that count them, with their inputs."""

    rows: list[tuple[int, Row]] = field(default_factory=list)
    since: int = 0
    due: int = NEVER


class Windows:
    """The windows of one operator."""

    def __init__(self, engine: Engine, id: int) -> None:
        self._engine = engine
        self._id = id
        node = engine.nodes[id]
        details = node.details
        self._sides: list[dict[str, Any]] = details.get("sides", [])
        self._keys: list[list[str]] = [side["key"] for side in self._sides] or [details["key"]]
        self._domain: str = details["domain"]
        self._lateness: int = details["lateness-ms"]
        assigner = details["assigner"]
        self._kind, self._said = (assigner, {}) if isinstance(assigner, str) else next(iter(assigner.items()))
        trigger = details.get("trigger", {"when": USUAL, "purge": False})
        self._when, self._purges = trigger["when"], trigger["purge"]
        compute = details.get("compute", "guest")
        self._aggregate = None if compute == "guest" else compute["host"]
        self._is_guest = node.operator is not None
        self.open: dict[tuple[Bounds, Key], Open] = {}
        self._lines: dict[Key, Line] = {}

    def accept(self, index: int, row: Row) -> None:
        """Gives a row of an input to its windows."""
        engine, event = self._engine, self._domain == "event"
        schema, _ = engine.input(self._id, index)
        key = engine.key(self._keys[index], schema, row)
        if self._kind == "count":
            self._count(key, (index, row))
            return
        time = row.time if event else engine.now
        gap = row.values[schema.index(self._said["field"])] if self._kind == "session-by" else 0
        windows = assign(self._kind, self._said, time, gap)
        if self._merges:
            windows = [self._cover(key, window) for window in windows]
        ours = [window for window in windows if not event or self._cleanup(window) > self._watermark]
        if windows and not ours:
            engine.carry(self._id, f"{LATE_SIDE}{self._sides[index]['name']}" if self._sides else LATE, [row])
        for bounds in reversed(ours):
            window = self._opened(bounds, key)
            if self._merges:
                self._merge_into(window)
            self._add(window, index, row, time)

    @property
    def _merges(self) -> bool:
        return self._kind in ("session", "session-by")

    @property
    def _watermark(self) -> int:
        return self._engine.watermarks[self._id]

    def _cleanup(self, bounds: Bounds) -> int:
        """When a window goes, in its domain."""
        return GREATEST if self._kind == "global" else min(bounds[1] - 1 + self._lateness, GREATEST)

    def _opened(self, bounds: Bounds, key: Key) -> Open:
        asked = [NEVER, NEVER] if self._when == "guest" else None
        return self.open.setdefault((bounds, key), Open(bounds, key, Memory.new(self._when), asked))

    def _at(self, window: Open) -> At:
        return At(window.bounds[1], self._domain, self._watermark, self._engine.now, window.fresh)

    def _cover(self, key: Key, window: Bounds) -> Bounds:
        """The session that a new one grows into with those that it touches."""
        while True:
            touching = [other for other, k in self.open if k == key and touch(window, other)]
            starts, ends = zip(window, *touching)
            if (min(starts), max(ends)) == window:
                return window
            window = min(starts), max(ends)

    def _merge_into(self, whole: Open) -> None:
        """Merges the sessions inside of a window into it."""
        inside = [bounds for bounds, k in self.open if k == whole.key and touch(whole.bounds, bounds) and bounds != whole.bounds]
        for bounds in sorted(inside):
            part = self.open.pop((bounds, whole.key))
            whole.rows.extend(part.rows)
            whole.memory.merge(self._when, part.memory, self._at(whole))
            whole.fired = max(whole.fired, part.fired)
            whole.filled, whole.fresh = whole.filled or part.filled, whole.fresh or part.fresh
            if whole.asked is not None and part.asked is not None:
                whole.asked = [min(pair) for pair in zip(whole.asked, part.asked)]
            if self._aggregate is not None:
                whole.acc.merge(self._aggregate, part.acc)
            if self._is_guest:
                source = self._slot(part)
                self._engine.instance.merge(self._id, [self._slot(whole)], [source])
                self._engine.drop(self._id, [source])

    def _slot(self, window: Open) -> int:
        return self._engine.slot(self._id, window.key, window.bounds)

    def _add(self, window: Open, index: int, row: Row, time: int) -> None:
        decision = None if window.asked is None else self._ask(window, TriggerEvent.RECORD, time, row)
        window.filled = window.fresh = True
        self._gather(window, index, row)
        if decision is None:
            self._step(window, time, time)
        else:
            self._follow(window, decision, time)

    def _gather(self, window: Open, index: int, row: Row) -> None:
        schema, _ = self._engine.input(self._id, index)
        if self._aggregate is not None:
            name = field_of(self._aggregate)
            window.acc.add(self._aggregate, None if name is None else schema.index(name), row)
        elif self._is_guest:
            block = encoded([row], schema)
            self._engine.process(self._id, index, block, [0], [self._slot(window)], [row])
        else:
            window.rows.append((index, row))

    def _step(self, window: Open, record: int | None, time: int) -> None:
        """Tells a declared trigger what happened: a record of a time came, or time went on."""
        if window.memory.step(self._when, self._at(window), record):
            self._fire(window, time)
            if self._purges:
                self._purge(window)

    def _ask(self, window: Open, event: TriggerEvent, time: int, row: Row | None = None) -> Decision:
        """Asks the job's trigger."""
        described, schema = self._described(window, time)
        records = b"" if row is None else encoded([row], self._engine.input(self._id, 0)[0])
        slots, rows = [self._slot(window)], [] if row is None else [0]
        at = self._engine.moment(self._id)
        return self._engine.instance.trigger(self._id, event, at, encoded([described], schema), slots, records, rows)[0]

    def _follow(self, window: Open, decision: Decision, time: int) -> None:
        new = decision.event_time, decision.processing_time
        window.asked = [before if asked is None else asked for asked, before in zip(new, window.asked or [])]
        if decision.action in (Action.FIRE, Action.FIRE_AND_PURGE):
            self._fire(window, time)
        if decision.action in (Action.PURGE, Action.FIRE_AND_PURGE):
            self._purge(window)

    def _purge(self, window: Open) -> None:
        window.filled = window.fresh = False
        window.acc, window.rows = Acc(), []
        if self._is_guest:
            self._engine.instance.purge(self._id, [self._slot(window)])

    def _described(self, window: Open, time: int) -> tuple[Row, Schema]:
        """A window as the row that the job is given, and its columns."""
        schema, _ = self._engine.input(self._id, 0)
        keys = [schema.columns[schema.index(name)] for name in self._keys[0]]
        return Row(time, (*window.key, *window.bounds, window.fired)), Schema((*keys, *BOUNDS))

    def _fire(self, window: Open, time: int) -> None:
        window.memory.fired(self._when)
        window.fresh = False
        if not window.filled:
            return
        time = time if self._kind == "global" else window.bounds[1] - 1
        row, schema = self._described(window, time)
        window.fired += 1
        if self._aggregate is not None:
            head = () if is_record(self._aggregate) else window.key
            self._engine.carry(self._id, MAIN, [Row(time, (*head, *window.bounds, *window.acc.result(self._aggregate)))])
        elif self._is_guest:
            self._engine.fire(self._id, row, schema, self._slot(window))
        else:
            self._engine.joins.window(self._id, window.bounds, window.rows)

    def close(self) -> None:
        """Comes to everything whose time has come, in order, and removes windows that are over."""
        self._cut_short()
        for at, domain in enumerate(_DOMAINS):
            clock = self._engine.now if at else self._watermark
            while (due := min(self._due(at), key=lambda due: (due[0], due[1].order), default=None)) and due[0] <= clock:
                self._come_to(due[1], domain, due[0])

    def _due(self, at: int) -> Iterator[tuple[int, Open]]:
        """When time has to be looked at next in a domain, with the window."""
        for window in self.open.values():
            asked = NEVER if window.asked is None else window.asked[at]
            ends = self._cleanup(window.bounds) if _DOMAINS[at] == self._domain else NEVER
            time = min(window.memory.due(self._when, self._at(window), _DOMAINS[at]), asked, ends)
            if time != NEVER:
                yield time, window

    def _come_to(self, window: Open, domain: str, time: int) -> None:
        engine, event = self._engine, domain == "event"
        before = self._watermark, engine.now
        engine.watermarks[self._id], engine.now = (time, engine.now) if event else (self._watermark, time)
        if window.asked is not None and window.asked[not event] <= time:
            window.asked[not event] = NEVER
            what = TriggerEvent.EVENT_TIME if event else TriggerEvent.PROCESSING_TIME
            self._follow(window, self._ask(window, what, time), time)
        self._step(window, None, time)
        engine.watermarks[self._id], engine.now = before
        if domain == self._domain and self._cleanup(window.bounds) <= time < GREATEST:
            del self.open[window.bounds, window.key]
            if self._is_guest:
                engine.drop(self._id, [self._slot(window)])

    def _count(self, key: Key, one: tuple[int, Row]) -> None:
        """Gives a row to windows that count."""
        line = self._lines.setdefault(key, Line())
        line.rows.append(one)
        line.since += 1
        after = self._said.get("or-after")
        if after is not None and line.since == 1:
            line.due = min((one[1].time if after["domain"] == "event" else self._engine.now) + after["ms"], GREATEST)
        if line.since == self._said.get("slide", self._said["records"]):
            self._fire_line(key, line)
        self._cut_short()

    def _fire_line(self, key: Key, line: Line) -> None:
        """Fires the window of the last records of a key."""
        rows = line.rows[-self._said["records"] :]
        line.rows = list(rows) if "slide" in self._said else []
        line.since, line.due = 0, NEVER
        times = [row.time for _, row in rows]
        window = Open((min(times), max(times) + 1), key, Memory.new(self._when), None, filled=True)
        for index, row in rows:
            self._gather(window, index, row)
        self._fire(window, window.bounds[1] - 1)
        if self._is_guest:
            self._engine.drop(self._id, [self._slot(window)])

    def _cut_short(self) -> None:
        """Fires windows that count and are not full when their time has come."""
        after = self._said.get("or-after")
        if after is None:
            return
        clock = self._watermark if after["domain"] == "event" else self._engine.now
        for key, line in self._lines.items():
            if line.due <= clock and line.rows:
                self._fire_line(key, line)


def assign(kind: str, said: dict[str, Any], time: int, gap: int) -> list[Bounds]:
    """The windows that a record at ``time`` belongs to; ``gap`` is that of the record, where it has one."""
    if kind == "global":
        return [(LEAST, GREATEST)]
    if kind == "days":
        return [_days(said, time)]
    if kind in ("session", "session-by"):
        return [(time, time + (said["gap_ms"] if kind == "session" else max(gap, 1)))]
    size, step = said["size_ms"], said.get("slide_ms", said["size_ms"])
    last = time - (time - said["offset_ms"]) % step
    return [(start, start + size) for start in range(last, time - size, -step)]


_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


def _days(said: dict[str, Any], time: int) -> Bounds:
    """So many days of a time zone, counted from 1970-01-01."""
    zone, count = ZoneInfo(said["timezone"]), said["days"]
    day = (_EPOCH + time * _MILLISECOND).astimezone(zone).date().toordinal() - date(1970, 1, 1).toordinal()
    first = date(1970, 1, 1) + timedelta(days=day // count * count)

    def begins(day: date) -> int:
        return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MILLISECOND

    return begins(first), begins(first + timedelta(days=count))


def touch(a: Bounds, b: Bounds) -> bool:
    """Whether two sessions merge: they overlap or touch."""
    return a[0] <= b[1] and a[1] >= b[0]
