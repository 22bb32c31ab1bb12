"""Projects that build, and those that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, Tidemill

from tidemill.build import main

JOB = """
from tidemill import Job, job, record

@job
def counts(job: Job) -> None:
    job.source("lines", str, format="text").key_by_fn("key", str.lower, out=str).count("count").sink("counts", format="csv")
"""


def project(folder: Path, code: str) -> Path:
    (folder / "pyproject.toml").write_text('[project]\nname = "counts"\n')
    (folder / "job.py").write_text(JOB + code)
    return folder


def test_what_is_printed_while_a_component_is_built_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys\nprint('one')\nprint('two', end='')\nsys.stderr.write('three\\n')\n"
    assert main([str(project(tmp_path, code))]) == 0
    said = capsys.readouterr()
    assert said.err == "one\ntwo\nthree\n"
    assert said.out.startswith(f"{tmp_path}/counts.wasm (")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.wasm", "job.py", "pyproject.toml"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("@record\nclass Empty:\n    pass\n", "record Empty has no field: annotate at least one, as in `sensor: str` (job.py:7"),
        ("second = job(lambda job: None)\n", "job.py marks 2 functions with @job"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ],
)
def test_what_is_wrong_with_a_module_is_said_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, said: str
) -> None:
    assert main([str(project(tmp_path, code))]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: counts does not build\n") and said in err, err
    assert "Error" not in said or f'File "{tmp_path}/job.py", line ' in err, err
    assert "backtrace" not in err and "tidemill-build" not in err, err
    assert not list(tmp_path.glob("*.wasm*"))


def test_a_new_project_tests_builds_and_runs_as_it_is(tidemill: Tidemill) -> None:
    """Its environment is the one that these tests run in: that pip installs what pyproject.toml asks for is pip's business."""
    tidemill.run("new", "my-averages", "--lang", "python", "--sdk-path", ROOT / "guest-sdk" / "python")
    inside = Tidemill(tidemill.binary, tidemill.folder / "my-averages")
    assert "2 passed" in inside.python("-m", "pytest", "-p", "no:cacheprovider", "test_job.py").out
    assert inside.python("-m", "mypy").out.startswith("Success")
    assert inside.run("build").out.startswith("my-averages.wasm (")
    files = "--input", "sample/readings.json", "--expect", "sample/averages.json"
    inside.run("test", "my-averages.wasm", *files, "-p", 2)


def test_a_project_that_cannot_be_built_says_so_on_the_command_line(tidemill: Tidemill) -> None:
    project(tidemill.folder, "import nowhere\n")
    ended = tidemill.run("build", code=1)
    assert ended.err.startswith("error: counts does not build\n  cause: Traceback") and "'nowhere'" in ended.err
