"""An item as it is read: where it came from, its time, and its assets."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import SourceError
from pipeline.redact import mask_urls
from pipeline.runtime.optional_imports import require


@dataclass(frozen=True, slots=True, kw_only=True)
class StacItem:
    """An item in the form of the newest release of STAC."""

    place: str
    """Path or URL that its relative addresses are relative to."""
    id: str
    collection: str
    """Id of its collection; empty where it has none."""
    properties: Mapping[str, Any]
    assets: Mapping[str, Mapping[str, Any]]
    """By key."""

    @property
    def title(self) -> str:
        """In words."""
        return f"item {self.id} of {self.collection}" if self.collection else f"item {self.id}"

    @property
    def name(self) -> str:
        """Collection and id."""
        return f"{self.collection}/{self.id}"

    @property
    def date(self) -> datetime | None:
        """When it was taken: its time, or the beginning of its interval."""
        text = self.properties.get("datetime") or self.properties.get("start_datetime")
        try:
            date = datetime.fromisoformat(str(text))
        except ValueError:
            return None
        return date if date.tzinfo else date.replace(tzinfo=UTC)


def item_of(document: dict[str, Any], place: str) -> StacItem:
    """An item from its JSON.

    Raises
    ------
    SourceError
        It is none, such as a collection.
    """
    pystac = require("pystac", "stac", "source.kind: stac")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what older releases of STAC wrote
            item = pystac.Item.from_dict(document)
            plain = item.to_dict(include_self_link=False, transform_hrefs=False)
    except Exception as error:  # whatever a broken document makes the library raise
        raise SourceError(
            f"source.path is {mask_urls(place)}, which is no item of STAC ({type(error).__name__}: {error}). Give the "
            f"address of one item, or a search: {{api: https://…, collections: […]}}."
        ) from error
    return StacItem(
        place=place.partition("?")[0],
        id=item.id,
        collection=item.collection_id or "",
        properties=plain["properties"],
        assets=plain["assets"],
    )


def facts_of_items(items: Sequence[StacItem]) -> dict[str, Any]:
    """What a fingerprint says of items: their names, and the first and the last time of those that have one."""
    times = sorted(item.date.astimezone(UTC) for item in items if item.date is not None)
    ends = [time.isoformat().replace("+00:00", "Z") for time in (times[0], times[-1])] if times else []
    return {"items": [item.name for item in items], "times": ends}


def self_link(document: Mapping[str, Any]) -> str:
    """Where an item of a search is by itself; empty where it does not say so."""
    links = document.get("links") or ()
    return next((str(link["href"]) for link in links if link.get("rel") == "self" and "href" in link), "")
