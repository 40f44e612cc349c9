"""What may be said of a URL to others: in messages, in reports, and in stores that outlive the job."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

_USER = re.compile(r"(?<=://)[^/@\s'\"]+@")
"""Name and password before a host."""
_SECRETS = re.compile(
    r"x-(amz|goog)-[\w-]+|awsaccesskeyid|googleaccessid|signature|sig|policy|key-pair-id|"
    r"[\w-]*token|key|[\w-]*api[_-]?key|subscription[_-]key|auth|authorization|"
    r"pass(word|wd)?|pwd|[\w-]*secret|userpwd|credentials?|header\.[\w-]+",
    re.IGNORECASE,
)
"""Parameters that prove who asks: of Amazon, Google, Azure, CloudFront, tile servers, and of GDAL's /vsicurl?."""
_SIGNED_ONLY = re.compile(
    r"expires|s[vretspi]|sip|spr|srt|ses|skoid|sktid|skt|ske|sks|skv|saoid|suoid|scid|sdd", re.IGNORECASE
)
"""Parameters that belong to a signature, and mean something else where there is none."""
_SIGNATURES = {"sig", "signature"}
_QUERIES = (
    (re.compile(r"\?([^\s'\"#}!]*)"), re.compile("&"), "="),
    (re.compile(r"%3F([^&\s'\"#}!]*)", re.IGNORECASE), re.compile("%26"), "%3D"),  # of a URL that is itself a parameter
)


def mask_urls(text: str) -> str:
    """A text with URLs as others may see it.

    Without passwords and without what follows a question mark, where signatures are.
    """
    return re.sub(r"(?<=[^\s?]\?)[^\s'\"]+", "…", re.sub(r"(?<=://)[^/@\s]+@", "…@", text))


def redacted(text: str) -> str:
    """A path or a text with URLs, without the secrets of these and with all else that names what they lead to.

    Passwords go, and parameters by which a signed URL proves itself: another signature of the same object gives the
    same text.
    """
    if "://" not in text and "/vsi" not in text:
        return text
    redacted_text = _USER.sub("", text)
    for query, between, equals in _QUERIES:
        redacted_text = query.sub(partial(_without_secrets, between=between, equals=equals), redacted_text)
    return redacted_text


def redacted_document(document: Any) -> Any:
    """A document of plain values with every text in it `redacted`."""
    if isinstance(document, dict):
        return {key: redacted_document(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [redacted_document(value) for value in document]
    return redacted(document) if isinstance(document, str) else document


def _without_secrets(match: re.Match[str], between: re.Pattern[str], equals: str) -> str:
    """A query without what is secret, with its question mark where anything is left; as it is where nothing is."""
    parts = between.split(match[1])
    names = [part.partition(equals)[0] for part in parts]
    if not any(map(_SECRETS.fullmatch, names)):
        return match[0]
    signed = any(name.lower() in _SIGNATURES for name in names)
    remaining = [
        part
        for part, name in zip(parts, names, strict=True)
        if not (_SECRETS.fullmatch(name) or (signed and _SIGNED_ONLY.fullmatch(name)))
    ]
    mark = match[0][: len(match[0]) - len(match[1])]
    return f"{mark}{between.pattern.join(remaining)}" if remaining else ""
