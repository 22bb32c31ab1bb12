"""What a component finds in place of a system, what is said when its code fails, and how it outlives its memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Tidemill


def numbers(tidemill: Tidemill) -> None:
    (tidemill.folder / "numbers").write_text("".join(f'{{"n":{n},"at":{at}}}\n' for at, n in enumerate((5, 0, 7), start=1)))


def act(tidemill: Tidemill, probe: Path, what: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    numbers(tidemill)
    ended = tidemill.run("run", probe, "--arg", f"what={what}", "--bind", "numbers=file:numbers", *arguments, code=code)
    return ended.out, ended.err


def test_an_exception_comes_with_operator_record_file_and_line(tidemill: Tidemill, probe: Path) -> None:
    _, err = act(tidemill, probe, "convert", code=1)
    assert 'operator "act" failed' in err
    assert "ZeroDivisionError: division by zero (job.py:" in err and "in convert)" in err
    assert "record: n=0 at=2" in err


def test_an_exception_comes_with_its_cause(tidemill: Tidemill, probe: Path) -> None:
    _, err = act(tidemill, probe, "fail", code=1)
    assert "LookupError: no value for 0 (job.py:" in err
    assert "caused by ZeroDivisionError: division by zero (job.py:" in err and "called from job.py:" in err


def test_a_record_of_another_type_is_named(tidemill: Tidemill, probe: Path) -> None:
    _, err = act(tidemill, probe, "wrong-record", code=1)
    assert "the output `str` has a wrong record" in err and "int 5 is no string" in err
    assert "record: n=5 at=1" in err


def test_a_refused_record_fails_the_job_or_is_left_out_or_goes_to_the_dead_letters(tidemill: Tidemill, probe: Path) -> None:
    _, err = act(tidemill, probe, "refuse", code=1)
    assert "the job refused a record: nothing is no number" in err and "record: n=0 at=2" in err
    out, _ = act(tidemill, probe, "refuse", "--arg", "policy=skip")
    assert out == "5\n7\n"
    out, _ = act(tidemill, probe, "refuse", "--arg", "policy=dead-letter", "--bind", "dead=file:dead")
    assert out == "5\n7\n"
    (part,) = (tidemill.folder / "dead").glob("part-*")
    assert json.loads(part.read_text())["reason"] == "nothing is no number"


def test_what_is_printed_logged_and_warned_is_in_the_log_of_the_job(tidemill: Tidemill, probe: Path) -> None:
    out, err = act(tidemill, probe, "speak")
    assert out == "spoken\n" * 3
    for line in (
        "act: out 5",
        "act: no endout 0",
        "warn: act: err",
        "act: log",
        "warn: act: logging 7",
        'warn: act:   File "/1/job.py", line',
        "warn: act: ZeroDivisionError: division by zero",
        "error: act: caught: ZeroDivisionError: division by zero (job.py:",
        "act: no end\n",
    ):
        assert line in err, err
    assert "UserWarning: warned" in err


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("import", "ModuleNotFoundError: module 'decimal' was not imported while the component was built"),
        ("open", "OSError: open: a job has no files"),
        ("sleep", "OSError: time.sleep: a job never waits"),
        ("input", "EOFError: "),
        ("clock", "True True 2020-01-02 True"),
    ],
)
def test_what_there_is_not_is_an_exception_and_no_trap(tidemill: Tidemill, probe: Path, what: str, said: str) -> None:
    out, _ = act(tidemill, probe, what)
    assert len(out.splitlines()) == 3
    assert all(line.startswith(said) for line in out.splitlines()), out


def test_a_job_that_exits_names_its_record(tidemill: Tidemill, probe: Path) -> None:
    _, err = act(tidemill, probe, "exit", code=1)
    assert "SystemExit: 3 (job.py:" in err and "record: n=5 at=1" in err


def test_what_is_wrong_with_a_job_is_refused_with_its_line(tidemill: Tidemill, probe: Path) -> None:
    _, err = act(tidemill, probe, "plan-fails", code=3)
    assert "the function that builds the job raised KeyError: 'plan-fails' (job.py:" in err
    err = tidemill.run("plan", probe, "--arg", "wat=1", code=3).err
    assert "missing argument 'what': give it as --arg what=VALUE" in err


def test_a_component_imports_no_wasi(tidemill: Tidemill, probe: Path) -> None:
    (line,) = [line for line in tidemill.run("inspect", probe).out.splitlines() if line.startswith("imports")]
    assert line.split(maxsplit=1)[1] == "tidemill:job/types@0.2.0, tidemill:job/host@0.2.0"


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_trigger_function_and_an_evictor_are_asked_by_the_host(tidemill: Tidemill, probe: Path, parallelism: int) -> None:
    pairs = ((4, 0), (1, 10), (6, 20), (9, 30), (2, 40), (8, 50))
    # One worker reads CSV, so that the records of a key keep their order.
    (tidemill.folder / "numbers.csv").write_text("n,at\n" + "".join(f"{n},{at}\n" for n, at in pairs))
    bound = "--bind", "numbers=file:numbers.csv?format=csv", "--bind", "results=stdout:"
    out = tidemill.run("run", probe, "--arg", "what=windows", "--parallelism", parallelism, *bound).out
    # Even ones come to ten twice, odd ones once; a second behind the last of each, what is left is told again.
    assert sorted(out.splitlines()) == ["0 0: 4 6", "0 1: 4 6 2 8", "0 2: 4 6 2 8", "1 0: 9", "1 1: 9"]


def state(tidemill: Tidemill, probe: Path, out: str, *arguments: str) -> int:
    """Runs the job with state; answers how many instances were replaced."""
    ended = tidemill.run(
        "run", probe, "--arg", "what=state", "--bind", "numbers=file:numbers", "--bind", f"results=file:{out}/results",
        "--bind", f"sums=file:{out}/sums", "--report", "json", "--report-file", f"{out}.json", *arguments,
    )  # fmt: skip
    assert ended.err == ""
    recycled: int = json.loads((tidemill.folder / f"{out}.json").read_text())["recycled"]
    return recycled


def test_state_outlives_many_instances_under_the_default_limit(tidemill: Tidemill, probe: Path) -> None:
    with (tidemill.folder / "numbers").open("w") as lines:
        for i in range(400_000):
            lines.write(f'{{"n":{i * 7919 % 1000},"at":{i}}}\n')
    exchanges = state(tidemill, probe, "leaky", "--arg", "ballast=2500")
    assert exchanges >= 2, f"{exchanges} instances were replaced"
    assert state(tidemill, probe, "calm") == 0
    for sink in ("results", "sums"):
        leaky, calm = ((tidemill.folder / out / sink).glob("part-*") for out in ("leaky", "calm"))
        texts = [sorted(line for part in parts for line in part.read_text().splitlines()) for parts in (leaky, calm)]
        assert len(texts[0]) >= 400 and texts[0] == texts[1], sink
