"""``python -m pipeline`` and ``wholecloth``."""

import os

from pipeline.runtime.allocator import reexec_with_malloc_settings
from pipeline.runtime.collection import without_collection


def main() -> None:
    """Entry of both; the allocator, and how threads of OpenMP wait, are settled before anything large is imported."""
    reexec_with_malloc_settings()
    # threads that spin between layers take the cores of those that read and write
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with without_collection():
        from pipeline.cli import main as command

    command()


if __name__ == "__main__":
    main()
