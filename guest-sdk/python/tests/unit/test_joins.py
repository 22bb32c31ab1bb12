"""Joins and co-groups in the test kit: what a job that joins says of itself, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from support import block, read

from tidemill import (
    Job,
    JobError,
    KeyedStream,
    Window,
    WindowRecord,
    days,
    millis,
    out_of_order,
    record,
    session,
    tumbling,
)
from tidemill.record.spec import Misfit, spec_of
from tidemill.testing import JobTest, OperatorTest


@record
class Left:
    key: str
    n: int
    at: int


@record
class Right:
    key: str
    text: str
    note: str | None
    at: int


Keyed = tuple[KeyedStream[str, Left], KeyedStream[str, Right]]
Pairs = list[tuple[int, str]]


def sources(job: Job) -> Keyed:
    left = job.source("left", Left).event_time(Left.at, out_of_order(millis(100)))
    right = job.source("right", Right).event_time(Right.at, out_of_order(millis(100)))
    return left.key_by(Left.key), right.key_by(Right.key)


def shown(row: tuple[Left | None, Right | None]) -> tuple[int, str]:
    left, right = row
    return left.n if left else 0, right.text if right else "-"


def run(
    build: Callable[[Job, KeyedStream[str, Left], KeyedStream[str, Right]], None],
    left: Sequence[tuple[int, int]],
    right: Sequence[tuple[str, int]],
) -> tuple[Pairs, JobTest]:
    """What a job gives at a sink ``pairs`` for rows of both sides."""
    test = JobTest(lambda job: build(job, *sources(job)))
    for n, at in left:
        test.push("left", Left("k", n, at))
    for text, at in right:
        test.push("right", Right("k", text, None, at))
    test.restart()
    test.finish()
    return test.sink("pairs", tuple[int, str]), test


def test_within_some_time() -> None:
    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        near = left.side("l").join(right.side("r")).within("j", -millis(2), millis(5), upper_exclusive=True)
        near.map("m", shown).sink("pairs")
        near.unmatched("l", Left).sink("alone")
        near.late("r", Right).sink("late")

    found, test = run(build, [(1, 10), (2, 50)], [("a", 8), ("b", 14), ("c", 15), ("d", 7)])
    assert found == [(1, "a"), (1, "b")]
    assert [left.n for left in test.sink("alone", Left)] == [2]
    assert test.sink("late", Right) == []


def test_bounds_may_be_left_out() -> None:
    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        left.side("l").join(right.side("r")).within("j", millis(0), millis(5), lower_exclusive=True).map("m", shown).sink("pairs")

    assert run(build, [(1, 10)], [("a", 10), ("b", 11), ("c", 15), ("d", 16)])[0] == [(1, "b"), (1, "c")]


@pytest.mark.parametrize(
    ("optional", "expected"),
    [
        ("", [(1, "a")]),
        ("r", [(1, "a"), (2, "-")]),
        ("l", [(1, "a"), (0, "b")]),
        ("lr", [(1, "a"), (2, "-"), (0, "b")]),
    ],
)
def test_a_side_that_is_optional_may_be_absent(optional: str, expected: Pairs) -> None:
    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        sides: list[Any] = [left.side("l"), right.side("r")]
        first, second = (side.optional() if name in optional else side for side, name in zip(sides, "lr"))
        first.join(second).within("j", millis(0), millis(5)).filter("f", lambda _: True).map("m", shown).sink("pairs")

    assert run(build, [(1, 10), (2, 20)], [("a", 12), ("b", 30)])[0] == expected


def test_late_records_of_a_join_leave_by_their_side() -> None:
    def job(job: Job) -> None:
        left, right = sources(job)
        near = left.side("l").join(right.side("r")).within("j", millis(0), millis(5))
        near.map("m", shown).sink("pairs")
        near.late("l", Left).sink("late")

    test = JobTest(job)
    test.push("left", Left("k", 1, 1000))
    test.push("right", Right("k", "a", None, 1000))
    test.push("left", Left("k", 2, 899))
    assert [left.n for left in test.sink("late", Left)] == []
    test.push("left", Left("k", 3, 898))
    assert [left.n for left in test.sink("late", Left)] == [3]
    assert test.sink("pairs", tuple[int, str]) == [(1, "a")]


def test_the_last_of_each() -> None:
    def row(row: tuple[Left, Right, Right | None]) -> tuple[int, str]:
        left, right, other = row
        return left.n, f"{right.text}{other is not None}"

    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        table = left.side("l").join(right.side("r")).join(right.side("other").optional()).latest("j")
        table.map("m", row).sink("pairs")

    found, _ = run(build, [(1, 10), (2, 5)], [("a", 12), ("b", 3)])
    assert found == [(2, "aFalse"), (2, "aTrue"), (2, "bTrue"), (2, "bTrue")]


def test_the_version_of_a_time() -> None:
    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        left.side("l").join(right.side("r").optional()).as_of("j").map("m", shown).sink("pairs")

    found, _ = run(build, [(1, 10), (2, 25), (3, 19)], [("a", 12), ("b", 20)])
    assert found == [(1, "-"), (3, "a"), (2, "b")], "in order of time"


def test_each_with_each_of_a_window() -> None:
    def pair(row: WindowRecord[tuple[Left, Right]]) -> tuple[int, str]:
        left, right = row.record
        return left.n + row.start, right.text

    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        together = left.side("l").join(right.side("r")).window(tumbling(millis(10))).allowed_lateness(millis(5)).join("j")
        together.map("m", pair).sink("pairs")
        together.unmatched("r", Right).sink("alone")

    found, test = run(build, [(1, 11), (2, 12), (3, 33)], [("a", 13), ("b", 19), ("c", 20)])
    assert found == [(11, "a"), (11, "b"), (12, "a"), (12, "b")]
    assert [right.text for right in test.sink("alone", Right)] == ["c"]


def texts(window: Window[str], left: list[Left], right: list[Right]) -> Iterator[tuple[int, str]]:
    yield sum(record.n for record in left), f"{window.start}..{window.end} {' '.join(record.text for record in right)}"


def test_a_window_of_two_streams_at_once() -> None:
    def build(job: Job, left: KeyedStream[str, Left], right: KeyedStream[str, Right]) -> None:
        group = left.co_group(right, session(millis(10))).process("g", texts)
        group.sink("pairs")
        group.late_second().sink("late")

    found, _ = run(build, [(1, 1), (2, 20)], [("c", 25), ("a", 11), ("b", 60)])
    assert found == [(3, "1..35 c a"), (0, "60..70 b")], "a record of the other stream makes one session of two"


def test_a_co_group_fires_again_for_what_is_late_and_lets_go_of_what_is_later() -> None:
    def job(job: Job) -> None:
        left, right = sources(job)
        group = left.co_group(right, tumbling(millis(10))).allowed_lateness(millis(100)).process("g", texts)
        group.sink("pairs")
        group.late_first().sink("late")

    test = JobTest(job)
    for source, record_ in (("left", Left("k", 1, 5)), ("left", Left("k", 0, 120)), ("right", Right("k", "a", None, 120))):
        test.push(source, record_)
    assert test.sink("pairs", tuple[int, str]) == [(1, "0..10 ")]
    test.push("left", Left("k", 2, 6))
    test.restart()
    assert test.sink("pairs", tuple[int, str]) == [(3, "0..10 ")]
    test.push("left", Left("k", 0, 400))
    test.push("right", Right("k", "a", None, 400))
    test.push("left", Left("k", 4, 7))
    assert [left.n for left in test.sink("late", Left)] == [4]


def test_one_side_of_a_co_group_under_test() -> None:
    def job(job: Job) -> None:
        left, right = sources(job)
        left.co_group(right, tumbling(days(1))).process("g", texts).sink("pairs")

    test = OperatorTest(job, "g")
    test.push(Right("k", "a", "note", 7), 7, input=1)
    test.watermark(90_000_000)
    assert test.output(tuple[int, str]) == [((0, "0..86400000 a"), 86_399_999)]


Maybe = tuple[Left, Right | None]


def test_a_record_may_be_absent_in_a_tuple_and_what_is_absent_has_no_column() -> None:
    row: list[Maybe] = [
        (Left("k", n, n), right) for n, right in enumerate((Right("k", "a", None, 1), None, Right("", "", "note", 2), None, None))
    ]
    columns = "f0.key:string,f0.n:i64,f0.at:i64,f1.key:string?,f1.text:string?,f1.note:string?,f1.at:i64?"
    assert str(spec_of(Maybe).schema) == columns
    assert [pair for pair, _ in read(block(Maybe, row), Maybe)] == row
    assert [pair for pair, _ in read(block(Maybe, row[:1]), Maybe)] == row[:1]


def test_a_wrong_record_beside_absent_ones_is_named() -> None:
    rows: list[Any] = [(Left("k", 1, 1), None), (Left("k", 1, 1), Left("k", 1, 1))]
    with pytest.raises(Misfit, match=r"Left\(key='k', n=1, at=1\) is no `Right`") as raised:
        block(Maybe, rows)
    assert raised.value.row == 1


def error(build: Callable[[KeyedStream[str, Left], KeyedStream[str, Right]], Any]) -> str:
    with pytest.raises(JobError) as raised:
        JobTest(lambda job: build(*sources(job)))
    return str(raised.value)


def test_what_is_wrong_with_a_join_is_said() -> None:
    def table(left: Any, right: Any) -> Any:
        return left.side("l").join(right.side("r")).latest("j")

    computed = error(lambda left, right: left.side("l").join(right._stream.key_by_fn("k", lambda r: r.key, out=str).side("r")))
    assert "side 'r' has a key that is computed" in computed
    assert "side 'r' of join 'j' has other records than `Left`" in error(lambda *both: table(*both).unmatched("r", Left))
    assert "join 'j' has no side 'x'; it has 'l', 'r'" in error(lambda *both: table(*both).late("x", Left))
    assert "where nothing is late" in error(lambda *both: table(*both).late("r", Right))
    assert "two sides of a join are called 'l'" in error(lambda left, right: left.side("l").join(right.side("l")))
    assert "keys of the same types" in error(lambda left, right: left.side("l").join(right._stream.key_by(Right.at).side("r")))
    assert "what is joined is a side" in error(lambda left, right: left.side("l").join(right))
    assert "keys of the same types" in error(lambda left, right: left.co_group(right._stream.key_by(Right.at), tumbling(days(1))))
    clock = tumbling(days(1)).processing_time()
    assert "processing time" in error(lambda left, right: left.co_group(right, clock).process("g", texts).late_first())
    assert "processing time" in error(
        lambda left, right: left.side("l").join(right.side("r")).window(clock).join("j").late("l", Left)
    )
