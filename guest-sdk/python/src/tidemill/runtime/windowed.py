"""Windows that the job computes: records are added to accumulators, accumulators are merged, results are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..block import Block
from ..error import Refusal
from ..evictors import Evictor
from ..record.spec import Spec
from ..window import Window
from .call import Call
from .chain import Head, Operator
from .deciding import BOUNDS, Asked, Decider, Decision
from .keyed import read_keys
from .outcome import Moment, Outcome
from .port import Port, Push
from .slots import Slots, Table
from .stateless import Collected, drain


class Compute:
    """What is computed in a window. An accumulator that is not there yet is ``None``; none is ever changed in place."""

    evicts = False
    """Whether something is taken out of an accumulator when its window fires."""

    def evict(self, acc: Any, after: bool) -> Any:
        """What an evictor leaves, in front of the function or behind it."""
        return acc

    def items(self, block: Block, spec: Spec[Any]) -> list[Any]:
        """What is added for each row: the record, unless a part of it is enough."""
        return spec.read(block)

    def add(self, acc: Any, item: Any) -> Any:
        """The accumulator with an item added."""
        raise NotImplementedError

    def merge(self, acc: Any, other: Any) -> Any:
        """The accumulator with another's content added; neither is ``None``."""
        raise NotImplementedError

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        """The results of the accumulator of each input; one of them is there."""
        raise NotImplementedError


class WindowOperator(Operator):
    """The operator of a window."""

    def __init__(
        self,
        id: int,
        out: Port,
        call: Call,
        compute: Compute,
        tables: Sequence[Table[Any]],
        specs: Sequence[Spec[Any]],
        key: Spec[Any],
        decider: Decider | None = None,
    ) -> None:
        self.state = Slots(tables if decider is None else [*tables, decider.table])
        super().__init__(id, out, self.state)
        self.call = call
        self.compute = compute
        self.tables = tables
        """What is kept of each input."""
        self.specs = specs
        """The records of each input."""
        self.key = key
        self.decider = decider
        """The trigger, where it is a function of the job."""

    def head(self, down: Push | None) -> Head:
        return _WindowHead(self, down or self.out.push)

    def merge(self, target: int, source: int) -> None:
        self.state.reserve((target, source))
        for table in self.tables:
            entries = table.entries
            moved, entries[source] = entries[source], None
            if moved is not None:
                into = entries[target]
                entries[target] = moved if into is None else self.compute.merge(into, moved)
        if self.decider is not None:
            self.decider.merge(target, source)

    def trigger(self, asked: Asked) -> list[Decision]:
        if self.decider is None:
            return super().trigger(asked)
        self.state.reserve(asked.slots)
        return self.decider.decide(self.id, self.call, asked)

    def purge(self, slots: Sequence[int]) -> None:
        self.state.reserve(slots)
        for table in self.tables:
            for slot in slots:
                table.clear(slot)


class _WindowHead:
    def __init__(self, operator: WindowOperator, push: Push) -> None:
        self._operator = operator
        self._push = push

    def process(self, input: int, at: Moment, block: Block, rows: Sequence[int], slots: Sequence[int]) -> Outcome:
        operator = self._operator
        operator.state.reserve(slots)
        items = operator.compute.items(block, operator.specs[input])
        entries, add, call = operator.tables[input].entries, operator.compute.add, operator.call
        call.operator = operator.id
        row = 0
        refused = -1
        before: list[tuple[int, Any]] = []
        try:
            for index, slot in enumerate(slots):
                # A row that belongs to several windows is refused by all of them or by none.
                if rows and rows[index] != row:
                    before.clear()
                row = rows[index] if rows else index
                if row == refused:
                    continue
                try:
                    acc = entries[slot]
                    entries[slot] = add(acc, items[row])
                    if rows:
                        before.append((slot, acc))
                except Refusal as refusal:
                    refused = row
                    for slot, acc in reversed(before):
                        entries[slot] = acc
                    before.clear()
                    call.refuse(operator.id, row, str(refusal))
        except BaseException as error:
            call.trap(operator.id, row, error)
        return Outcome()

    def on_timer(self, at: Moment, block: Block, slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host fired a timer of an operator that has none")

    def apply(self, input: int, at: Moment, record: Block, keys: Block, slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host applied a record of an input that the job does not broadcast")

    def fire(self, at: Moment, block: Block, offsets: Sequence[int], slots: Sequence[int]) -> Outcome:
        operator = self._operator
        operator.state.reserve(slots)
        width = len(operator.key.columns)
        keys = read_keys(block, operator.key, range(width))
        starts, ends, firings = block.read(BOUNDS, width)
        out = Collected(self._push)
        row = 0
        try:
            for row, time in enumerate(block.times):
                operator.call.operator = operator.id
                ours = slots[offsets[row] : offsets[row + 1]]
                accs = [self._merged(table, ours) for table in operator.tables]
                if all(acc is None for acc in accs):
                    continue
                window = Window(keys[row], starts[row], ends[row], firings[row])
                try:
                    if operator.compute.evicts:
                        self._evict(ours[0], window, out, time, row)
                    else:
                        drain(operator.compute.finish(window, *accs), out, time, row, operator.undo)
                except Refusal as refusal:
                    out.take_back()
                    operator.call.refuse(operator.id, row, str(refusal))
                out.settle(time, row)
                out.flush_if_full()
        except BaseException as error:
            operator.call.trap(operator.id, row, error)
        out.flush()
        return Outcome()

    def _evict(self, slot: int, window: Window[Any], out: Collected, time: int, row: int) -> None:
        """The results of a window out of which something is taken; what a refusal stopped takes out nothing."""
        operator = self._operator
        entries, compute = operator.tables[0].entries, operator.compute
        left = compute.evict(entries[slot], False)
        drain(compute.finish(window, left), out, time, row, operator.undo)
        entries[slot] = compute.evict(left, True)

    def _merged(self, table: Table[Any], slots: Sequence[int]) -> Any:
        entries, merge = table.entries, self._operator.compute.merge
        merged = None
        for slot in slots:
            acc = entries[slot]
            if acc is not None:
                merged = acc if merged is None else merge(merged, acc)
        return merged


class Aggregated(Compute):
    """An aggregate with a function of the window and its result."""

    def __init__(self, aggregate: Any, column: int | None, finish: Callable[[Window[Any], Any], Iterable[Any]]) -> None:
        self._aggregate = aggregate
        self._column = column
        self._finish = finish
        self._add = aggregate.add

    def items(self, block: Block, spec: Spec[Any]) -> list[Any]:
        if self._column is None:
            return spec.read(block)
        column = spec.columns[self._column]
        return block.column(self._column, column.type, column.optional)

    def add(self, acc: Any, item: Any) -> Any:
        return self._add(self._aggregate.start() if acc is None else acc, item)

    def merge(self, acc: Any, other: Any) -> Any:
        return self._aggregate.merge(acc, other)

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        return self._finish(window, self._aggregate.finish(accs[0]))


class Folded(Compute):
    """A start and functions."""

    def __init__(self, start: Any, add: Any, merge: Any, finish: Callable[[Window[Any], Any], Iterable[Any]]) -> None:
        self._start = start
        self._add = add
        self._merge = merge
        self._finish = finish

    def add(self, acc: Any, item: Any) -> Any:
        return self._add(self._start if acc is None else acc, item)

    def merge(self, acc: Any, other: Any) -> Any:
        return self._merge(acc, other)

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        return self._finish(window, accs[0])


class Reduced(Compute):
    """Records combined two by two."""

    def __init__(self, f: Callable[[Any, Any], Any]) -> None:
        self._f = f

    def add(self, acc: Any, item: Any) -> Any:
        return item if acc is None else self._f(acc, item)

    def merge(self, acc: Any, other: Any) -> Any:
        return self._f(acc, other)

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        return accs


class Buffered(Compute):
    """All records of a window. Only here an accumulator grows in place: it is a list, and nobody else holds it."""

    def __init__(self, finish: Callable[..., Iterable[Any]]) -> None:
        self._finish = finish

    def add(self, acc: Any, item: Any) -> Any:
        if acc is None:
            return [item]
        acc.append(item)
        return acc

    def merge(self, acc: Any, other: Any) -> Any:
        return acc + other

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        return self._finish(window, list(accs[0]))


class Evicting(Buffered):
    """As :class:`Buffered`, with the event time of each record, which evictors ask for."""

    evicts = True

    def __init__(self, finish: Callable[..., Iterable[Any]], evictor: Evictor[Any]) -> None:
        super().__init__(finish)
        self._evictor = evictor

    def items(self, block: Block, spec: Spec[Any]) -> list[Any]:
        return list(zip(spec.read(block), block.times))

    def evict(self, acc: Any, after: bool) -> Any:
        return self._evictor.kept(acc) if self._evictor.is_after == after else acc

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        return self._finish(window, [record for record, _ in accs[0]])


class CoGrouped(Buffered):
    """All records of a window, those of each input for themselves."""

    def finish(self, window: Window[Any], *accs: Any) -> Iterable[Any]:
        return self._finish(window, *(list(acc or ()) for acc in accs))
