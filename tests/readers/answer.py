"""``python -m tests.readers.answer MODULE FILE …``: print what a reader sees of each file as JSON.

It runs on whichever interpreter has the reader, from Python 3.8 on.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from typing import Any


def answer(module: str, paths: list[str]) -> dict[str, Any]:
    """The version of a reader, and what it sees of each file; of one that it does not open, its error."""
    reader = importlib.import_module(f"tests.readers.{module}")
    return {"version": reader.version(), "files": [seen(reader, path) for path in paths]}


def seen(reader: Any, path: str) -> dict[str, Any]:
    """What a reader sees of a file, as JSON holds it: pixels as a digest, codes as text."""
    try:
        facts: dict[str, Any] = reader.read(path)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {fact: plain(fact, value) for fact, value in facts.items()}


def plain(fact: str, value: Any) -> Any:
    """One fact as JSON holds it."""
    if fact == "pixels":
        return digest(value)
    if fact == "crs":
        code, transform = value
        return [code, [float(number) for number in transform]]
    if fact == "nodata":
        return None if value is None else float(value)
    return {str(int(code)): word for code, word in value.items()}


def digest(pixels: Any) -> str:
    """Shape, dtype and bytes of an array ``(rows, cols)``."""
    return f"{pixels.shape} {pixels.dtype} {hashlib.sha256(pixels.tobytes()).hexdigest()}"


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1], sys.argv[2:])))
