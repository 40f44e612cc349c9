"""``python -m tests.inputs``: make docs/inputs.md anew."""

from tests.inputs import labels, networks, rasters  # noqa: F401  # their rows
from tests.inputs.rows import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
