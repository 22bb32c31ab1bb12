"""Watermarks that the job makes: what the plan says, who is asked, and what its answers do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from support import Heard, block, instance

from tidemill import (
    Generated,
    Job,
    JobError,
    Refusal,
    WatermarkGenerator,
    Watermarks,
    WindowCount,
    generator,
    millis,
    monotonic,
    periodic,
    punctuated,
    record,
    seconds,
    tumbling,
)
from tidemill.runtime import Instance
from tidemill.testing import JobTest, WatermarkTest


@record
class Line:
    user: str
    at: int
    mark: int | None = None


class Greatest(WatermarkGenerator[Line]):
    """The greatest time, behind every record."""

    def __init__(self) -> None:
        self.greatest = 0

    def on_event(self, line: Line, time: int) -> int:
        self.greatest = max(self.greatest, time)
        return self.greatest


def mark(line: Line, time: int) -> int | None:
    return line.mark


def greatest(noted: int, line: Line, time: int) -> int:
    return max(noted, time)


def by_clock(every: timedelta) -> Generated[Line]:
    return periodic(every, lambda: -1, greatest, lambda noted, now: noted if now < 5_000 else now)


def counts(watermarks: Generated[Line] | Watermarks) -> Callable[[Job], None]:
    def job(job: Job) -> None:
        timed = job.source("lines", Line).assign_event_time("timed", lambda line: line.at, watermarks)
        timed.key_by(Line.user).window(tumbling(millis(10))).count("n").sink("counts")

    return job


def started(watermarks: Generated[Line]) -> tuple[Instance, Heard]:
    linked, heard = instance(counts(watermarks))
    linked.link(0, [1])
    return linked, heard


def windows(test: JobTest) -> list[tuple[int, int]]:
    return [(window.start, window.count) for window in test.sink("counts", WindowCount[str])]


@pytest.mark.parametrize(
    ("watermarks", "said"),
    [
        (punctuated(mark), {"guest": {}}),
        (generator(Greatest), {"guest": {}}),
        (generator(Greatest, every=seconds(2)), {"guest": {"every-ms": 2_000}}),
        (by_clock(millis(200)), {"guest": {"every-ms": 200}}),
    ],
)
def test_the_plan_says_that_the_component_makes_them(watermarks: Generated[Line], said: object) -> None:
    _, document = Instance.plan(counts(watermarks), [], Heard())
    assert json.loads(document)["operators"][1]["kind"] == {"timestamps": said}


def test_of_the_answers_for_a_block_the_greatest_counts() -> None:
    linked, _ = started(punctuated(mark))
    lines = [Line("a", 1), Line("a", 2, 7), Line("a", 3, 4), Line("a", 4)]
    assert linked.watermark(1, 0, 0, block(Line, lines)) == 7
    assert linked.watermark(1, 0, 0, block(Line, lines[2:])) == 4, "that it is lower is the host's to see"
    assert linked.watermark(1, 0, 0, block(Line, lines[:1])) is None
    assert linked.watermark(1, 0, 0, b"") is None, "marks come with records"


def test_a_generator_sees_the_event_times_of_the_block() -> None:
    linked, _ = started(generator(Greatest))
    assert linked.watermark(1, 0, 0, block(Line, [Line("a", 1), Line("a", 2)], first=50)) == 51


def test_each_split_has_a_generator_of_its_own() -> None:
    linked, _ = started(by_clock(millis(200)))
    assert linked.watermark(1, 0, 0, block(Line, [Line("a", 1)], first=9)) is None
    assert linked.watermark(1, 3, 0, block(Line, [Line("a", 1)], first=5)) is None
    assert [linked.watermark(1, split, 0, b"") for split in (0, 3, 1)] == [9, 5, -1]
    assert linked.watermark(1, 0, 6_000, b"") == 6_000, "it is told the processing time"


def test_a_generator_that_raises_names_the_record() -> None:
    def angry(line: Line, time: int) -> int | None:
        if line.user == "b":
            raise Refusal("no mark of b")
        return None

    linked, heard = started(punctuated(angry))
    with pytest.raises(Refusal):
        linked.watermark(1, 0, 0, block(Line, [Line("a", 1), Line("b", 2)]))
    assert heard.lines[0].startswith("operator 1 row 1: ")
    assert "no mark of b" in heard.lines[0]


@pytest.mark.parametrize("wrong", ["noon", True, 1.5, 1 << 63])
def test_a_watermark_is_an_int_or_none(wrong: Any) -> None:
    linked, heard = started(punctuated(lambda line, time: wrong))
    with pytest.raises(TypeError, match="a watermark is an int of milliseconds since 1970, or None"):
        linked.watermark(1, 0, 0, block(Line, [Line("a", 1)]))
    assert heard.lines[0].startswith("operator 1 row 0: ")
    linked, _ = started(periodic(seconds(1), int, greatest, lambda noted, now: wrong))
    with pytest.raises(TypeError, match="a watermark is an int"):
        linked.watermark(1, 0, 0, b"")


def test_times_close_windows_by_the_rule_of_the_host() -> None:
    test = JobTest(counts(monotonic()))
    test.push("lines", Line("a", 1))
    assert windows(test) == []
    test.push("lines", Line("a", 12))
    assert windows(test) == [(0, 1)]


def test_marks_close_windows_and_times_do_not() -> None:
    test = JobTest(counts(punctuated(mark)))
    for line in (Line("a", 1), Line("a", 35), Line("a", 2)):
        test.push("lines", line)
    assert windows(test) == []
    test.push("lines", Line("a", 12, 9))
    assert windows(test) == [(0, 2)]
    test.push("lines", Line("a", 13, 5))
    test.push("lines", Line("a", 3))
    assert windows(test) == [], "a lower mark changes nothing"
    test.finish()
    assert windows(test) == [(10, 2), (30, 1)]


def test_the_clock_closes_windows() -> None:
    test = JobTest(counts(by_clock(seconds(1))))
    test.push("lines", Line("a", 1))
    test.push("lines", Line("a", 20))
    test.set_processing_time(999)
    assert windows(test) == []
    test.set_processing_time(1_000)
    assert windows(test) == [(0, 1)]
    test.push("lines", Line("a", 40))
    test.set_processing_time(1_999)
    assert windows(test) == [], "it was asked a second ago at the least"
    test.set_processing_time(2_000)
    assert windows(test) == [(20, 1)]


class Second(WatermarkGenerator[Line]):
    """Knows nothing before its second record."""

    def __init__(self) -> None:
        self.seen = 0

    def on_event(self, line: Line, time: int) -> int | None:
        self.seen += 1
        return time if self.seen > 1 else None


def test_a_restart_begins_with_a_new_generator_and_keeps_event_time() -> None:
    test = JobTest(counts(generator(Second)))
    for at in (1, 12):
        test.push("lines", Line("a", at))
    assert windows(test) == [(0, 1)]
    test.restart()
    for at in (3, 20):
        test.push("lines", Line("a", at))
        test.restart()
    assert windows(test) == [], "none has seen a second record, and the first window is closed"
    for at in (21, 22):
        test.push("lines", Line("a", at))
    assert windows(test) == [(10, 1)]


def test_a_generator_is_tested_alone() -> None:
    test = WatermarkTest(generator(Greatest, every=seconds(1)))
    assert test.watermark is None
    test.push(Line("a", 1), 70)
    test.push(Line("a", 1), 60)
    assert test.watermark == 70
    alone = WatermarkTest(by_clock(seconds(1)))
    alone.push(Line("a", 1), 30)
    alone.set_processing_time(999)
    assert alone.watermark is None
    alone.set_processing_time(1_000)
    assert alone.watermark == 30


def test_what_cannot_be_is_refused() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="generator takes what makes a generator"):
        generator(wrong)
    for every in (seconds(0), seconds(-1)):
        with pytest.raises(ValueError, match="a span above 0"):
            generator(Greatest, every=every)
    with pytest.raises(JobError, match=r"operator 'timed': watermarks are monotonic\(\)"):
        JobTest(counts(wrong))

    def at_the_source(job: Job) -> None:
        watermarks: Any = punctuated(mark)
        job.source("lines", Line).event_time(Line.at, watermarks)

    with pytest.raises(JobError, match="a generator sees no record before it is decoded"):
        JobTest(at_the_source)
