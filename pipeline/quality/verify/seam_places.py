"""Where the examples of seams lie in a store, and which windows they are of; no network is loaded to know that."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np

from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.store.files import files_at
from pipeline.store.lifecycle import main_layer_of

EXAMPLES = 3
"""Seams that are kept."""
ABOUT = "about"
"""Name of the array that says where an example lies, as JSON in bytes."""
MAX_ABOUT_BYTES = 4096
"""Of that array: a stranger's file may claim to be of any size."""


def example_key(store: Place, number: int) -> str:
    """Key of an example below a store, from 0, the worst."""
    return f"0/{main_layer_of(store)}/seams/{number}.npz"


def worst_seams(store: Place) -> list[tuple[Window, float]]:
    """Windows of the examples in a store, the worst first, each with its largest difference in logits.

    Files that are no examples are passed over.
    """
    files = files_at(store)
    contents = (files.get(example_key(store, number)) for number in range(EXAMPLES))
    return [place for data in contents if data is not None and (place := _place(data)) is not None]


def _place(data: bytes) -> tuple[Window, float] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            if members.getinfo(f"{ABOUT}.npy").file_size > MAX_ABOUT_BYTES:
                return None
            about = np.lib.format.read_array(io.BytesIO(members.read(f"{ABOUT}.npy")), allow_pickle=False)
        (row, col, height, width), error = json.loads(about.tobytes())
        return Window(row=row, col=col, height=height, width=width), float(error)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return None
