"""The examples give what their folders say, plan what Rust plans, and share state with it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Tidemill, guest

EXAMPLES = [
    ("01-wordcount", "wordcount", "lines=input.txt", "counts=expected.csv"),
    ("02-sensor-windows", "sensor-windows", "readings=input.jsonl", "averages=expected.jsonl"),
    ("04-top-n", "top-n", "sales=input.jsonl", "top=expected.csv"),
    ("05-inactivity-alerts", "inactivity-alerts", "signals=input.jsonl", "alerts=expected.jsonl"),
]


def placed(folder: str, binding: str) -> str:
    name, _, file = binding.partition("=")
    return f"{name}={ROOT / 'examples' / folder / file}"


@pytest.mark.parametrize(("folder", "name", "source", "sink"), EXAMPLES, ids=[example[1] for example in EXAMPLES])
@pytest.mark.parametrize("parallelism", [1, 3])
def test_an_example_gives_what_its_folder_says(
    tidemill: Tidemill, folder: str, name: str, source: str, sink: str, parallelism: int
) -> None:
    files = "--input", placed(folder, source), "--expect", placed(folder, sink)
    tidemill.run("test", guest("python", name), *files, "-p", parallelism)


@pytest.mark.parametrize("query", ["q0", "q1", "q4", "q8"])
@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_query_gives_what_the_folder_says(tidemill: Tidemill, query: str, parallelism: int) -> None:
    folder = ROOT / "examples" / "03-nexmark"
    files = "--input", f"events={folder / 'input.json'}", "--expect", f"results={folder / 'expected' / f'{query}.txt'}"
    tidemill.run("test", guest("python", "nexmark"), "--arg", f"query={query}", *files, "-p", parallelism)


def plan(tidemill: Tidemill, component: Path, *arguments: str) -> Any:
    """What a component plans, but for which file it is and which version of the contract its SDK speaks."""
    own = ("component", "sha256", "path", "contract")

    def without_own(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_own(part) for key, part in value.items() if key not in own}
        return [without_own(part) for part in value] if isinstance(value, list) else value

    return without_own(json.loads(tidemill.run("plan", component, "--json", *arguments).out))


@pytest.mark.parametrize("name", [example[1] for example in EXAMPLES])
def test_an_example_plans_what_the_one_in_rust_plans(tidemill: Tidemill, name: str) -> None:
    assert plan(tidemill, guest("python", name)) == plan(tidemill, guest("rust", name))


@pytest.mark.parametrize("query", ["q0", "q1", "q8"])
def test_a_query_plans_what_the_one_in_rust_plans(tidemill: Tidemill, query: str) -> None:
    query = f"query={query}"
    ours, theirs = (plan(tidemill, guest(language, "nexmark"), "--arg", query) for language in ("python", "rust"))
    assert ours == theirs


SHARED = [
    ("01-wordcount", "wordcount", "lines", "counts", "input.txt"),
    ("02-sensor-windows", "sensor-windows", "readings", "averages", "input.jsonl"),
    ("04-top-n", "top-n", "sales", "top", "input.jsonl"),
    ("05-inactivity-alerts", "inactivity-alerts", "signals", "alerts", "input.jsonl"),
]


@pytest.mark.parametrize(("folder", "name", "source", "sink", "file"), SHARED, ids=[shared[1] for shared in SHARED])
@pytest.mark.parametrize(("first", "second"), [("python", "rust"), ("rust", "python"), ("python", "python")])
def test_one_language_goes_on_with_the_state_of_another(
    tidemill: Tidemill, folder: str, name: str, source: str, sink: str, file: str, first: str, second: str
) -> None:
    here = tidemill.folder
    text = (ROOT / "examples" / folder / file).read_text()
    # Sums of quarters are exact in any order, and two workers give any.
    text = re.sub(r'"celsius": *(-?[0-9.]+)', lambda found: f'"celsius": {round(float(found[1]) * 4) / 4}', text)
    # A few lines are not enough to stop in the middle of.
    (here / "input").write_text(text * (40 if name == "wordcount" else 1))
    lines = len((here / "input").read_text().splitlines())

    def bound(out: str, rate: str = "") -> list[str]:
        form = "text" if file.endswith(".txt") else "json"
        return ["--bind", f"{source}=file:input?format={form}{rate}", "--bind", f"{sink}=file:{out}"]

    tidemill.run("run", guest("rust", name), *bound("whole"))
    running = tidemill.start(
        "run", guest(first, name), *bound("out", f"&rate={lines // 4}"), "--name", name, "--checkpoint-dir", "kept",
        "--checkpoint-interval", "200ms",
    )  # fmt: skip
    # A first result is shown by a checkpoint; at its rate the input lasts for seconds after that.
    deadline = time.monotonic() + 120
    while not ((here / "out").is_dir() and sorted_lines(here / "out")) and running.poll() is None:
        assert time.monotonic() < deadline, "no result in two minutes"
        time.sleep(0.05)
    savepoint = tidemill.run("stop", name, "--savepoint", "--to", "moved").out.strip()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    before = sorted_lines(here / "out")
    tidemill.run(
        "run", guest(second, name), *bound("rest"), "--checkpoint-dir", "again", "--from", savepoint, "-p", 2,
    )  # fmt: skip
    after = sorted_lines(here / "rest")
    whole = sorted_lines(here / "whole")
    assert before and after, "it was stopped in the middle"
    assert sorted(before + after) == whole


def sorted_lines(folder: Path) -> list[str]:
    parts = (part for part in folder.iterdir() if not part.name.startswith("."))
    return sorted(line for part in parts for line in part.read_text().splitlines())
