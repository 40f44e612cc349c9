"""Tables into a page, between two marks; everything else on it is left as it is."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- figures begin: written by `python -m benchmarks.performance --page` -->", "<!-- figures end -->"


def put(page: Path, text: str) -> None:
    """Replace what stands between the marks.

    Raises
    ------
    SystemExit
        The page has not both marks, in this order.
    """
    said = page.read_text()
    before, begin, rest = said.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(
            f"{page} has no place for figures. Put these two lines where they shall stand: {BEGIN} and {END}"
        )
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
