"""The types of the SDK, as mypy and pyright see them: the package, what users write, and what they must not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SDK = Path(__file__).parents[2]
EXAMPLES = sorted((SDK.parents[1] / "examples").glob("*/python"))


def check(*command: object, path: str = "") -> str:
    """Runs a checker; answers what it found."""
    environment = dict(os.environ, MYPYPATH=path)
    ended = subprocess.run([sys.executable, "-m", *map(str, command)], cwd=SDK, env=environment, capture_output=True, text=True)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def test_the_package_and_its_users_pass_mypy() -> None:
    assert check("mypy") == ""


def test_the_component_fits_the_bindings_that_the_compiler_makes(tmp_path: Path) -> None:
    compiler = Path(sys.executable).with_name("componentize-py")
    subprocess.run([compiler, "-q", "-d", SDK / "wit", "-w", "job", "bindings", tmp_path], check=True)
    assert check("mypy", "--follow-imports=silent", "src/tidemill/component", path=f"src:{tmp_path}") == ""


@pytest.mark.skipif(not EXAMPLES, reason="the package was unpacked without the repository")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_an_example_passes_mypy(example: Path) -> None:
    files = sorted(example.rglob("*.py"))
    assert check("mypy", "--explicit-package-bases", *files, path=f"src:{example}") == ""


def test_the_package_and_its_users_pass_pyright() -> None:
    found = check("pyright")
    assert found == ""


def test_pyright_refuses_what_mypy_refuses() -> None:
    said = check("pyright", "--warnings", "-p", "tests/typing/pyright-bad.json")
    bad = (SDK / "tests/typing/bad.py").read_text().splitlines()
    wanted = {number for number, line in enumerate(bad, start=1) if "type: ignore" in line}
    found = {int(line.split("bad.py:")[1].split(":")[0]) for line in said.splitlines() if "bad.py:" in line and "error" in line}
    assert wanted - found == set(), "lines that pass although they are wrong"
    assert found - wanted == set(), said
