"""Values and codes as one types them in a command line."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import LabelsError


def values_of(text: str | None) -> dict[int | str, int | str] | None:
    """``0=0,255=wood`` → what each value means. Raises LabelsError."""
    if text is None:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(value.strip() and name.strip() for value, _, name in pairs):
        raise LabelsError(f"--values {text} is not of the form VALUE=CLASS,VALUE=CLASS, such as --values 0=0,255=water.")
    return {value.strip(): name.strip() for value, _, name in pairs}


def ignored(texts: Sequence[str] | None) -> list[int | str]:
    """``-1,255`` and repeated options → values that say nothing."""
    return [part.strip() for text in texts or () for part in text.split(",") if part.strip()]
