"""Labels of what is read of an array, by dimension."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field


def date_text(value: object) -> object:
    """A date of YAML as ISO 8601, and what is no label refused."""
    if isinstance(value, bool) or value is None:
        raise ValueError("it is no label; give a number, a text or a date")
    return value.isoformat() if isinstance(value, date) else value


SelectLabel = Annotated[int | float | str, BeforeValidator(date_text)]
SelectValue = SelectLabel | Annotated[list[SelectLabel], Field(min_length=1)]
"""What of a dimension is read: a label, or a list of those that are bands."""
