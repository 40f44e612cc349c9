"""Print the figures of this checkout, beside those of another one: ``python -m tests.house [OTHER CHECKOUT]``."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.house.figures import FIGURES
from tests.house.modules import ROOT, modules


def main(arguments: list[str]) -> None:
    """Print one column per checkout; the other one, from before a change, comes first."""
    checkouts = [*(Path(argument).resolve() for argument in arguments), ROOT]
    table = Table("figure", *(checkout.name for checkout in checkouts))
    for title, figure in FIGURES.items():
        table.add_row(title, *(figure(modules(checkout)) for checkout in checkouts))
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
