"""The plan document (``plan.md`` of the contract), as the SDK writes it.

Only what the fluent API can say is here; the host's reader is the authority.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from .record.spec import Spec
from .runtime.chain import Operator
from .schema import Schema

CONTRACT = "0.2.0"
"""The version of the contract this SDK speaks."""
MAIN = "out"
"""The name of the port that every operator has."""
LATE = "late"
"""The implied port of windows for records that came too late."""
LATE_SIDE = "late-"
"""The implied ports of joins for records that came too late begin with it; the name of the side follows."""
UNMATCHED = "unmatched-"
"""The ports of joins for records that found nobody begin with it."""
DEAD_LETTER = "dead-letter"
"""The implied port of operators whose policy is the same."""

Format = Literal["json", "csv", "text"]
"""How bytes become records and back: a JSON object a line, comma-separated values (a source reads a header line), or a
line as one string."""

OnError = Literal["fail", "skip", "dead-letter"]
"""What happens to a record that an operator refuses: the job fails and names it, it is counted and left out, or it goes to
the operator's dead letters."""

Chaining = Literal["start", "never"]
"""An operator does not stand in one call with those in front of it, or with none at all."""

Partition = str | dict[str, str]
FORWARD = "forward"


@dataclass(frozen=True)
class Input:
    """What an operator reads."""

    origin: str
    port: str
    partition: Partition = FORWARD

    @property
    def in_plan(self) -> dict[str, object]:
        """As the plan writes it: defaults are left out."""
        said: dict[str, object] = {"from": self.origin}
        if self.port != MAIN:
            said["port"] = self.port
        if self.partition != FORWARD:
            said["partition"] = self.partition
        return said


@dataclass(frozen=True)
class Output:
    """A port of an operator."""

    schema: Schema
    spec: Spec[Any]
    """The records as their readers take them: hidden columns are not part of them."""
    name: str = MAIN
    variant: str | None = None

    @property
    def in_plan(self) -> dict[str, object]:
        """As the plan writes it."""
        said: dict[str, object] = {} if self.name == MAIN else {"name": self.name}
        said["schema"] = str(self.schema)
        if self.variant is not None:
            said["variant"] = self.variant
        return said


@dataclass
class Node:
    """An operator of the plan and what computes it."""

    name: str
    kind: Any
    """A word, or an object with one."""
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    parallelism: int | None = None
    on_error: OnError = "fail"
    chaining: Chaining | None = None
    """Whether it shares its call with others, where it is not as the host likes."""
    operator: Operator | None = None
    """What computes it, where the component does."""

    @property
    def kind_name(self) -> str:
        """The word for its kind."""
        return self.kind if isinstance(self.kind, str) else next(iter(self.kind))

    @property
    def details(self) -> dict[str, Any]:
        """What the plan says about its kind."""
        said = {} if isinstance(self.kind, str) else next(iter(self.kind.values()))
        return said if isinstance(said, dict) else {}

    @property
    def in_plan(self) -> dict[str, object]:
        """As the plan writes it."""
        said: dict[str, object] = {"name": self.name, "kind": self.kind}
        if self.inputs:
            said["inputs"] = [spec.in_plan for spec in self.inputs]
        if self.outputs:
            said["outputs"] = [output.in_plan for output in self.outputs]
        if self.parallelism is not None:
            said["parallelism"] = self.parallelism
        if self.on_error != "fail":
            said["on-error"] = self.on_error
        if self.chaining is not None:
            said["chaining"] = self.chaining
        return said


def document(name: str | None, nodes: list[Node]) -> str:
    """The document of a job."""
    plan: dict[str, object] = {"contract": CONTRACT}
    if name is not None:
        plan["name"] = name
    plan["operators"] = [node.in_plan for node in nodes]
    return json.dumps(plan, separators=(",", ":"), ensure_ascii=False)


def binding(name: str, format: Format, default: str | None) -> dict[str, Any]:
    """What sources and sinks have."""
    said: dict[str, Any] = {"binding": name}
    if default is not None:
        said["default"] = default
    said["format"] = format
    return said
