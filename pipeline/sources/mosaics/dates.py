"""When a piece was taken: dates in names of files, in tags, and of items of a catalogue."""

from __future__ import annotations

import re
from datetime import UTC, datetime

DATE = r"(?:\d{4}(?:[-_]?\d{2}){0,2}|\d{7})(?:[T_ -]?\d{2}[-:_]?\d{2}(?:[-:_]?\d{2})?Z?)?"
"""What ``{date}`` stands for: a year, with a month, with a day or as the day of the year, and with a time of day."""
DATE_FORMS = "2024, 2024-06, 2024-06-01, 20240601, 2024153 (the day of the year), each with a time as T1003 or T100331"
"""What of it a message names."""
_BY_DIGITS = {
    4: "%Y",
    6: "%Y%m",
    7: "%Y%j",
    8: "%Y%m%d",
    11: "%Y%j%H%M",
    12: "%Y%m%d%H%M",
    13: "%Y%j%H%M%S",
    14: "%Y%m%d%H%M%S",
}
"""How digits are read, by their number."""


def parse_date(text: str) -> datetime | None:
    """The instant of a text with a date, in UTC; None where it is none."""
    digits = re.sub(r"\D", "", text)
    try:
        return datetime.strptime(digits, _BY_DIGITS[len(digits)]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return None


def in_utc(date: datetime) -> datetime:
    """The same instant in UTC, which a date without a time zone is in already."""
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
