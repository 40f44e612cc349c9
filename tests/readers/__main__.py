"""``python -m tests.readers``: make docs/readers.md anew, with every reader of the table."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.readers import samples
from tests.readers.page import PAGE, page, rows
from tests.readers.table import READERS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        samples.make(Path(folder))
        PAGE.write_text(page([row for reader in READERS for row in rows(reader, Path(folder))]), encoding="utf-8")


if __name__ == "__main__":
    main()
