"""The joins of the kit's host, by going through all that is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..plan import LATE_SIDE, MAIN, UNMATCHED
from .keeping import Held
from .rows import Row

if TYPE_CHECKING:
    from .engine import Engine

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
JOINS = ("interval-join", "keyed-join", "temporal-join")
"""Those without windows."""


class Joins:
    """What joins of a job do; what they keep is with each operator."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def accept(self, id: int, index: int, row: Row) -> None:
        """Gives a row to an input of a join."""
        node = self._engine.nodes[id]
        side = node.details["sides"][index]
        held = Held(self._engine.key(side["key"], self._engine.input(id, index)[0], row), index, row)
        watermark = self._engine.watermarks[id]
        interval, temporal = node.kind_name == "interval-join", node.kind_name == "temporal-join"
        late = (interval and row.time < watermark) or (temporal and index == 0 and LEAST < watermark >= row.time)
        if late:
            self._engine.carry(id, f"{LATE_SIDE}{side['name']}", [row])
        elif interval:
            self._meet(id, node.details, held)
            self.release(id)
        elif temporal:
            self._engine.keeping[id].held.append(held)
        else:
            self._latest(id, node.details["sides"], held)

    def release(self, id: int) -> None:
        """Lets go of what finds nobody any more, and joins what has waited for the watermark."""
        node, watermark = self._engine.nodes[id], self._engine.watermarks[id]
        if node.kind_name == "interval-join":

            def last(held: Held) -> int:
                return _partners(node.details, held.side, held.row.time)[1]

            for held in self._take(id, last, lambda held: watermark > last(held) or watermark == GREATEST):
                if not held.matched:
                    self._alone(id, node.details["sides"], held)
        elif node.kind_name == "temporal-join":
            for held in self._take(id, _time, lambda held: held.side == 0 and held.row.time <= watermark):
                self._look_up(id, node.details["sides"], held)

    def window(self, id: int, bounds: tuple[int, int], rows: Sequence[tuple[int, Row]]) -> None:
        """Joins the rows of a window, each with each."""
        sides = self._engine.nodes[id].details["sides"]
        of = [[row.values for index, row in rows if index == side] for side in range(len(sides))]
        if any(_required(side) and not found for side, found in zip(sides, of)):
            for index, row in rows:
                self._unmatched(id, sides[index], row)
            return
        results: list[tuple[Any, ...]] = [bounds]
        for side, found in enumerate(of):
            results = [(*head, *tail) for head in results for tail in found or [self._nothing(id, side)]]
        self._engine.carry(id, MAIN, [Row(bounds[1] - 1, values) for values in results])

    def _take(self, id: int, order: Callable[[Held], int], is_due: Callable[[Held], bool]) -> list[Held]:
        """Takes out what is due, in order."""
        keeping = self._engine.keeping[id]
        due = [held for held in keeping.held if is_due(held)]
        keeping.held = [held for held in keeping.held if not is_due(held)]
        return sorted(due, key=order)

    def _nothing(self, id: int, side: int) -> tuple[None, ...]:
        return (None,) * len(self._engine.input(id, side)[0].columns)

    def _result(self, id: int, time: int, picked: Sequence[Row | None]) -> None:
        """The result of a row of each side, where there is one."""
        cells = (self._nothing(id, side) if row is None else row.values for side, row in enumerate(picked))
        self._engine.carry(id, MAIN, [Row(time, tuple(cell for row in cells for cell in row))])

    def _unmatched(self, id: int, side: dict[str, Any], row: Row) -> None:
        port = f"{UNMATCHED}{side['name']}"
        if any(output.name == port for output in self._engine.nodes[id].outputs):
            self._engine.carry(id, port, [row])

    def _latest(self, id: int, sides: Sequence[dict[str, Any]], held: Held) -> None:
        table = self._engine.keeping[id].latest.setdefault(held.key, [None] * len(sides))
        table[held.side] = held.row
        if all(row is not None or not _required(side) for side, row in zip(sides, table)):
            self._result(id, held.row.time, list(table))

    def _meet(self, id: int, details: dict[str, Any], held: Held) -> None:
        """Joins a row with those of the other side that are near it, and keeps it."""
        first, last = _partners(details, held.side, held.row.time)
        kept = self._engine.keeping[id].held
        near = [other for other in kept if other.key == held.key and other.side != held.side and first <= other.row.time <= last]
        for other in sorted(near, key=_time):
            other.matched = held.matched = True
            picked = [held.row, other.row] if held.side == 0 else [other.row, held.row]
            self._result(id, max(row.time for row in picked), picked)
        kept.append(held)

    def _alone(self, id: int, sides: Sequence[dict[str, Any]], held: Held) -> None:
        if _required(sides[1 - held.side]):
            self._unmatched(id, sides[held.side], held.row)
        else:
            self._result(id, held.row.time, [held.row, None] if held.side == 0 else [None, held.row])

    def _look_up(self, id: int, sides: Sequence[dict[str, Any]], record: Held) -> None:
        """Joins a record with the version of its time, the last that came of equals."""
        kept = self._engine.keeping[id].held
        valid = [held for held in kept if held.side == 1 and held.key == record.key and held.row.time <= record.row.time]
        version = max(reversed(valid), key=_time, default=None)
        if version is None and _required(sides[1]):
            self._unmatched(id, sides[0], record.row)
        else:
            self._result(id, record.row.time, [record.row, None if version is None else version.row])


def _time(held: Held) -> int:
    return held.row.time


def _required(side: dict[str, Any]) -> bool:
    return bool(side.get("required", True))


def _partners(details: dict[str, Any], side: int, time: int) -> tuple[int, int]:
    """The first and the last time of a partner of a row."""
    lower = details["lower-ms"] + details.get("lower-exclusive", False)
    upper = details["upper-ms"] - details.get("upper-exclusive", False)
    return (time + lower, time + upper) if side == 0 else (time - upper, time - lower)
