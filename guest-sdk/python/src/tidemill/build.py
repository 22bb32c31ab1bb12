"""Turns a project into a component: ``python -m tidemill.build [DIR] [-o FILE]``, which ``tidemill build`` runs.

A project is a folder with a ``pyproject.toml`` and a module ``job.py`` (another one where ``[tool.tidemill] module`` says
so). The compiler is componentize-py; it puts CPython, the SDK, the module and what it imports into one file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPILER = "componentize-py"
RELEASE = "0.25"
"""The minor release whose components were measured and tested."""
WORLD = "job"

_APP = "tidemill_app"
"""The module that the compiler is given. It must not have the name of the job's."""
_REPORT = "report"
"""The files, in the first folder of modules, in which the component tells what happened while it was built."""


class BuildError(Exception):
    """The project cannot be built."""

    def __init__(self, what: str, *, hint: str = "", cause: str = "") -> None:
        super().__init__(what)
        self.hint = hint
        """What to do next."""
        self.cause = cause
        """What the compiler or the job says."""


@dataclass(frozen=True)
class Project:
    """What a ``pyproject.toml`` says."""

    folder: Path
    name: str
    module: str

    @staticmethod
    def at(folder: Path) -> Project:
        """The project of a folder.

        Raises:
            BuildError: there is none.
        """
        manifest = folder / "pyproject.toml"
        try:
            said = tomllib.loads(manifest.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BuildError(
                f"{folder} is no Python project: it has no pyproject.toml", hint="tidemill new NAME --lang python makes one"
            ) from None
        except (OSError, ValueError) as error:
            raise BuildError(f"{manifest} cannot be read: {error}", hint="mend it") from None
        name = _at(said, "project", "name")
        if not isinstance(name, str):
            raise BuildError(f"{manifest} gives the project no name", hint='write name = "..." under [project]')
        module = _at(said, "tool", "tidemill", "module") or "job"
        if not isinstance(module, str):
            raise BuildError(f"{manifest}: [tool.tidemill] module is {module!r}", hint='write module = "job"')
        project = Project(folder, name, module)
        if not any(path.exists() for path in project._candidates()):
            raise BuildError(
                f"{folder} has no {module.replace('.', '/')}.py with the job",
                hint='write it, or name another module: [tool.tidemill] module = "..."',
            )
        return project

    def _candidates(self) -> Iterator[Path]:
        for root in self.roots():
            stem = root.joinpath(*self.module.split("."))
            yield stem.with_suffix(".py")
            yield stem / "__init__.py"

    def roots(self) -> list[Path]:
        """Where modules of the project lie."""
        return [root for root in (self.folder, self.folder / "src") if root.is_dir()]


def _at(table: Any, *keys: str) -> Any:
    """The value below some tables, if they are there."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def find_compiler(folder: Path) -> Path:
    """The compiler in the project's environment, beside this Python, or on the path.

    Raises:
        BuildError: there is none of the right release.
    """
    beside = [folder / ".venv" / "bin", folder / ".venv" / "Scripts", Path(sys.executable).parent, Path(sys.prefix) / "bin"]
    places = os.pathsep.join([*map(str, beside), os.environ.get("PATH", os.defpath)])
    install = f"{sys.executable} -m pip install '{COMPILER}=={RELEASE}.*'"
    found = shutil.which(COMPILER, path=places)
    if found is None:
        looked = ", ".join(dict.fromkeys(map(str, (folder / ".venv", Path(sys.executable).parent))))
        raise BuildError(f"there is no {COMPILER}, the compiler of Python jobs: not in {looked}, and not on the path", hint=install)
    try:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise BuildError(f"{found} does not run: {error}", hint=install) from None
    if not version.startswith(f"{RELEASE}."):
        raise BuildError(f"{found} is of release {version}, jobs are built by {RELEASE}", hint=install)
    return Path(found)


def find_contract() -> Path:
    """The folder with the contract: a part of the package, or beside it in the repository."""
    package = Path(__file__).parent
    for folder in (package / "wit", package.parents[1] / "wit"):
        if (folder / "job.wit").is_file():
            return folder
    raise BuildError("the SDK lacks its copy of the contract", hint="install the package tidemill again")


def build(folder: Path, output: Path | None) -> Path:
    """Builds the project of a folder; answers the component.

    Raises:
        BuildError: it cannot be built.
    """
    project = Project.at(folder)
    compiler = find_compiler(folder)
    output = output or folder / f"{project.name}.wasm"
    with tempfile.TemporaryDirectory(prefix="tidemill-build-") as staging:
        stage = Path(staging)
        _stage(stage, project.module)
        made = stage / "made.wasm"
        command = [str(compiler), "-d", str(stage / "wit"), "-w", WORLD, "componentize", _APP, "--stub-wasi", "-o", str(made)]
        roots = [stage / "path", *project.roots()]
        for root in roots:
            command += ["-p", str(root)]
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if sys.prefix != sys.base_prefix:
            environment["VIRTUAL_ENV"] = sys.prefix
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
        report = stage / "path" / _REPORT
        print(_read(report.with_suffix(".output")), end="", file=sys.stderr)
        if ended.returncode != 0 or not made.is_file():
            said = _read(report.with_suffix(".error")) or _last_words(ended.stdout + ended.stderr)
            raise BuildError(f"{project.name} does not build", cause=_with_paths(said.rstrip(), roots))
        _deliver(made, output)
    return output


def _stage(stage: Path, module: str) -> None:
    """Lays out what the compiler reads: the contract, the SDK without its test kit, and the module that joins the two."""
    (stage / "wit").mkdir()
    shutil.copy(find_contract() / "job.wit", stage / "wit")
    path = stage / "path"
    ignore = shutil.ignore_patterns("__pycache__", "testing", "build.py", "wit")
    shutil.copytree(Path(__file__).parent, path / "tidemill", ignore=ignore)
    (path / f"{_APP}.py").write_text(
        f"from tidemill.component import Operators as Operators, load\n\nload({module!r}, '/0/{_REPORT}')\n", encoding="utf-8"
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _last_words(said: str) -> str:
    """What the compiler says, without the addresses of its own code."""
    lines = [line for line in said.partition("Stack backtrace:")[0].splitlines() if line.strip()]
    return "\n".join(lines[-20:])


def _with_paths(said: str, roots: list[Path]) -> str:
    """A text with the paths of the disk instead of those inside the component."""
    for index, root in enumerate(roots):
        said = said.replace(f'"/{index}/', f'"{root}/')
    return said


def _deliver(made: Path, output: Path) -> None:
    """Beside the target first: a build that is interrupted leaves the old component whole."""
    staged = output.with_name(f"{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, staged)
        os.replace(staged, output)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise BuildError(f"cannot write {output}: {error}", hint="give another place by -o") from None


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tidemill.build", description="Build a component from a Python project")
    parser.add_argument("folder", nargs="?", default=".", type=Path, metavar="DIR", help="the project's folder")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where to write the component [default: NAME.wasm in DIR]"
    )
    options = parser.parse_args(arguments)
    try:
        output = build(options.folder.resolve(), options.output and options.output.resolve())
    except BuildError as error:
        hint = f"hint: {error.hint}" if error.hint else ""
        print(*filter(None, (f"error: {error}", error.cause, hint)), sep="\n", file=sys.stderr)
        return 1
    print(f"{options.output or options.folder / output.name} ({output.stat().st_size / 1024:.1f} KiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
