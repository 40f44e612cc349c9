"""A search of a STAC API: its items, all pages of them, in an order of their own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pipeline.config.search import SearchConfig
from pipeline.errors import SourceError
from pipeline.sources.stac_items.catalogue import catalogue_io, raise_of_server
from pipeline.sources.stac_items.item import StacItem, item_of, self_link

MAX_ITEMS = 10_000
"""Items that a search may give: more are most likely a search without bounds."""


def found_items(search: SearchConfig) -> list[StacItem]:
    """The items of a search, from the oldest to the newest.

    Raises
    ------
    ExtraError
        The extra ``stac`` is not installed.
    SourceError
        The search is refused, gives nothing, or far too much.
    Unfinished
        The server is busy or away.
    """
    documents = list(islice(_documents(search), MAX_ITEMS + 1))
    if not documents:
        raise SourceError(f"source.path is a search that gives no item: {search.place}. Widen it.")
    if len(documents) > MAX_ITEMS:
        raise SourceError(
            f"source.path is a search that gives more than {MAX_ITEMS:,} items: {search.place}. Narrow it by bbox, "
            f"datetime or query."
        )
    items = [item_of(document, self_link(document) or _place(search, document)) for document in documents]
    return sorted(items, key=lambda item: (item.date is not None and item.date.isoformat(), item.collection, item.id))


def _documents(search: SearchConfig) -> Iterator[dict[str, Any]]:
    io = catalogue_io()
    import pystac_client
    from pystac_client.exceptions import APIError

    try:
        client = pystac_client.Client.open(search.api, stac_io=io)
        query: dict[str, Any] = search.model_dump(exclude={"api"}, exclude_none=True)
        yield from client.search(**query).items_as_dicts()
    except APIError as error:
        raise_of_server(error, search.api)
    except (NotImplementedError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"source.path is a search of {search.api}, which does not answer as a STAC API does ({error}). Give the "
            f"address of its landing page, and conditions that it knows."
        ) from error


def _place(search: SearchConfig, document: dict[str, Any]) -> str:
    """Where an item is that does not say so, by the paths of the API."""
    return f"{search.api}/collections/{document.get('collection')}/items/{document.get('id')}"
