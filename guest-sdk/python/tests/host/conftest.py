"""Where the binary and the components are: these tests run jobs in the host.

`cargo xtask sdk python` gives `TIDEMILL_BIN` (the binary) and `TIDEMILL_GUESTS` (the folder of `dist` with one folder of
components per language).
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidemill.build import build

ROOT = Path(__file__).parents[4]


def _from_environment(name: str) -> Path:
    value = os.environ.get(name)
    if not value:
        pytest.exit(f"{name} is not set: `cargo xtask sdk python` sets it and runs these tests", returncode=4)
    return Path(value)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Tidemill:
    """The binary, run in a folder of the test."""

    binary: Path
    folder: Path

    def start(self, *arguments: object, program: object = None) -> subprocess.Popen[str]:
        """A command that goes on."""
        # `tidemill build` asks the first Python on the path that has the SDK: this one.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.folder), PATH=path, PYTHONPATH=str(ROOT / "guest-sdk/python/src"))
        return subprocess.Popen(
            [str(program or self.binary), *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def python(self, *arguments: object) -> Ended:
        """A command of the Python that these tests run in, which succeeds."""
        return self.run(*arguments, program=sys.executable)

    def run(self, *arguments: object, code: int = 0, program: object = None) -> Ended:
        """A command that ends, with this exit code."""
        child = self.start(*arguments, program=program)
        out, err = child.communicate(timeout=300)
        assert child.returncode == code, f"{arguments} ended with {child.returncode}: {out}{err}"
        return Ended(child.returncode, out, err)


@pytest.fixture
def tidemill(tmp_path: Path) -> Tidemill:
    """The binary under test."""
    return Tidemill(_from_environment("TIDEMILL_BIN").resolve(), tmp_path)


def guest(language: str, name: str) -> Path:
    """A component that `cargo xtask dist` made."""
    path = _from_environment("TIDEMILL_GUESTS").resolve() / language / f"{name}.wasm"
    assert path.is_file(), f"{path} is missing: `cargo xtask dist --all` makes it"
    return path


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The component of `probe/`."""
    return build(Path(__file__).parent / "probe", tmp_path_factory.mktemp("components") / "probe.wasm")
