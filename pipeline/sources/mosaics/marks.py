"""Which pieces these are: what is another where a file was written anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.options import is_remote
from pipeline.sources.mosaics.look import REMOTE_THREADS, paths_of
from pipeline.sources.mosaics.piece import Piece

SIDECAR_ENDINGS = (".aux.xml", ".msk")
"""Endings of sidecars that change what is known of a file, after the whole name of it."""
REPLACING_ENDINGS = (".tfw", ".wld", ".prj", ".tab")
"""The same in place of the file's own ending."""


def marks_of(pieces: Sequence[Piece], files: Sequence[tuple[str, ...]]) -> list[str]:
    """A text for each piece, which is another where its pixels may be others.

    Parameters
    ----------
    pieces
        Those with a mark of their own keep it.
    files
        All files behind each, as it said when it was opened.
    """
    if not any(is_remote(path) for piece in pieces if not piece.mark for path in paths_of(piece)):
        return [_mark(piece, names) for piece, names in zip(pieces, files, strict=True)]
    with ThreadPoolExecutor(REMOTE_THREADS, thread_name_prefix="pieces") as pool:
        return list(pool.map(_mark, pieces, files))


def _mark(piece: Piece, files: tuple[str, ...]) -> str:
    if piece.mark:
        return piece.mark
    if isinstance(piece.path, str):
        identities = [identity_of(piece.path, list(files))]
    else:
        identities = [identity_of(path, [path]) for path in piece.path.values()]
    return digest(json.dumps(identities, sort_keys=True))


def sidecars_of(piece: Piece) -> str:
    """What is known of a piece without its own files: when sidecars were written that may say more of it."""
    times = []
    for path in paths_of(piece):
        bare = path.removesuffix(PurePath(path).suffix)
        names = [path + ending for ending in SIDECAR_ENDINGS] + [bare + ending for ending in REPLACING_ENDINGS]
        times += [] if is_remote(path) else [_written(Path(name)) for name in names]
    return ",".join(times) if any(times) else ""


def digest(text: str) -> str:
    """32 hexadecimal digits by which a text is told from others."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _written(file: Path) -> str:
    try:
        return str(file.stat().st_mtime_ns)
    except OSError:
        return ""
