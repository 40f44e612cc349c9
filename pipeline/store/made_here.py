"""Which stores runs of this user made on this machine, noted outside of the stores.

What a store says of itself may have been written by a stranger; a note in the user's own folder was not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.locations import state_folder

_ID = re.compile(r"[0-9a-f]{32}")


def note_made_here(meta: Mapping[str, Any]) -> None:
    """Note a store and its source.

    A folder that cannot be written is no failure: the note spares an option of `view`, and no more.

    Parameters
    ----------
    meta
        What the root of the store says.
    """
    name = _name(meta)
    if name is None:
        return
    with suppress(OSError, RuntimeError):  # a user without a home raises the second
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def is_made_here(meta: Mapping[str, Any]) -> bool:
    """Whether a run of this user made a store with this id and this source on this machine."""
    name = _name(meta)
    with suppress(OSError, RuntimeError):
        return name is not None and (_folder() / name).is_file()
    return False


def _folder() -> Path:
    return state_folder() / "stores"


def _name(meta: Mapping[str, Any]) -> str | None:
    """Name of a note: it holds the source too, which the root of a copied store may name anew."""
    store_id, config = meta.get("id"), meta.get("config")
    if not (isinstance(store_id, str) and _ID.fullmatch(store_id) and isinstance(config, dict)):
        return None
    source = json.dumps(config.get("source"), sort_keys=True, default=str)
    return f"{store_id}-{hashlib.sha256(source.encode()).hexdigest()}"
