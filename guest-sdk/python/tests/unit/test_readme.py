"""The code of the README runs, and its tests pass."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tidemill
from tidemill import Job
from tidemill.testing import JobTest, ProcessTest

SDK = Path(__file__).parents[2]


@pytest.fixture
def readme() -> ModuleType:
    """A module of all its Python."""
    text = (SDK / "README.md").read_text(encoding="utf-8")
    module = ModuleType("readme")
    sys.modules["readme"] = module
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    exec(compile(code, "README.md", "exec"), vars(module))
    return module


def test_the_tests_of_the_readme_pass(readme: ModuleType) -> None:
    tests = [value for name, value in vars(readme).items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def test_the_function_of_the_readme_does_what_it_says(readme: ModuleType) -> None:
    test = ProcessTest(readme.Quiet())
    for at in (0, 30_000):
        test.push("ada", readme.Visit("ada", at), at)
    test.watermark(89_999)
    assert test.output() == []
    test.watermark(90_000)
    test.push("", readme.Visit("", 1), 1)
    assert [out for out, _ in test.output()] == [readme.Visits("ada", 2)]
    assert test.refused == ["a visit without a user"]


def test_the_jobs_of_the_documentation_are_those_of_the_readme(readme: ModuleType) -> None:
    def said(text: str) -> str:
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())

    documented = (tidemill.__doc__ or "").split("::\n", 1)[1].split("``tidemill build``")[0]
    assert said(documented) in said((SDK / "README.md").read_text(encoding="utf-8"))


def test_every_method_of_streams_is_named_in_the_documentation() -> None:
    public = [name for name in dir(tidemill.Stream) if not name.startswith("_")]
    assert all(getattr(tidemill.Stream, name).__doc__ for name in public)
    assert all(getattr(Job, name).__doc__ for name in dir(Job) if not name.startswith("_") and callable(getattr(Job, name)))
    assert all(getattr(JobTest, name).__doc__ for name in dir(JobTest) if not name.startswith("_"))
