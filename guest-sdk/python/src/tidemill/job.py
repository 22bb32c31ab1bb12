"""The job being built: its arguments, its sources, and the graph that streams add operators to."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from . import plan
from .error import JobError
from .plan import Format, Node, Output
from .record.spec import spec_of
from .runtime.call import Call
from .stream.source import Source, TaggedSource

T = TypeVar("T")
V = TypeVar("V")
D = TypeVar("D")

FORMATS = ("json", "csv", "text")


class Graph:
    """The operators so far; an operator's id is its index."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.nodes: list[Node] = []

    @property
    def next_id(self) -> int:
        """The id that the next operator will have."""
        return len(self.nodes)

    def add(self, node: Node) -> int:
        """Adds an operator.

        Raises:
            JobError: its name is none, or taken.
        """
        if not isinstance(node.name, str) or not node.name:
            raise JobError(f"an operator's name comes first and is a text, not {node.name!r}")
        if any(node.name == earlier.name for earlier in self.nodes):
            raise JobError(f"two operators are called {node.name!r}: names are how state is found, so each is used once")
        self.nodes.append(node)
        return len(self.nodes) - 1


class Job:
    """Builds a job: what functions under :func:`job` are given."""

    def __init__(self, arguments: Sequence[tuple[str, str]], call: Call) -> None:
        self.graph = Graph(call)
        self._name: str | None = None
        self._arguments = dict(arguments)
        self._asked: set[str] = set()

    def name(self, name: str) -> None:
        """Names the job, unless the command line does."""
        self._name = name

    def arg(self, name: str, parse: Callable[[str], V] | None = None) -> Any:
        """The value of ``--arg name=value``, as ``parse`` reads it.

        Raises:
            JobError: it is missing or cannot be read.
        """
        text = self.arg_opt(name)
        if text is None:
            raise JobError(f"missing argument {name!r}: give it as --arg {name}=VALUE")
        return text if parse is None else _parsed(name, text, parse)

    def arg_or(self, name: str, default: V, parse: Callable[[str], V] | None = None) -> V:
        """The value of ``--arg name=value``, or ``default``; read by ``parse``, else by the type of the default.

        Raises:
            JobError: it cannot be read.
        """
        text = self.arg_opt(name)
        if text is None:
            return default
        return _parsed(name, text, parse or type(default))

    def arg_opt(self, name: str) -> str | None:
        """The value of ``--arg name=value``, if it is given."""
        self._asked.add(name)
        return self._arguments.get(name)

    def source(self, name: str, record: type[T], *, format: Format = "json", default: str | None = None) -> Source[T]:
        """A source of records of one type.

        Its name is also the name of its binding: ``--bind NAME=URL`` replaces the default, such as ``stdin:`` or
        ``file:data.json``.
        """
        _check_format(format)
        spec = spec_of(record)
        kind = {"source": plan.binding(name, format, default)}
        id = self.graph.add(Node(name, kind, outputs=[Output(spec.schema, spec)]))
        return Source(self.graph, id, plan.MAIN, spec, spec.schema)

    def tagged_source(self, name: str, *, tag: str, format: Format = "json", default: str | None = None) -> TaggedSource:
        """A source whose records are of several types, told apart by the string field ``tag``."""
        _check_format(format)
        kind = {"source": {**plan.binding(name, format, default), "tag": tag}}
        return TaggedSource(self.graph, self.graph.add(Node(name, kind)))

    def finish(self) -> str:
        """Checks what only the whole job shows and writes the plan.

        Raises:
            JobError: something is wrong with it.
        """
        unknown = [name for name in self._arguments if name not in self._asked]
        if unknown:
            known = ", ".join(sorted(self._asked)) or "none"
            close = difflib.get_close_matches(unknown[0], self._asked, 1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise JobError("\n".join(f"unknown argument {name!r}: this job takes {known}{meant}" for name in unknown))
        return plan.document(self._name, self.graph.nodes)


def _check_format(format: str) -> None:
    if format not in FORMATS:
        raise JobError(f"a format is json, csv or text, not {format!r}")


def _parsed(name: str, text: str, parse: Callable[[str], V]) -> V:
    if parse is bool:
        words: dict[str, Any] = {"true": True, "false": False}
        if text in words:
            return words[text]  # type: ignore[no-any-return]
        raise JobError(f"argument {name}={text!r}: give true or false")
    try:
        return parse(text)
    except (ValueError, TypeError, KeyError) as error:
        raise JobError(f"argument {name}={text!r}: {error}") from None


JobFunction = Callable[[Job], None]
"""A function that builds a job."""


def job(function: JobFunction) -> JobFunction:
    """Marks the function that builds the job of a component. A module has one."""
    function.__tidemill_job__ = True  # type: ignore[attr-defined]
    return function


def job_of(module: Any) -> JobFunction:
    """The function of a module that :func:`job` marks.

    Raises:
        JobError: there is none, or there are several.
    """
    marked = [
        value
        for value in vars(module).values()
        if callable(value) and getattr(value, "__tidemill_job__", False) and value.__module__ == module.__name__
    ]
    if len(marked) != 1:
        names = ", ".join(function.__name__ for function in marked)
        several = (
            f"marks {len(marked)} functions with @job ({names}): one of them is the job"
            if marked
            else "marks no function with @job"
        )
        raise JobError(f"{module.__name__}.py {several}")
    return cast("JobFunction", marked[0])
