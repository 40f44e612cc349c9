"""Why a server does not give a file, and when it may be asked again: GDAL tells neither of a read that failed."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException

LONGEST_PAUSE_S = 60.0
"""Seconds that are waited at most when a server asks for a pause."""
_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a server answers to a request for the first byte of a file."""

    answers: bool = False
    """Whether it gives that byte."""
    unauthorised: bool = False
    """Whether it takes the request for one without the right (401 or 403)."""
    pause_s: float = 0.0
    """Seconds after which it wants to be asked again (``Retry-After``); 0 where it says nothing."""


def refusal_of(url: str, headers: tuple[tuple[str, str], ...]) -> Refusal:
    """Ask for the first byte; of what is no http, nothing is known."""
    if not url.startswith(("http://", "https://")):
        return Refusal()
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0"})  # noqa: S310  # http and https only
    for name, value in headers:
        request.add_unredirected_header(name, value)  # another host gets no secret
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
            return Refusal(answers=True)
    except urllib.error.HTTPError as error:
        return Refusal(unauthorised=error.code in (401, 403), pause_s=pause_of(error.headers))
    except (OSError, HTTPException):
        return Refusal()


def pause_of(headers: Message) -> float:
    """Seconds of ``Retry-After``, a number or a date, at most `LONGEST_PAUSE_S`; 0 where there is none."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE_S)
