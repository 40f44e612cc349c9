"""What the sources of a stack are called, and their keys in messages."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.config import SourceConfig
from pipeline.sources.gdal.options import mask_urls

KEY = re.compile(rf"(?<![\w./-])source\.(?=({'|'.join(SourceConfig.model_fields)})\b)")
"""Where a message names a key of a source."""
IDENTITY_KEY = re.compile(r"source\.inputs\.(?P<name>.+?)\.(?P<key>(?:path\.\d+\.)?[^.]+)")
"""Key of a fingerprint that the source of an input has; names of inputs may hold dots, and keys of a stack two."""


def with_keys_of_part(message: str, k: int) -> str:
    """A message of a source with its keys as the config of a stack has them, such as ``source.path.1.bands``.

    Parameters
    ----------
    message
        Of a source by itself.
    k
        Its place in the stack, from 0.
    """
    return KEY.sub(f"source.path.{k}.", message)


def part_names(places: list[str]) -> list[str]:
    """A short name for each source: its file's without the ending, with a number where several have one name."""
    stems = [PurePosixPath(mask_urls(place).partition("?")[0].rstrip("/")).stem or place for place in places]
    return [stem if stems.count(stem) == 1 else f"{stem}#{stems[: k + 1].count(stem)}" for k, stem in enumerate(stems)]
