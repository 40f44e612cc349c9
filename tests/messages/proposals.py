"""What the package's texts propose to type: commands, options, keys of the config and extras, found in every string that is no docstring.

Where a message puts in a value, the text here has `HOLE`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "pipeline"
HOLE = "◌"
COMMAND = re.compile(r"(?:\bwholecloth|python -m pipeline) ([a-z]+)\b([^.;,)`]*)|`([a-z]+) (--[^`]*)`")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
EXTRA = re.compile(r"wholecloth\[([^\]]+)\]")
SECTIONS = ("source", "model", "tile", "output", "execution", "training", "labels")
KEY = re.compile(rf"(?<![\w./-])((?:{'|'.join(SECTIONS)})(?!\.onnx)(?:\.[a-z_]+)+)(?:: (\{{[^}}]*\}}|\[[^\]]*\]|{HOLE}|[\w+-]+(?:\.\d\w*)?))?(?![\w/]|:\w)")


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the package."""

    file: str
    line: int
    words: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}: {self.words}"


def texts() -> list[Text]:
    """Every string with a space in it that is no docstring; a f-string counts as one."""
    return [text for file in sorted(PACKAGE.rglob("*.py")) for text in texts_of(file.read_text(encoding="utf-8"), str(file.relative_to(PACKAGE)))]


def texts_of(source: str, file: str) -> Iterator[Text]:
    tree = ast.parse(source)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings, of attributes too
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) not in bare | parts and (words := _words(node)) is not None and " " in words:
            yield Text(file=file, line=node.lineno, words=words)  # type: ignore[attr-defined]  # strings have a line


def _words(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
    return None


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
    """File, module and extra of every call of `pipeline.extras.need` that names them."""
    calls = [(file, node) for file in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    named = [(file, [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]) for file, node in calls if ast.unparse(node.func) == "need"]
    return [(file.name, str(names[0]), str(names[-1])) for file, names in named if len(names) == 2]
