"""Which items of a STAC API are read."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from pipeline.config.values import ConfigSection

SEARCH_EXAMPLE = (
    "{api: https://…, collections: [sentinel-2-l2a], bbox: [11, 46, 12, 47], datetime: 2024-06-01/2024-06-30}"
)


class SearchConfig(ConfigSection):
    """A search of a STAC API."""

    api: str = Field(description="URL of the API")
    collections: Annotated[list[str], Field(min_length=1)] = Field(description="ids of collections")
    bbox: Annotated[list[float], Field(min_length=4, max_length=4)] | None = Field(
        None, description="[west, south, east, north] in degrees"
    )
    datetime: str | None = Field(None, description="a time, or an interval such as 2024-06-01/2024-06-30")
    query: dict[str, Any] | None = Field(
        None, description="conditions on properties, such as {eo:cloud_cover: {lt: 20}}"
    )

    @property
    def place(self) -> str:
        """The search in one line, as messages and fingerprints name it."""
        parts = {"bbox": self.bbox, "datetime": self.datetime, "query": self.query}
        more = "".join(f", {name} {value}" for name, value in parts.items() if value is not None)
        return f"{self.api} {'+'.join(self.collections)}{more}"

    @field_validator("api")
    @classmethod
    def _of_a_server(cls, api: str) -> str:
        if not api.startswith(("https://", "http://")):
            raise ValueError("give the URL of a STAC API, https://…")
        return api.rstrip("/")

    @field_validator("datetime", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return value.isoformat() if isinstance(value, date) else value  # YAML reads a day as a date


def search_of(values: dict[str, Any]) -> SearchConfig:
    """A search from plain values; raises ValueError with one sentence for each that is wrong."""
    try:
        return SearchConfig.model_validate(values)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors())
        raise ValueError(f"it is no search ({'; '.join(wrong)}); write {SEARCH_EXAMPLE}") from None
