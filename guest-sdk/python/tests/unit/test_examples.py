"""The examples' own tests, each in a Python of its own: all their modules are called `job`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SDK = Path(__file__).parents[2]
EXAMPLES = sorted((SDK.parents[1] / "examples").glob("*/python"))


@pytest.mark.skipif(not EXAMPLES, reason="the package was unpacked without the repository")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_an_example_passes_its_own_tests(example: Path) -> None:
    environment = dict(os.environ, PYTHONPATH=str(SDK / "src"), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_job.py"]
    ended = subprocess.run(command, cwd=example, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout
