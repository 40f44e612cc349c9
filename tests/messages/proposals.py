"""What the package's texts propose to type.

Commands, options, keys of the config and extras, found in every string that is no docstring.

Where a message puts in a value, the text here has `HOLE`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "pipeline"
HOLE = "◌"
COMMAND = re.compile(r"(?:\bwholecloth|python -m pipeline) ([a-z]+)\b([^.;,)`]*)|`([a-z]+) (--[^`]*)`")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
CALL = re.compile(r'\brequire\("(\w+)", "(\w+)"')
EXTRA = re.compile(r"wholecloth\[([^\]]+)\]")
SECTIONS = ("source", "model", "tile", "output", "execution", "training", "labels")
KEY = re.compile(
    rf"(?<![\w./-])((?:{'|'.join(SECTIONS)})(?!\.onnx)(?:\.[a-z_]+)+)(?:: "
    rf"(\{{[^}}]*\}}|\[[^\]]*\]|{HOLE}|[\w+-]+(?:\.\d\w*)?))?(?![\w/]|:\w)"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the package."""

    file: str
    line: int
    words: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}: {self.words}"


@cache
def texts() -> tuple[Text, ...]:
    """Every string with a space in it that is no docstring; an f-string counts as one."""
    return tuple(text for file, source in sources() for text in texts_of(source, file))


def sources() -> Iterator[tuple[str, str]]:
    """Name and text of each file of the package."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield str(file.relative_to(PACKAGE)), file.read_text(encoding="utf-8")


def texts_of(source: str, file: str) -> Iterator[Text]:
    """The strings of one file.

    A node is met before its parts, so that docstrings and parts of f-strings are known when they come.
    """
    passed: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr):
            passed.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed.update(map(id, node.values))
        if (
            isinstance(node, ast.Constant | ast.JoinedStr)
            and id(node) not in passed
            and (words := _words(node)) is not None
            and " " in words
        ):
            yield Text(file=file, line=node.lineno, words=words)


def _words(node: ast.Constant | ast.JoinedStr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    return "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands that are named, each with the options that follow it in its sentence."""
    return [(found[1] or found[3], OPTION.findall(found[2] or found[4] or "")) for found in COMMAND.finditer(text)]


def options(text: str) -> list[str]:
    """The options that are named, whatever the command."""
    return OPTION.findall(text)


def keys(text: str) -> list[tuple[str, str | None]]:
    """The keys of the config, each with the value that is proposed for it."""
    return [(found[1], found[2]) for found in KEY.finditer(text)]


def extras(text: str) -> list[str]:
    """The extras whose installation is proposed."""
    return [name for name in EXTRA.findall(text) if name != HOLE]


def needs() -> list[tuple[str, str, str]]:
    """File, module and extra of every call of `pipeline.runtime.optional_imports.require` that names them."""
    calls = [(file, *CALL.findall(source)) for file, source in sources() if "optional_imports import" in source]
    return [(file, module, extra) for file, *found in calls for module, extra in found]
