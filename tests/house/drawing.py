"""The rooms of the package, drawn from its imports into docs/architecture.md: ``python -m tests.house.drawing``.

An arrow from one room to another says that the first imports the second. Arrows that a longer chain of arrows implies
are left out of the drawing, so that it can be read; the table names every import.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from tests.house import graph, imports
from tests.house.modules import DOOR, PACKAGE, ROOT, Module, modules

PAGE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- rooms, written by python -m tests.house.drawing -->"
END = "<!-- end of rooms -->"
ENTRIES = {DOOR, "__main__"}
"""Files that only start the package or pass on its names."""
SIZE = re.compile(r"(?<=` \| )[\d,]+(?= \|)")
"""The lines of a room in its row of the table."""
DRIFT = 0.2
"""Share by which a room may grow or shrink before the page is stale: lines change with every commit, the drawing does
not."""


def drawing(files: Sequence[Module]) -> str:
    """The drawing and the table of rooms, as Markdown."""
    rooms = {room: targets - ENTRIES for room, targets in imports.room_graph(files).items() if room not in ENTRIES}
    return "\n".join([*_flowchart(rooms), "", *_table(files, rooms)])


def _flowchart(rooms: graph.Graph) -> Iterator[str]:
    yield from ("```mermaid", "flowchart TD")
    for room, targets in sorted(graph.without_detours(rooms).items()):
        yield f"    {room} --> {' & '.join(sorted(targets))}" if targets else f"    {room}"
    yield "```"


def _table(files: Sequence[Module], rooms: graph.Graph) -> Iterator[str]:
    yield from ("| room | lines | what it is | imports |", "|---|--:|---|---|")
    for room in sorted(rooms, key=lambda name: (-graph.longest_chain(_below(rooms, name)), name)):
        lines = sum(module.lines for module in files if module.room == room)
        yield (
            f"| `{room}` | {lines:,} | {purpose(files, room)} | "
            f"{', '.join(f'`{target}`' for target in sorted(rooms[room])) or 'nothing'} |"
        )


def _below(rooms: graph.Graph, room: str) -> graph.Graph:
    """The room and everything that it imports, through however many others."""
    reach = graph.reachable(rooms)[room] | {room}
    return {name: rooms[name] for name in reach}


def purpose(files: Sequence[Module], room: str) -> str:
    """The first sentence of the docstring of a room's ``__init__``, or of a loose module."""
    tree = next((module.tree for module in files if module.name == f"{PACKAGE}.{room}"), ast.Module([], []))
    paragraph = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".").replace("``", "`").replace("|", "\\|")


def written(page: str, rooms: str) -> str:
    """The page with the drawing between its two marks."""
    head, _, rest = page.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    assert mark, f"the page lacks the marks {BEGIN} and {END}"
    return f"{head}{BEGIN}\n\n{rooms}\n\n{END}{tail}"


def is_stale(page: str, rooms: str) -> bool:
    """Whether a page shows other rooms, sentences or arrows, or other sizes by more than DRIFT."""
    fresh = written(page, rooms)
    sizes = zip(_sizes(page), _sizes(fresh), strict=False)
    return SIZE.sub("", page) != SIZE.sub("", fresh) or any(abs(old - new) > DRIFT * new for old, new in sizes)


def _sizes(page: str) -> list[int]:
    return [int(size.replace(",", "")) for size in SIZE.findall(page)]


def main() -> None:
    """Write the drawing into the page."""
    PAGE.write_text(written(PAGE.read_text(), drawing(modules())))


if __name__ == "__main__":
    main()
