"""Process functions: the head that gives each record its slot's state and collects timer changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..block import Block
from ..error import Refusal
from ..record.spec import Spec
from ..schema import Column, Type
from .call import Call
from .chain import Head, Operator
from .outcome import Moment, Outcome
from .port import ROWS_FLUSH, Port, Push
from .slots import CHANGED, Slots
from .stateless import Collected

if TYPE_CHECKING:
    from ..process import Ctx, Declared

TIMER = Column("$timer", Type.I32)


class KeyedOperator(Operator):
    """The operator of a process function of any number of inputs."""

    def __init__(
        self,
        id: int,
        out: Port,
        call: Call,
        declared: Declared,
        handlers: Sequence[tuple[Spec[Any], Callable[[Any, Any], None]]],
        on_timer: Callable[[Any, Any], None],
        key: Spec[Any],
        key_indexes: Sequence[Sequence[int]],
        sides: Sequence[Port],
    ) -> None:
        super().__init__(id, out, declared.slots)
        self.call = call
        self.declared = declared
        self.state: Slots = declared.slots
        self.handlers = handlers
        """Per input, the spec of its records and what handles one."""
        self.on_timer = on_timer
        self.key = key
        self.key_indexes = key_indexes
        """Per input, the columns of the key."""
        self.sides = sides

    def head(self, down: Push | None) -> Head:
        return _KeyedHead(self, down or self.out.push)


def read_keys(block: Block, key: Spec[Any], indexes: Sequence[int]) -> list[Any]:
    """The key of each row; one of a single column is that column's value."""
    columns = [block.column(index, column.type, column.optional) for index, column in zip(indexes, key.columns)]
    return key.make(columns, block.rows)


class _KeyedHead:
    def __init__(self, operator: KeyedOperator, push: Push) -> None:
        self._operator = operator
        self._push = push
        operator.state.touched.undo = [] if operator.undo else None

    def process(self, input: int, at: Moment, block: Block, rows: Sequence[int], slots: Sequence[int]) -> Outcome:
        spec, handler = self._operator.handlers[input]
        records = spec.read(block)
        keys = read_keys(block, self._operator.key, self._operator.key_indexes[input])
        return self._run(at, block.times, keys, rows or range(block.rows), slots, records, handler)

    def on_timer(self, at: Moment, block: Block, slots: Sequence[int]) -> Outcome:
        from ..process import TimerEvent

        operator = self._operator
        width = len(operator.key.columns)
        keys = read_keys(block, operator.key, range(width))
        timers = operator.declared.timers
        times = block.times
        events = [TimerEvent(timers[i], time) for i, time in zip(block.column(width, TIMER.type, False), times)]
        return self._run(at, times, keys, range(block.rows), slots, events, operator.on_timer)

    def fire(self, at: Moment, block: Block, offsets: Sequence[int], slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host fired a window of an operator that has none")

    def _run(
        self,
        at: Moment,
        times: list[int],
        keys: list[Any],
        rows: Sequence[int],
        entries: Sequence[int],
        items: list[Any],
        handler: Callable[[Ctx[Any, Any], Any], None],
    ) -> Outcome:
        from ..process import Ctx

        operator, slots = self._operator, self._operator.state
        touched, call = slots.touched, operator.call
        outs = [Collected(self._push), *(Collected(side.push) for side in operator.sides)]
        for (_, handle, _), collected in zip(operator.declared.sides, outs[1:]):
            handle.collect(collected)
        slots.reserve(entries)
        ctx: Ctx[Any, Any] = Ctx(at.watermark, at.now, keys, outs[0])
        touched.timers = []
        seen: dict[int, int] = {}
        try:
            call.operator = operator.id
            for row, slot in zip(rows, entries):
                time = times[row]
                ctx.at(row, time)
                touched.slot, touched.flags = slot, 0
                before = len(touched.timers)
                try:
                    handler(ctx, items[row])
                except Refusal as refusal:
                    self._undo(outs, before)
                    call.refuse(operator.id, row, str(refusal))
                except BaseException as error:
                    call.trap(operator.id, row, error)
                if touched.undo:
                    touched.undo.clear()
                seen[slot] = seen.get(slot, 0) | touched.flags
                for out in outs:
                    if len(out.records) != len(out.rows):
                        out.settle(time, row)
                        if len(out.records) >= ROWS_FLUSH:
                            out.flush()
                            call.operator = operator.id
        finally:
            touched.slot = None
            for _, handle, _ in operator.declared.sides:
                handle.collect(None)
        for out in outs:
            out.flush()
        outcome = Outcome(timers=touched.timers)
        for slot, flags in seen.items():
            if flags == CHANGED:
                continue
            if slots.is_empty(slot):
                outcome.cleared.append(slot)
            elif not flags & CHANGED:
                outcome.unchanged.append(slot)
        return outcome

    def _undo(self, outs: list[Collected], timers: int) -> None:
        touched = self._operator.state.touched
        touched.roll_back()
        touched.flags = 0
        del touched.timers[timers:]
        for out in outs:
            out.take_back()
