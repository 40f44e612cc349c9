"""Rows of the page, and the page made of them."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "inputs.md"
TITLES = {
    "raster": "Rasters (`source.path`)",
    "network": "Networks (`model.path`, `model.factory`)",
    "labels": "Labels (`evaluate --labels`)",
}
HEAD = """# What is taken as what

This page lists what becomes of a given raster, network or file of labels: what it is taken as, or the message with
which it is refused (exit code 2). A test made every row: it writes such a file and opens it as the command does.
What changes with the machine is written as `…`. `python -m tests.inputs` makes this page anew; `tests/inputs/` says how
a row is added.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A form of an input."""

    kind: str
    form: str
    make: Callable[[Path], str]
    """Writes it into a folder and opens it; returns what it is taken as."""

    def tell(self, folder: Path) -> tuple[bool, str]:
        """Whether it is taken, and as what; or the message of its refusal."""
        try:
            return True, _plain(self.make(folder), folder)
        except InputError as error:
            return False, _plain(str(error), folder)


ROWS: list[Row] = []


def row(kind: str, form: str) -> Callable[[Callable[[Path], str]], Callable[[Path], str]]:
    """Make a row of a function that writes such an input and opens it."""

    def keep(make: Callable[[Path], str]) -> Callable[[Path], str]:
        ROWS.append(Row(kind=kind, form=form, make=make))
        return make

    return keep


def _plain(text: str, folder: Path) -> str:
    """A message without what changes from machine to machine and from release to release."""
    text = (
        " ".join(text.split())
        .replace(f"{folder}/", "")
        .replace(str(folder), "FOLDER")
        .replace(Path(sys.executable).name, "python")
    )
    text = re.sub(r"\b(torch|torchvision|onnxruntime|numpy|tensorflow) \d[\w.+]*", r"\1 …", text)
    return re.sub(r"(opset) \d+\. Upgrade", r"\1 …. Upgrade", text)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for kind, title in TITLES.items():
        parts.append(f"\n## {title}\n\n| given | taken as | or refused with |\n|---|---|---|\n")
        parts += [line(each) for each in ROWS if each.kind == kind]
    return "".join(parts)


def line(each: Row) -> str:
    """One line of a table."""
    with tempfile.TemporaryDirectory() as folder:
        taken, words = each.tell(Path(folder))
    cell = words.replace("|", "\\|").replace("<", "&lt;")
    return f"| {each.form} | {cell if taken else ''} | {'' if taken else cell} |\n"


def shape(of: Any) -> str:
    """(bands, rows, cols) as a person reads them."""
    return " × ".join(map(str, of))
