"""A Dockerfile read into stages and instructions, as far as ours needs it.

Source: "Dockerfile reference" of Docker: line continuation, comments, ``ARG`` before ``FROM``, ``${name:-word}`` and
``${name:+word}``; an ``ARG`` of a stage gives way to an ``ENV`` of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::(?P<sign>[-+])(?P<word>[^}]*))?\})")
_ASSIGNED = re.compile(r"""(\w+)=("(?:[^"\\]|\\.)*"|\S*)""")


class Instruction(NamedTuple):
    """A keyword and what follows it, lines joined."""

    keyword: str
    text: str


@dataclass
class Stage:
    """What begins with a ``FROM``."""

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def texts(self, keyword: str) -> list[str]:
        """What follows this keyword, wherever it stands in the stage."""
        return [text for name, text in self.instructions if name == keyword]


def parsed(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """The stages; ``arguments`` are those of the build."""
    stages: list[Stage] = []
    known: dict[str, str] = {}
    for keyword, rest in _instructions(text):
        if keyword == "FROM":
            image, _, name = expanded(rest, known).partition(" AS ")
            stages.append(Stage(image, name))
        elif not stages:
            known |= declared(rest, arguments)
        else:
            stages[-1].instructions.append(Instruction(keyword, rest))
    return stages


def declared(text: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """What an ``ARG`` gives: the argument of the build, or else its default."""
    name, _, default = text.partition("=")
    return {name: arguments.get(name, default.strip('"'))}


def assigned(text: str, known: Mapping[str, str]) -> dict[str, str]:
    """What an ``ENV`` gives."""
    return {name: expanded(value.strip('"'), known) for name, value in _ASSIGNED.findall(text)}


def expanded(text: str, known: Mapping[str, str]) -> str:
    """The text with its variables replaced."""

    def value(match: re.Match[str]) -> str:
        found = known.get(match["plain"] or match["name"], "")
        if match["sign"] == "-":
            return found or match["word"]
        return (match["word"] if found else "") if match["sign"] == "+" else found

    return _VARIABLE.sub(value, text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = ""
    for line in lines:
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            keyword, _, rest = whole.partition(" ")
            yield Instruction(keyword, rest.strip())
            whole = ""
