"""``python -m pipeline`` and ``wholecloth``."""

from pipeline.allocator import keep


def main() -> None:
    """Entry of both; the allocator is settled before anything large is imported."""
    keep()
    from pipeline.cli import main as command

    command()


if __name__ == "__main__":
    main()
