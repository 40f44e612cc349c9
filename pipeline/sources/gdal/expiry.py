"""When a signed address ends, as far as it says so itself."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit


def expiry_of(url: str) -> float | None:
    """Seconds since the epoch until which an address holds; None where it does not say.

    Azure names the time (``se``), CloudFront and older S3 its number (``Expires``), S3 and Google a beginning and a
    length (``X-Amz-Date`` with ``X-Amz-Expires``).
    """
    values = {name.lower(): entries[0] for name, entries in parse_qs(urlsplit(url).query).items()}
    try:
        if "sig" in values and "se" in values:
            return _utc(datetime.fromisoformat(values["se"])).timestamp()
        for maker in ("amz", "goog"):
            if f"x-{maker}-date" in values and f"x-{maker}-expires" in values:
                begin = datetime.strptime(values[f"x-{maker}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return begin.timestamp() + float(values[f"x-{maker}-expires"])
        return float(values["expires"]) if "expires" in values else None
    except ValueError:
        return None


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
