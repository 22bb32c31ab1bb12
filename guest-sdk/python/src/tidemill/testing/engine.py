"""The kit's host: runs the operators of a plan one record after the other.

Operators stand in the plan behind what they read, so that going through them by index is going downstream. A record
is carried through all operators before the next is looked at; a watermark is applied to one operator after the other, and
what it releases is carried through first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..job import Job
from ..plan import DEAD_LETTER, FORWARD, LATE, LATE_SIDE, MAIN, Node
from ..record.composite import DeadLetter
from ..record.spec import Spec, spec_of
from ..runtime import Instance, Level, Moment, Outcome
from ..runtime.keyed import TIMER
from ..schema import Column, Schema
from .generators import SPLIT, Clock
from .joins import GREATEST, JOINS, LEAST, Joins
from .keeping import Acc, Bounds, Keeping, Key, field_of, is_record
from .rows import Row, decoded, encoded, order, row_of
from .windows import WINDOWS, Windows

SHARED: Bounds = (LEAST, LEAST)
"""In place of a window: the slot of what all keys share."""
_STATELESS = ("map", "filter", "flat-map", "key-by", "timestamps")


class Recorder:
    """What an instance says to its host."""

    def __init__(self) -> None:
        self.emitted: list[tuple[int, int, bytes]] = []
        self.lines: list[str] = []

    def log(self, level: Level, operator: int, message: str) -> None:
        """Keeps a line."""
        self.lines.append(f"{level.name.lower()} operator {operator}: {message}")

    def emit(self, operator: int, port: int, block: bytes) -> None:
        """Keeps a block."""
        self.emitted.append((operator, port, block))

    def report_failure(self, operator: int, row: int, message: str) -> None:
        """Keeps what a trap is about."""
        self.lines.append(f"operator {operator} fails at row {row}: {message}")


class Engine:
    """A running job."""

    def __init__(self, job: Callable[[Job], None], arguments: Sequence[tuple[str, str]], only: str | None = None) -> None:
        self.host = Recorder()
        self.instance, _ = Instance.plan(job, arguments, self.host)
        self.nodes: list[Node] = self.instance.graph.nodes
        self.keeping = [Keeping() for _ in self.nodes]
        self.joins = Joins(self)
        self.windows = {id: Windows(self, id) for id, node in enumerate(self.nodes) if node.kind_name in WINDOWS}
        self.watermarks = [LEAST] * len(self.nodes)
        self.now = 0
        self.collected: dict[tuple[int, str], list[Row]] = {}
        self.refused: list[str] = []
        self.only = None if only is None else self.find(only)
        """Only this operator runs."""
        self.clock = Clock(self)
        self._link()

    def _link(self) -> None:
        """Links chains by the host's rule: a stateless operator joins the one before it, if it is its only reader."""
        chains: list[list[int]] = []
        for id, node in enumerate(self.nodes):
            if node.operator is None:
                continue
            before = self._fuses_behind(id) if self.only is None else None
            chain = next((chain for chain in chains if chain[-1] == before), None)
            if chain is None:
                chains.append([id])
            else:
                chain.append(id)
        for members in chains:
            self.instance.link(members[0], members)

    def _fuses_behind(self, id: int) -> int | None:
        node = self.nodes[id]
        if len(node.inputs) != 1 or node.kind_name not in _STATELESS:
            return None
        spec = node.inputs[0]
        before = self.find(spec.origin)
        alone = len(self._readers(before, MAIN)) == 1 and spec.port == MAIN and spec.partition == FORWARD
        if node.chaining is not None or self.nodes[before].chaining == "never":
            return None
        guest = self.nodes[before].operator is not None and self.nodes[before].kind_name != "timestamps"
        return before if alone and guest else None

    def find(self, name: str) -> int:
        """The operator of a name."""
        for id, node in enumerate(self.nodes):
            if node.name == name:
                return id
        raise LookupError(f"the job has no operator {name!r}; it has {', '.join(node.name for node in self.nodes)}")

    def _readers(self, origin: int, port: str) -> list[tuple[int, int]]:
        """The operators and inputs that read a port."""
        name = self.nodes[origin].name
        pairs = ((id, i, spec) for id, node in enumerate(self.nodes) for i, spec in enumerate(node.inputs))
        return [(id, i) for id, i, spec in pairs if spec.origin == name and spec.port == port]

    def port(self, id: int, port: str) -> tuple[Schema, Spec[Any]]:
        """The columns of a port, and its records."""
        if port == LATE:
            return self.input(id, 0)
        for index, side in enumerate(self._sides(id)):
            if port == f"{LATE_SIDE}{side['name']}":
                return self.input(id, index)
        if port == DEAD_LETTER:
            return spec_of(DeadLetter).schema, spec_of(DeadLetter)
        for output in self.nodes[id].outputs:
            if output.name == port:
                return output.schema, output.spec
        raise LookupError(f"operator {self.nodes[id].name!r} has no output {port!r}")

    def _sides(self, id: int) -> list[dict[str, Any]]:
        sides: list[dict[str, Any]] = self.nodes[id].details.get("sides", [])
        return sides

    def input(self, id: int, index: int) -> tuple[Schema, Spec[Any]]:
        """The columns that an input reads, and its records."""
        inputs = self.nodes[id].inputs
        if index >= len(inputs):
            raise LookupError(f"operator {self.nodes[id].name!r} has {len(inputs)} inputs")
        return self.port(self.find(inputs[index].origin), inputs[index].port)

    def carry(self, origin: int, port: str, rows: list[Row]) -> None:
        """Hands rows that left a port to its readers."""
        if not rows:
            return
        if self.only is None or self.only == origin:
            self.collected.setdefault((origin, port), []).extend(rows)
        if self.only is None:
            for to, index in self._readers(origin, port):
                self.accept(to, index, rows)

    def accept(self, id: int, index: int, rows: list[Row]) -> None:
        """Gives rows to an input of an operator."""
        kind = self.nodes[id].kind_name
        if kind == "source":
            raise LookupError(f"{self.nodes[id].name!r} is a source: it has no input")
        if kind == "sink":
            self.collected.setdefault((id, MAIN), []).extend(rows)
        elif kind == "union":
            self.carry(id, MAIN, rows)
        elif kind == "rolling":
            self._roll(id, rows)
        elif kind in WINDOWS:
            for row in rows:
                self.windows[id].accept(index, row)
        elif kind in JOINS:
            for row in rows:
                self.joins.accept(id, index, row)
        elif kind == "process":
            self._process(id, index, rows)
        else:
            block = encoded(rows, self.input(id, index)[0])
            self.process(id, index, block, [], [], rows)

    def process(self, id: int, index: int, block: bytes, places: Sequence[int], slots: Sequence[int], rows: Sequence[Row]) -> None:
        """Gives a block of rows to an operator of the job."""
        self._settle(id, self.instance.process(id, index, self.moment(id), block, places, slots), rows)

    def moment(self, id: int) -> Moment:
        """The times of an operator."""
        return Moment(self.watermarks[id], self.now)

    def _settle(self, id: int, outcome: Outcome, rows: Sequence[Row]) -> None:
        """Does what a call asked for and carries on what it emitted."""
        keeping = self.keeping[id]
        for op in outcome.timers:
            keeping.timers.apply(op, keeping.slots.key(op.slot))
        if outcome.cleared:
            self.drop(id, outcome.cleared)
        for failure in outcome.failures:
            self._refuse(failure.operator, failure.message, rows[failure.row])
        emitted, self.host.emitted = self.host.emitted, []
        for operator, port, block in emitted:
            output = self.nodes[operator].outputs[port]
            left = decoded(block, output.schema)
            self._observe(operator, left, block)
            self.carry(operator, output.name, left)

    def drop(self, id: int, slots: Sequence[int]) -> None:
        """Empties slots and forgets them."""
        self.instance.drop_state(id, slots)
        for slot in slots:
            self.keeping[id].slots.forget(slot)

    def _refuse(self, id: int, message: str, row: Row) -> None:
        node = self.nodes[id]
        if node.on_error == "fail" and self.only is None:
            raise AssertionError(f"operator {node.name!r} refused a record and the job fails: {message}")
        self.refused.append(message)
        if node.on_error == "dead-letter":
            letter = DeadLetter(node.name, "test", message, repr(row.values))
            self.carry(id, DEAD_LETTER, [row_of(spec_of(DeadLetter), letter, row.time)])

    def _observe(self, id: int, rows: Sequence[Row], block: bytes) -> None:
        """Watermarks are made behind an operator that gives event times."""
        node = self.nodes[id]
        if node.kind_name != "timestamps" or self.only is not None:
            return
        if "guest" in node.details:
            said = self.instance.watermark(id, SPLIT, self.now, block)
            times = [] if said is None else [said]
        else:
            times = [watermark(node.kind["timestamps"], row.time) for row in rows]
        self.watermarks[id] = max([self.watermarks[id], *times])

    def key(self, names: Sequence[str], schema: Schema, row: Row) -> Key:
        """The key of a row, by the names of its columns."""
        return tuple(row.values[schema.index(name)] for name in names)

    def _process(self, id: int, index: int, rows: list[Row]) -> None:
        schema, _ = self.input(id, index)
        keys = self.nodes[id].details["keys"]
        names = keys[index] if index < len(keys) else []
        slots = [self.slot(id, self.key(names, schema, row)) for row in rows] if names else []
        outcome = self.instance.process(id, index, self.moment(id), encoded(rows, schema), [], [*slots, *self._shared(id)])
        refused = [failure.row for failure in outcome.failures if failure.operator == id]
        self._settle(id, outcome, rows)
        if index == len(keys) and self.nodes[id].details["broadcast"]["apply"]:
            for row in (row for at, row in enumerate(rows) if at not in refused):
                self._apply(id, index, row)
        self._fire_timers(id)

    def slot(self, id: int, key: Key, window: Bounds | None = None) -> int:
        """The slot of a key and, for windows, the window."""
        return self.keeping[id].slots.slot((key, window))

    def _shared(self, id: int) -> list[int]:
        """The slot of what all keys share, where there is any."""
        return [self.slot(id, (), SHARED)] if "broadcast" in self.nodes[id].details else []

    def _apply(self, id: int, index: int, row: Row) -> None:
        """Applies a broadcast row to every key that has state or a timer."""
        keeping, columns = self.keeping[id], self._key_columns(id)
        timed = [key for _, _, key in keeping.timers.all()]
        for key in sorted({*keeping.slots.keys(), *timed}, key=order):
            block, keys = encoded([row], self.input(id, index)[0]), encoded([Row(row.time, key)], Schema(tuple(columns)))
            outcome = self.instance.apply(id, index, self.moment(id), block, keys, [self.slot(id, key), *self._shared(id)])
            self._settle(id, outcome, [row])

    def _key_columns(self, id: int) -> list[Column]:
        """The columns of the key of a process function."""
        schema, _ = self.input(id, 0)
        return [schema.columns[schema.index(name)] for name in self.nodes[id].details["keys"][0]]

    def _fire_timers(self, id: int) -> None:
        node = self.nodes[id]
        if node.kind_name != "process":
            return
        timers = node.details.get("timers", [])
        keys = self._key_columns(id)

        def limit(timer: int) -> int:
            return self.watermarks[id] if timers[timer]["domain"] == "event" else self.now

        while (due := self.keeping[id].timers.due(limit)) is not None:
            time, timer, key = due
            slots = [self.slot(id, key), *self._shared(id)]
            rows = [Row(time, (*key, timer))]
            block = encoded(rows, Schema((*keys, TIMER)))
            self._settle(id, self.instance.on_timer(id, self.moment(id), block, slots), rows)

    def _roll(self, id: int, rows: list[Row]) -> None:
        schema, _ = self.input(id, 0)
        details = self.nodes[id].details
        aggregate = details["aggregate"]
        field = field_of(aggregate)
        column = None if field is None else schema.index(field)
        for row in rows:
            key = self.key(details["key"], schema, row)
            acc = self.keeping[id].rolling.setdefault(key, Acc())
            acc.add(aggregate, column, row)
            head = () if is_record(aggregate) else key
            self.carry(id, MAIN, [Row(row.time, (*head, *acc.result(aggregate)))])

    def fire(self, id: int, window: Row, schema: Schema, slot: int) -> None:
        """Fires a window that the job computes."""
        self._settle(id, self.instance.fire(id, self.moment(id), encoded([window], schema), [0, 1], [slot]), [window])

    def watermark(self, id: int, watermark: int) -> None:
        """Raises an operator's watermark and, unless it runs alone, that of all behind it."""
        self.watermarks[id] = max(self.watermarks[id], watermark)
        self._release(id)
        self.spread()

    def spread(self) -> None:
        """Brings every operator's watermark to the least of its inputs'."""
        if self.only is not None:
            return
        for id, node in enumerate(self.nodes):
            if not node.inputs:
                continue
            least = min(self.watermarks[self.find(spec.origin)] for spec in node.inputs)
            if node.kind_name == "timestamps" and least != GREATEST:
                continue
            if least > self.watermarks[id]:
                self.watermarks[id] = least
                self._release(id)

    def set_now(self, now: int) -> None:
        """Sets the clock."""
        self.now = max(self.now, now)
        if self.only is None:
            self.clock.ask()
        for id in range(len(self.nodes)):
            self._release(id)

    def _release(self, id: int) -> None:
        self._fire_timers(id)
        if id in self.windows:
            self.windows[id].close()
        self.joins.release(id)

    def timers(self, id: int) -> list[tuple[str, int]]:
        """The timers of an operator: name and time."""
        names = [timer["name"] for timer in self.nodes[id].details.get("timers", [])]
        return [(names[timer], time) for time, timer, _ in self.keeping[id].timers.all()]

    def restart(self, id: int) -> None:
        """Exports the state of an operator, drops it and loads it again: what a restart does."""
        slots, operator = self.keeping[id].slots.all(), self.nodes[id].operator
        if operator is not None:
            operator.forget_splits()
        if operator is None or not slots:
            return
        exported = self.instance.export_state(id, slots)
        self.instance.drop_state(id, slots)
        self.instance.import_state(id, slots, exported)
        again = self.instance.export_state(id, slots)
        assert again == exported, "state that was restored is exported as it was"


def watermark(watermarks: Any, time: int) -> int:
    """The watermark that follows from an event time, as the plan says."""
    bound: int = 0 if watermarks == "monotonic" else watermarks["bounded"]["ms"]
    return max(time - bound - 1, LEAST)
