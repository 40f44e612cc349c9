"""The page of readers, and the rows that are measured for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.readers.environments import ask
from tests.readers.samples import truth
from tests.readers.table import FACTS, FILES, READERS, Reader

PAGE = Path(__file__).resolve().parents[2] / "docs" / "readers.md"
HEAD = Path(__file__).with_name("page.md")
"""What the page says above its tables."""
TABLE = "| reader | opens | pixels | CRS | nodata | names | colours |\n|---|---|---|---|---|---|---|\n"
NUMERALS = "¹²³⁴⁵⁶⁷⁸⁹"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a reader sees of a file."""

    file: str
    reader: Reader
    version: str
    cells: dict[str, bool | None]
    """By fact: whether it is right; None where the reader has no notion of it."""
    error: str = ""
    """Why it does not open."""

    @property
    def wrong(self) -> set[tuple[str, str]]:
        return {(self.file, fact) for fact, right in self.cells.items() if right is False}

    def line(self) -> str:
        """The row of the page."""
        return f"| {self.version} | {' | '.join(self.cell(fact) for fact in FACTS)} |"

    def cell(self, fact: str) -> str:
        if fact not in self.cells:
            return ""
        right = self.cells[fact]
        if right is None:
            return "–"
        reason = self.reader.limits.get((self.file, fact))
        return "yes" if right else f"no {NUMERALS[reasons(self.file).index(reason)]}" if reason else "no"


def rows(reader: Reader, folder: Path) -> list[Row]:
    """Measure a reader on all of its files."""
    document = ask(reader, [str(folder / FILES[file][0]) for file in reader.files])
    expected = truth(folder)
    return [
        Row(
            file=file,
            reader=reader,
            version=document["version"],
            cells=cells(facts, expected),
            error=facts.get("error", ""),
        )
        for file, facts in zip(reader.files, document["files"], strict=True)
    ]


def cells(facts: dict[str, Any], expected: dict[str, Any]) -> dict[str, bool | None]:
    """Each fact beside what it should be; nothing but ``opens`` of a file that is not opened."""
    if "error" in facts:
        return {"opens": False}
    return {"opens": True, **{fact: facts[fact] == expected[fact] if fact in facts else None for fact in FACTS[1:]}}


def reasons(file: str) -> list[str]:
    """The notes below the table of a file."""
    listed = (reason for reader in READERS for (of, _), reason in reader.limits.items() if of == file)
    return list(dict.fromkeys(listed))


def page(measured: list[Row]) -> str:
    """The whole page; without rows, all of it but them."""
    parts = [HEAD.read_text(encoding="utf-8")]
    for file, (_, title) in FILES.items():
        lines = "".join(f"{row.line()}\n" for row in measured if row.file == file)
        notes = "".join(f"\n{NUMERALS[k]} {reason}\n" for k, reason in enumerate(reasons(file)))
        parts.append(f"\n## {title}\n\n{TABLE}{lines}{notes}")
    return "".join(parts)
