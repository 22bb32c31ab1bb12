"""The job's own tests."""

from pathlib import Path

from job import Alert, Signal, Watch, inactivity_alerts

from tidemill.testing import JobTest, ProcessTest

FOLDER = Path(__file__).parents[1]


def test_a_device_is_silent_thirty_seconds_after_its_last_signal() -> None:
    test = JobTest(inactivity_alerts)
    for device, at in (("pump", 0), ("fan", 1_000), ("pump", 20_000), ("fan", 60_000)):
        test.push("signals", Signal(device, at))
    alerts = sorted(test.sink("alerts", Alert), key=lambda alert: alert.silent_since)
    assert alerts == [Alert("fan", 1_000, 1), Alert("pump", 20_000, 2)]
    test.finish()
    assert test.sink("alerts", Alert) == [Alert("fan", 60_000, 1)], "at the end of input the last one is silent too"


def test_the_function_sets_its_timer_anew() -> None:
    test = ProcessTest(Watch())
    test.push("pump", Signal("pump", 0), 0)
    test.watermark(10)
    assert test.timers == [("wake", 30_001)]
    test.restart()
    test.watermark(30_000)
    assert test.output() == []
    test.watermark(30_001)
    assert [alert for alert, _ in test.output()] == [Alert("pump", 0, 1)]


def test_the_sample_gives_what_it_says() -> None:
    test = JobTest(inactivity_alerts)
    lines = (FOLDER / "input.jsonl").read_text().splitlines()
    test.push_lines("signals", "\n".join(lines[:10]))
    test.restart()
    test.push_lines("signals", "\n".join(lines[10:]))
    test.finish()
    assert sorted(test.sink_lines("alerts")) == sorted((FOLDER / "expected.jsonl").read_text().splitlines())
