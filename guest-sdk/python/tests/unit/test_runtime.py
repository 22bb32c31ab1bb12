"""What operators do with records: failures and their undoing, state, timers, windows, blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import AT, block, instance, read

from tidemill import (
    I32,
    Ctx,
    DeadLetter,
    Emit,
    EventTimer,
    Job,
    Json,
    ListState,
    MapState,
    Process,
    Refusal,
    TimerEvent,
    Value,
    Window,
    log,
    millis,
    out_of_order,
    record,
    replace,
    seconds,
    tumbling,
)
from tidemill.block import Block
from tidemill.runtime import Failure, TimerAction, TimerOp
from tidemill.testing import JobTest, OperatorTest, ProcessTest


@record
class Item:
    key: int
    text: str


def letters_of(item: Item) -> Iterator[tuple[int, str]]:
    """Emits the text letter by letter; refuses it at a `!`, when some letters have been emitted already."""
    for letter in item.text:
        yield item.key, letter
        if letter == "!":
            raise Refusal("too loud")


def letters(job: Job) -> None:
    (
        job.source("items", Item)
        .flat_map("letters", letters_of)
        .on_error("dead-letter")
        .filter("not-x", lambda pair: pair[1] != "x")
        .sink("out")
    )


def test_what_a_refused_record_emitted_is_taken_back_through_the_chain() -> None:
    job, heard = instance(letters)
    job.link(0, [1, 2])
    outcome = job.process(0, 0, AT, block(Item, [Item(1, "ab"), Item(2, "cd!e"), Item(3, "xf")]), [], [])
    assert outcome.failures == [Failure(1, 1, "too loud")]
    assert len(heard.blocks) == 1
    assert heard.take(tuple[int, str]) == [((1, "a"), 100), ((1, "b"), 100), ((3, "f"), 102)]


def twice_unless_unsure(pair: tuple[int, str]) -> Iterator[tuple[int, str]]:
    key, letter = pair
    yield key, letter
    yield -key, letter
    if letter == "?":
        raise Refusal("unsure")


def test_a_member_of_a_chain_refuses_its_own_record_and_no_other_of_the_row() -> None:
    def job(job: Job) -> None:
        letters = job.source("items", Item).flat_map("letters", letters_of).on_error("skip")
        letters.flat_map("certain", twice_unless_unsure).on_error("dead-letter").sink("out")

    chain, heard = instance(job)
    chain.link(0, [1, 2])
    outcome = chain.process(0, 0, AT, block(Item, [Item(1, "a?b?"), Item(2, "c?!"), Item(3, "d")]), [], [])
    assert outcome.failures == [Failure(0, 2, "unsure"), Failure(0, 2, "unsure"), Failure(1, 1, "too loud")]
    assert [f"{key}{letter}" for (key, letter), _ in heard.take(tuple[int, str])] == ["1a", "-1a", "1b", "-1b", "3d", "-3d"]


def test_refused_records_of_map_filter_timestamps_and_keys_leave_no_gap() -> None:
    def odd(n: int) -> int:
        if n % 2 == 0:
            raise Refusal(f"{n} is even")
        return n * 10

    def job(job: Job) -> None:
        source = job.source("n", int)
        source.map("map", odd).on_error("skip").sink("a")
        source.filter("filter", lambda n: odd(n) > 10).on_error("skip").sink("b")
        source.assign_event_time("time", odd, out_of_order(millis(1))).on_error("skip").sink("c")
        source.key_by_fn("key", odd).count("count").sink("d")

    chain, heard = instance(job)
    data = block(int, [1, 2, 3, 4, 5])
    wanted = {
        1: [(10, 100), (30, 102), (50, 104)],
        3: [(3, 102), (5, 104)],
        5: [(1, 10), (3, 30), (5, 50)],
    }
    for operator, records in wanted.items():
        chain.link(operator, [operator])
        failures = chain.process(operator, 0, AT, data, [], []).failures
        assert failures == [Failure(1, operator, "2 is even"), Failure(3, operator, "4 is even")]
        assert heard.take(int) == records
    chain.link(7, [7])
    chain.process(7, 0, AT, data, [], [])
    assert heard.take(tuple[int, int]) == [((1, 10), 100), ((3, 30), 102), ((5, 50), 104)]


def test_failures_come_in_the_order_of_rows() -> None:
    def refuse_a(n: int) -> int:
        if n == 3:
            raise Refusal("a")
        return n

    def refuse_b(n: int) -> int:
        if n == 1:
            raise Refusal("b")
        return n

    def job(job: Job) -> None:
        job.source("n", int).map("a", refuse_a).on_error("skip").map("b", refuse_b).on_error("skip").sink("out")

    chain, _ = instance(job)
    chain.link(0, [1, 2])
    failures = chain.process(0, 0, AT, block(int, [1, 2, 3]), [], []).failures
    assert failures == [Failure(0, 2, "b"), Failure(2, 1, "a")]


def test_dead_letters_tell_what_was_refused_and_why() -> None:
    def halve(n: int) -> int:
        if n % 2:
            raise Refusal(f"{n} is odd")
        return n // 2

    def job(job: Job) -> None:
        halves = job.source("n", int).map("halve", halve)
        halves.dead_letters().sink("bad")
        halves.sink("out")

    test = JobTest(job)
    for n in (4, 5, 6):
        test.push("n", n)
    assert test.sink("out", int) == [2, 3]
    (letter,) = test.sink("bad", DeadLetter)
    assert (letter.operator, letter.reason) == ("halve", "5 is odd")


class Last(Process[int, Item, str]):
    """Keeps the last text of each key; refuses `bad` after writing it."""

    last: Value[str]
    seen: ListState[int]
    counts: MapState[str, int]
    t: EventTimer

    def on_record(self, ctx: Ctx[int, str], record: Item) -> None:
        if record.text == "look":
            return ctx.emit(self.last.get(""))
        if record.text == "clear":
            self.last.clear()
            self.seen.clear()
            self.counts.clear()
            return self.t.clear()
        self.last.set(record.text)
        self.seen.append(ctx.time)
        self.counts[record.text] = self.counts.get(record.text, 0) + 1
        self.t.add(ctx.time + 1)
        ctx.emit(record.text)
        if record.text == "bad":
            raise Refusal(f"{record.text} is refused")


def last(job: Job) -> None:
    job.source("items", Item).key_by(Item.key).process("last", Last()).on_error("skip").sink("out")


def test_a_refused_record_leaves_state_timers_and_output_as_they_were() -> None:
    test = OperatorTest(last, "last")
    for text in ("a", "bad", "look"):
        test.push(Item(1, text), 10)
    test.push(Item(2, "bad"), 20)
    test.push(Item(2, "look"), 20)
    assert [text for text, _ in test.output(str)] == ["a", "a", ""]
    assert test.timers == [("t", 11)]
    assert test.refused == ["bad is refused", "bad is refused"]


def test_a_call_says_which_slots_are_empty_and_which_unchanged() -> None:
    job, _ = instance(last)
    job.link(0, [1])
    items = [Item(1, "a"), Item(2, "look"), Item(3, "a"), Item(1, "look"), Item(3, "clear"), Item(4, "bad")]
    outcome = job.process(0, 0, AT, block(Item, items), [], [0, 1, 2, 0, 2, 3])
    assert outcome.cleared == [1, 2, 3], "never written, cleared, undone"
    assert outcome.unchanged == []
    assert outcome.timers == [
        TimerOp(0, 0, TimerAction.ADD, 101),
        TimerOp(2, 0, TimerAction.ADD, 103),
        TimerOp(2, 0, TimerAction.CLEAR, 0),
    ]
    outcome = job.process(0, 0, AT, block(Item, [Item(1, "look")]), [], [0])
    assert (outcome.cleared, outcome.unchanged) == ([], [0])


def test_rows_may_be_given_with_gaps() -> None:
    job, heard = instance(last)
    job.link(0, [1])
    job.process(0, 0, AT, block(Item, [Item(1, "a"), Item(2, "b"), Item(1, "c")]), [0, 2], [5, 5])
    assert heard.take(str) == [("a", 100), ("c", 102)]


def test_state_is_exported_and_loaded_again_as_it_was() -> None:
    first, _ = instance(last)
    first.link(0, [1])
    first.process(0, 0, AT, block(Item, [Item(1, "a"), Item(1, "b"), Item(2, "c")]), [], [7, 7, 1])
    exported = first.export_state(1, [7, 3, 1])
    second, heard = instance(last)
    second.link(0, [1])
    second.import_state(1, [0, 1, 2], exported)
    assert second.export_state(1, [0, 1, 2]) == exported
    second.process(0, 0, AT, block(Item, [Item(1, "look")]), [], [0])
    assert heard.take(str) == [("b", 100)]
    second.drop_state(1, [0])
    assert second.export_state(1, [0, 1, 2]) != exported
    with pytest.raises(ValueError, match="a block of 3 rows does not fit 1 slots"):
        second.import_state(1, [0], exported)
    with pytest.raises(ValueError, match="column 0 is not optional string"):
        second.import_state(1, [0], block(Item, [Item(1, "a")]))


def test_an_exception_tells_the_host_its_record_and_its_line() -> None:
    def job(job: Job) -> None:
        job.source("n", int).map("same", lambda n: n, out=int).map("inverse", lambda n: 100 // n, out=int).sink("out")

    chain, heard = instance(job)
    chain.link(0, [1, 2])
    with pytest.raises(ZeroDivisionError):
        chain.process(0, 0, AT, block(int, [5, 0, 7]), [], [])
    (line,) = heard.lines
    assert line.startswith("operator 2 row 1: ZeroDivisionError: ")
    assert "test_runtime.py:" in line


def test_an_exception_of_every_kind_of_function_names_its_record() -> None:
    def divide(n: int) -> int:
        return 100 // n

    def many(n: int) -> Iterator[int]:
        yield divide(n)

    def spread(n: int, out: Emit[int], side: Emit[int]) -> None:
        out.emit(divide(n))

    class Divides(Process[int, int, int]):
        def on_record(self, ctx: Ctx[int, int], record: int) -> None:
            ctx.emit(divide(record))

    def job(job: Job) -> None:
        source = job.source("n", int)
        source.filter("filter", lambda n: divide(n) > 0).sink("a")
        source.flat_map("flat", many).sink("b")
        source.split("split", "side", spread)[0].sink("c")
        keyed = source.key_by_fn("key", lambda n: n // 100, out=int)
        keyed.process("process", Divides()).sink("d")
        keyed.window(tumbling(seconds(1))).fold("fold", 0, lambda acc, n: acc + divide(n), lambda a, b: a + b, one).sink("e")

    chain, heard = instance(job)
    numbers, keyed = block(int, [5, 0, 7]), block(tuple[int, int], [(5, 0), (0, 0), (7, 0)])
    for operator, data, slots in [
        (1, numbers, []),
        (3, numbers, []),
        (5, numbers, []),
        (8, keyed, [0, 0, 0]),
        (10, keyed, [0, 0, 0]),
    ]:
        chain.link(operator, [operator])
        with pytest.raises(ZeroDivisionError):
            chain.process(operator, 0, AT, data, [], slots)
        assert heard.lines.pop().startswith(f"operator {operator} row 1: ZeroDivisionError"), operator
        assert not heard.lines


def one(window: Window[int], acc: int) -> int:
    return acc


def test_a_function_that_lets_stop_iteration_out_does_not_end_the_records() -> None:
    def job(job: Job) -> None:
        empty: list[int] = []
        job.source("n", int).map("next", lambda n: n if n < 2 else next(iter(empty)), out=int).sink("out")

    chain, heard = instance(job)
    chain.link(0, [1])
    with pytest.raises(RuntimeError, match="StopIteration"):
        chain.process(0, 0, AT, block(int, [1, 2, 3]), [], [])
    assert heard.lines[0].startswith("operator 1 row 1: ")


def test_a_record_of_another_type_is_named() -> None:
    def job(job: Job) -> None:
        source = job.source("n", int)
        source.map("text", lambda n: n if n < 2 else str(n), out=int).sink("a")
        source.map("none", lambda n: None, out=Item).sink("b")
        source.map("field", lambda n: Item(n, "a" if n < 2 else n), out=Item).sink("c")
        source.flat_map("late", lambda n: None, out=int).sink("d")

    chain, heard = instance(job)
    said = []
    for operator in (1, 3, 5, 7):
        chain.link(operator, [operator])
        with pytest.raises(TypeError):
            chain.process(operator, 0, AT, block(int, [1, 2, 3]), [], [])
        said.append(heard.lines.pop())
    assert "operator 1 row 1: " in said[0] and "str '2' is no i64" in said[0]
    assert "operator 3 row 0: " in said[1] and "None is no `Item`" in said[1]
    assert "operator 5 row 1: " in said[2] and "field 'text' of Item(key=2, text=2): int 2 is no string" in said[2]
    assert "operator 7 row 0: " in said[3] and "returns or yields them, not None" in said[3]


def test_a_record_that_emits_much_is_handed_on_in_pieces() -> None:
    def job(job: Job) -> None:
        job.source("n", int).flat_map("many", lambda n: range(n), out=int).sink("out")

    chain, heard = instance(job)
    chain.link(0, [1])
    chain.process(0, 0, AT, block(int, [10_000, 600_000, 1]), [], [])
    rows = [Block(data).rows for _, _, data in heard.blocks]
    assert sum(rows) == 610_001
    assert max(rows) <= 4096


def test_large_texts_are_handed_on_in_blocks_that_are_not_too_large() -> None:
    def job(job: Job) -> None:
        job.source("n", int).map("long", lambda n: "x" * (1 << 20) * n, out=str).sink("out")

    chain, heard = instance(job)
    chain.link(0, [1])
    chain.process(0, 0, AT, block(int, [2] * 20), [], [])
    assert [len(text) >> 20 for text, _ in heard.take(str)] == [2] * 20
    with pytest.raises(ValueError, match="larger than"):
        chain.process(0, 0, AT, block(int, [1, 70]), [], [])
    assert heard.lines[0].startswith("operator 1 row 1: ")


def test_log_lines_name_their_operator() -> None:
    def loud(n: int) -> int:
        log.warn(f"{n} is here")
        return n

    def job(job: Job) -> None:
        job.source("n", int).map("loud", loud).sink("out")

    test = JobTest(job)
    test.push("n", 7)
    assert test.log == ["warn operator 1: 7 is here"]


@record
class All:
    type: bool
    small: I32 | None
    large: int
    ratio: float
    raw: bytes
    maybe_raw: bytes | None
    name: str | None
    nested: list[Item]
    json: Json[dict[str, Any]]
    maybe_json: Json[list[int]] | None = None


def test_every_kind_of_field_survives_a_block() -> None:
    def full(n: int) -> All:
        return All(
            n % 2 == 0,
            n if n % 3 else None,
            n - 5,
            n / 7.0,
            bytes([n]) * n,
            b"" if n % 2 else None,
            "ü" * n if n % 5 else None,
            [Item(i, "x") for i in range(n)],
            {"tags": ["a", ""], "depth": n},
            [n] if n % 2 else None,
        )

    records = [full(n) for n in range(20)]
    assert [again for again, _ in read(block(All, records), All)] == records
    assert replace(records[0], name="x").name == "x"


class Alarm(Process[str, int, int]):
    """Emits the sum of what came when an alarm goes off, and sets the next from within."""

    total: Value[int]
    ring: EventTimer

    def on_record(self, ctx: Ctx[str, int], record: int) -> None:
        self.total.set(self.total.get(0) + record)
        self.ring.replace(ctx.time + 100)

    def on_timer(self, ctx: Ctx[str, int], event: TimerEvent) -> None:
        assert event.timer is self.ring and event.time == ctx.time
        total = self.total.get(0)
        ctx.emit(total)
        if total < 10:
            self.total.set(total + 5)
            self.ring.add(ctx.time + 1)
        else:
            self.total.clear()


def test_timers_are_replaced_fired_in_order_and_set_from_within() -> None:
    test = ProcessTest(Alarm())
    test.push("a", 1, 0)
    test.push("a", 2, 50)
    test.push("b", 20, 60)
    assert test.timers == [("ring", 150), ("ring", 160)]
    test.restart()
    test.watermark(155)
    assert test.output() == [(3, 150), (8, 151), (13, 152)]
    assert test.timers == [("ring", 160)]
    test.watermark(1_000)
    assert test.output() == [(20, 160)]
    assert test.timers == []
