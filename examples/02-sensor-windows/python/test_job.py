"""The job's own tests."""

import json
from pathlib import Path

from job import Average, Reading, sensor_averages

from tidemill.testing import JobTest

FOLDER = Path(__file__).parents[1]


def test_a_window_is_averaged_once_event_time_has_passed_it() -> None:
    test = JobTest(sensor_averages)
    test.push("readings", Reading("cellar", 20.0, 1_000))
    test.push("readings", Reading("cellar", 22.0, 9_999))
    assert test.sink("averages", Average) == []
    test.restart()
    test.push("readings", Reading("cellar", 30.0, 12_000))
    assert test.sink("averages", Average) == [Average("cellar", 21.0, 10_000)]


def test_the_sample_gives_what_it_says() -> None:
    test = JobTest(sensor_averages)
    test.push_lines("readings", (FOLDER / "input.jsonl").read_text())
    test.finish()
    expected = (FOLDER / "expected.jsonl").read_text().splitlines()
    assert sorted(test.sink_lines("averages")) == sorted(json.dumps(json.loads(line), separators=(",", ":")) for line in expected)
