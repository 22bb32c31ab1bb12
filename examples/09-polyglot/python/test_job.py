"""The component's own tests."""

from pathlib import Path

from job import Reading, parse_lines

from tidemill import DeadLetter
from tidemill.testing import JobTest

FOLDER = Path(__file__).parents[1]


def test_both_units_become_celsius() -> None:
    test = JobTest(parse_lines)
    test.push("lines", "2026-03-01T12:00:05 cellar 21.5C")
    test.push("lines", "2026-03-01T12:00:06.250 attic 50F")
    assert test.sink("readings", Reading) == [
        Reading("cellar", 21.5, 1_772_366_405_000),
        Reading("attic", 10.0, 1_772_366_406_250),
    ]


def test_what_cannot_be_read_is_kept_with_the_reason() -> None:
    test = JobTest(parse_lines)
    test.push("lines", "2026-03-01T12:00:05 cellar 21.5K")
    test.push("lines", "hello")
    unit, text = test.sink("rejected", DeadLetter)
    assert unit.reason == "'K' is no unit of temperature"
    assert text.reason.startswith("no reading: ")
    assert test.sink("readings", Reading) == []


def test_the_sample_has_two_lines_that_cannot_be_read() -> None:
    test = JobTest(parse_lines)
    test.push_lines("lines", (FOLDER / "input.txt").read_text())
    test.finish()
    assert len(test.sink("rejected", DeadLetter)) == 2
