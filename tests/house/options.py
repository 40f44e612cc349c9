"""The table of options in docs/config.md, from the rows of the package: ``python -m tests.house.options``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from pipeline.planning.option import NO_DEFAULT, Option
from pipeline.planning.options import OPTIONS
from tests.house.modules import ROOT

PAGE = ROOT / "docs" / "config.md"
BEGIN = "<!-- options, written by python -m tests.house.options -->"
END = "<!-- end of options -->"


def table(options: Sequence[Option]) -> str:
    """The rows as Markdown."""
    return "\n".join(
        (
            "| option | decides | in the fingerprint | a frozen plan writes it | in stores without it |",
            "|---|---|---|---|---|",
            *_rows(options),
        )
    )


def _rows(options: Sequence[Option]) -> Iterator[str]:
    for option in options:
        default = "" if option.old_default is NO_DEFAULT else f"`{json.dumps(option.old_default)}`"
        yield (
            f"| {_title(option)} | {option.explanation} | {_yes(option.in_fingerprint)} | "
            f"{_yes(option.frozen is not None)} | {default} |"
        )


def _title(option: Option) -> str:
    field = f", from `{option.config_field}`" if option.config_field != option.key else ""
    return f"`{option.key}`{field}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def written(page: str, rows: str) -> str:
    """The page with the table between its two marks."""
    pattern = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.S)
    page, count = pattern.subn(lambda match: f"{match[1]}\n{rows}\n\n{match[2]}", page)
    if count != 1:
        raise ValueError(f"the page has {count} pairs of the marks {BEGIN} and {END}, and must have one")
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), table(OPTIONS)))
