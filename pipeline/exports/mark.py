"""The mark by which a file beside a store is known as one that was written for that store.

A file without the mark of its store is never replaced and never deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipeline.locations import Place
from pipeline.store.files import belongs_to_others, files_at

WORD = "wholecloth-export"
"""Opens a mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a file says of the store that it was written for."""

    store: str
    """Name of the store, without its folder: a store and its files may be moved together."""
    id: str = ""
    """Of the store; a store that is made anew has another."""
    state: str = ""
    """Digest of all that decides the file beside the pixels: names, colours, the part that is written."""

    @classmethod
    def of_store(cls, path: Place, meta: dict[str, Any], state: str = "") -> Mark:
        """The mark of a store, by what its root says."""
        return cls(store=path.name, id=str(meta.get("id", "")), state=state)

    @property
    def prefix(self) -> str:
        """What all files of a store of this name have."""
        return f"{WORD} store={quote(self.store, safe='')} "

    def __str__(self) -> str:
        return f"{self.prefix}id={self.id} state={self.state}."


def is_foreign(file: Place, store: str) -> bool:
    """Whether something stands in a place that was not written for the store of that name."""
    return belongs_to_others(file, Mark(store=store).prefix)


def is_current(file: Place, mark: Mark) -> bool:
    """Whether a file stands in a place, and says of itself all that a mark says."""
    return files_at(file.parent).exists(file.name) and not belongs_to_others(file, str(mark))


def delete_own(file: Place, store: str) -> None:
    """Delete a file, if it is there and was written for the store of that name."""
    if not is_foreign(file, store):
        files_at(file.parent).delete(file.name)
