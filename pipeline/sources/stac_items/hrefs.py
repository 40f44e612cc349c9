"""Addresses in an item: whoever writes a catalogue must not choose which files of this machine are opened."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.errors import SourceError
from pipeline.redact import mask_urls

HREF_SCHEMES = ("http", "https", "s3", "gs", "az")
"""Of files on servers that an item may name."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*):")


def resolved_href(href: str, place: str) -> str:
    """The path or URL of an asset.

    Parameters
    ----------
    href
        As the item has it.
    place
        Path or URL of the item.

    Raises
    ------
    SourceError
        It is no plain address, or leads to a file of this machine while the item came from a server.
    """
    scheme = _SCHEME.match(href)
    if href.startswith("/vsi") or set("<>\n\r\0") & set(href) or not href.strip():
        raise _refused(href, place, "is a name of GDAL's, not an address")
    if scheme is not None and scheme[1].lower() in HREF_SCHEMES and href.startswith("://", scheme.end() - 1):
        return href
    if scheme is not None and not (scheme[1].lower() == "file" and not is_on_server(place)):
        raise _refused(href, place, f"begins with {scheme[0]}")
    return _below_url(href, place) if is_on_server(place) else _local(href, place)


def is_on_server(place: str) -> bool:
    """Whether an item came from a server."""
    scheme = _SCHEME.match(place)
    return scheme is not None and scheme[1].lower() in HREF_SCHEMES


def _local(href: str, place: str) -> str:
    path = unquote(urlsplit(href).path) if href.lower().startswith("file:") else href
    return os.path.normpath(Path(place).parent / path)


def _below_url(href: str, place: str) -> str:
    """A relative address in the folder of the item, or below it."""
    path = href.partition("?")[0].partition("#")[0]
    if path.startswith("/"):
        raise _refused(href, place, "names a path of this machine, which an item of a server must not")
    if ".." in re.split(r"[/\\]", unquote(unquote(path))):
        raise _refused(href, place, "climbs out of the folder of the item")
    base = urlsplit(place)
    folder = base.path.rpartition("/")[0]
    url = urlunsplit((base.scheme, base.netloc, folder, "", ""))
    return f"{url}/{href.removeprefix('./')}"


def _refused(href: str, place: str, why: str) -> SourceError:
    shown = href if len(href) <= 80 else f"{href[:79]}…"
    return SourceError(
        f"{mask_urls(place)} names the file {mask_urls(shown)!r}, which {why}. Addresses of files are relative to the "
        f"item, or {', '.join(f'{scheme}://' for scheme in HREF_SCHEMES)}; local ones only in an item that is a local "
        f"file. Do not use this item, or give its files to kind: bands yourself."
    )
