"""The builder: what makes a project, and what is said when something is missing."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tidemill import JobError, job
from tidemill.build import BuildError, Project, find_compiler, find_contract, main
from tidemill.job import Job, job_of


def project(folder: Path, manifest: str = '[project]\nname = "counts"\n', module: str | None = "job.py") -> Path:
    (folder / "pyproject.toml").write_text(manifest)
    if module is not None:
        (folder / module).parent.mkdir(exist_ok=True)
        (folder / module).write_text("")
    return folder


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def test_a_project_is_named_by_its_manifest_and_has_a_module(tmp_path: Path) -> None:
    assert Project.at(project(tmp_path)).module == "job"
    named = '[project]\nname = "counts"\n[tool.tidemill]\nmodule = "jobs.main"\n'
    assert Project.at(project(tmp_path, named, "jobs/main.py")).module == "jobs.main"
    (tmp_path / "src").mkdir()
    assert Project.at(project(tmp_path, named.replace("jobs.main", "inner"), "src/inner.py")).roots() == [
        tmp_path,
        tmp_path / "src",
    ]


@pytest.mark.parametrize(
    ("manifest", "module", "said"),
    [
        ("[project]\n", "job.py", "gives the project no name"),
        ("project = 3\n", "job.py", "gives the project no name"),
        ('[project]\nname = "counts"\n[tool.tidemill]\nmodule = 3\n', "job.py", "module is 3"),
        ("[project\n", "job.py", "pyproject.toml cannot be read"),
        ('[project]\nname = "counts"\n', None, "has no job.py with the job"),
        ('[project]\nname = "counts"\n[tool.tidemill]\nmodule = "a.b"\n', "job.py", "has no a/b.py with the job"),
    ],
)
def test_what_is_no_project_is_told_what_it_lacks(tmp_path: Path, manifest: str, module: str | None, said: str) -> None:
    with pytest.raises(BuildError) as refusal:
        Project.at(project(tmp_path, manifest, module))
    assert said in str(refusal.value) and refusal.value.hint


def test_a_folder_without_a_manifest_is_refused_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path} is no Python project") and "\nhint: tidemill new NAME --lang python" in said


def test_the_compiler_of_the_project_comes_before_that_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere" / "python"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))
    on_path = program(tmp_path / "bin" / "componentize-py", "echo componentize-py 0.25.1")
    monkeypatch.setenv("PATH", f"{on_path.parent}:/bin:/usr/bin")
    assert find_compiler(tmp_path) == on_path
    in_project = program(tmp_path / ".venv" / "bin" / "componentize-py", "echo componentize-py 0.25.0")
    assert find_compiler(tmp_path) == in_project


def test_a_compiler_that_is_missing_or_of_another_release_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere" / "python"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match="there is no componentize-py") as missing:
        find_compiler(tmp_path)
    assert missing.value.hint.endswith("-m pip install 'componentize-py==0.25.*'")
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    program(tmp_path / ".venv" / "bin" / "componentize-py", "echo componentize-py 0.26.3")
    with pytest.raises(BuildError, match=r"is of release 0.26.3, jobs are built by 0.25"):
        find_compiler(tmp_path)
    program(tmp_path / ".venv" / "bin" / "componentize-py", "exit 3")
    with pytest.raises(BuildError, match="does not run"):
        find_compiler(tmp_path)


def test_what_the_compiler_says_is_shown_without_the_addresses_of_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = 'echo "Error: no space" >&2; echo "Stack backtrace:" >&2; echo "  0: anyhow" >&2; exit 1'
    program(
        tmp_path / ".venv" / "bin" / "componentize-py", f'[ "$1" = --version ] && echo componentize-py 0.25.1 && exit 0\n{says}'
    )
    assert main([str(project(tmp_path))]) == 1
    assert capsys.readouterr().err == "error: counts does not build\nError: no space\n"
    assert not list(tmp_path.glob("*.wasm*"))


def test_the_contract_is_that_of_the_repository() -> None:
    assert (find_contract() / "job.wit").read_text() == (Path(__file__).parents[2] / "wit" / "job.wit").read_text()


def test_a_module_has_one_job() -> None:
    module = ModuleType("jobs")
    with pytest.raises(JobError, match=r"jobs\.py marks no function with @job"):
        job_of(module)

    def first(job: Job) -> None:
        pass

    def second(job: Job) -> None:
        pass

    for function in (first, second):
        function.__module__ = "jobs"
        setattr(module, function.__name__, job(function))
    with pytest.raises(JobError, match=r"marks 2 functions with @job \(first, second\)"):
        job_of(module)
    del module.second  # type: ignore[attr-defined]
    assert job_of(module) is first
