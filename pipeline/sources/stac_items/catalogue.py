"""Requests to catalogues: repeated where a server is busy or away, after the pause that it asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.errors import SourceError, Unfinished
from pipeline.redact import mask_urls
from pipeline.runtime.optional_imports import require
from pipeline.sources.gdal.refusals import LONGEST_PAUSE_S

if TYPE_CHECKING:
    from pystac_client.stac_api_io import StacApiIO

REPETITIONS = 5
BACKOFF_S = 0.5
"""Seconds before the second repetition, doubled by each."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
TIMEOUT_S = (15.0, 60.0)
"""For a connection, and for an answer."""


def catalogue_io() -> StacApiIO:
    """What asks servers of catalogues. Raises ExtraError where the extra is not installed."""
    library = require("pystac_client.stac_api_io", "stac", "source.kind: stac")
    retry = library.Retry  # of urllib3

    class Patient(retry):  # type: ignore[misc, valid-type]  # the base is known when the extra is imported
        """Waits as long as a server asks, but no longer than `LONGEST_PAUSE_S`."""

        def get_retry_after(self, response: Any) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else min(seconds, LONGEST_PAUSE_S)

    patience = Patient(
        total=REPETITIONS,
        backoff_factor=BACKOFF_S,
        status_forcelist=BUSY,
        allowed_methods=None,  # a search by POST changes nothing
        raise_on_status=False,
    )
    return library.StacApiIO(timeout=TIMEOUT_S, max_retries=patience)  # type: ignore[no-any-return]


def read_document(place: str) -> dict[str, Any]:
    """The JSON of an item, of a file or a URL.

    Raises
    ------
    SourceError
        It is missing, or no JSON.
    Unfinished
        The server is busy or away.
    """
    try:
        document = json.loads(_text(place))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no JSON"
        raise SourceError(
            f"source.path is {mask_urls(place)}, which cannot be read: {reason}. Give an item of a STAC catalogue, a "
            f"file or a URL."
        ) from error
    if not isinstance(document, dict):
        raise SourceError(f"source.path is {mask_urls(place)}, which holds a {type(document).__name__} and no item.")
    return document


def _text(place: str) -> str:
    scheme, separator, rest = place.partition("://")
    if separator and scheme in ("s3", "gs", "az"):
        return _object_text(scheme, rest)
    if not separator:
        return Path(place).read_text(encoding="utf-8")
    io = catalogue_io()
    from pystac_client.exceptions import APIError

    try:
        return io.read_text(place)
    except APIError as error:
        raise_of_server(error, place)


def _object_text(scheme: str, rest: str) -> str:
    bucket, _, key = rest.partition("/")
    obstore = require("obstore", "cloud", f"an item on {scheme}://")
    from pipeline.store.files.clients import client, translate_errors

    try:
        with translate_errors(f"{scheme}://{bucket}"):
            return bytes(obstore.get(client(scheme, bucket), key).bytes()).decode()
    except FileNotFoundError as error:
        raise SourceError(f"source.path is {scheme}://{rest}, which does not exist. Mend the address.") from error


def raise_of_server(error: Any, place: str) -> NoReturn:
    """The error of a server that gave no answer, or not what it was asked for."""
    code = error.status_code
    if code is None or code in BUSY:
        raise Unfinished(
            f"{mask_urls(place)} does not answer{f' but with {code}' if code else ''}, though it was asked "
            f"{REPETITIONS + 1} times. The catalogue seems to be away or busy; run the same command again later."
        ) from None
    raise SourceError(
        f"source.path is {mask_urls(place)}, which the server answers with {code}. Mend the address, or what the "
        f"search asks for."
    ) from None
