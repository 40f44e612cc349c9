"""Stores on object storage, where nothing can be moved: made and deleted so that nobody takes a part for the whole.

    claim        by an atomic create, with all that the empty store will hold: of several creators one wins, whatever
    each had planned groups …     by whoever comes, from the claim, so that two who write the same keys write the same
    bytes root         last: before, there is no store; a creator that was killed leaves a claim, which the next one
    carries out

The claim stays with the store. To delete it, it is emptied first: who finds it so makes nothing of it.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.locations import Remote
from pipeline.store.files.object_storage import Bucket

CLAIM = "0/mask/claim.zip"
"""Below an array, where no Zarr reader looks."""
CLAIM_WITHOUT_MASK = "0/values/claim.zip"
"""The same of a store that has no mask."""
_CLAIMS = (CLAIM, CLAIM_WITHOUT_MASK)
ROOTS = ("zarr.json", ".zattrs", ".zgroup")
"""Metadata of the root; a store of ours is known by one of the first two."""
_CONCURRENT_REQUESTS = 8
"""Requests."""

Skeleton = dict[str, bytes]
"""Files of an empty store."""


def create(place: Remote, build: Callable[[Path], None]) -> bool:
    """Make an empty store, or help another creator to make his.

    Parameters
    ----------
    place
        Where it will be.
    build
        Writes the empty store into a folder.

    Returns
    -------
    bool
        Whether it is ours; False where another creator was before us, whose store is there then.

    Raises
    ------
    StoreError
        What was there is being deleted.
    Unfinished
        Object storage is away.
    """
    bucket = Bucket(place)
    if any(bucket.exists(name) for name in ROOTS[:2]):
        return False
    packed = _packed(build)
    key, other = _claim_keys(_unpacked(packed))
    is_creator = bucket.create(key, packed)
    if bucket.exists(other):  # looked for after the own claim is made: of two kinds at most one goes on
        if is_creator:
            bucket.clear([key])
        raise StoreError(
            f"{place} is being made by a job with other layers, or being deleted. Wait, or give another output.path; "
            f"run with --fresh to delete what is left."
        )
    claim = packed if is_creator else bucket.get(key)
    if not claim:
        raise StoreError(
            f"{place} is being deleted, or its deletion was cut short. Run with --fresh, which deletes what "
            f"is left, or give another output.path."
        )
    _write_skeleton(bucket, _unpacked(claim), is_creator)
    return is_creator


def has_claim(place: Remote) -> bool:
    """Whether a store of ours was begun there, or what is there is being deleted."""
    return any(Bucket(place).exists(claim) for claim in _CLAIMS)


def delete_remote(place: Remote) -> None:
    """Delete all there is.

    The root goes first, so that nobody ever takes a part of it for a store, and the claim last.
    """
    bucket = Bucket(place)
    claims = [claim for claim in _CLAIMS if bucket.exists(claim)] or [CLAIM]
    for claim in claims:
        bucket.put(claim, b"")
    bucket.clear(ROOTS)
    bucket.clear([key for key in bucket.list() if key not in claims])
    bucket.clear(claims)


def _claim_keys(skeleton: Skeleton) -> tuple[str, str]:
    """Where the claim of a store goes, by the arrays that it will have, and where those of other stores are."""
    has_mask = any(f"0/mask/{name}" in skeleton for name in ("zarr.json", ".zarray"))
    return (CLAIM, CLAIM_WITHOUT_MASK) if has_mask else (CLAIM_WITHOUT_MASK, CLAIM)


def _packed(build: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="wholecloth-") as folder:
        built, packed = Path(folder) / "store", io.BytesIO()
        build(built)
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
            for path in sorted(path for path in built.rglob("*") if path.is_file()):
                into.write(path, path.relative_to(built).as_posix())
    return packed.getvalue()


def _unpacked(claim: bytes) -> Skeleton:
    with zipfile.ZipFile(io.BytesIO(claim)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def _write_skeleton(bucket: Bucket, skeleton: Skeleton, is_creator: bool) -> None:
    """All but the root, then the root.

    Helpers fill gaps and replace nothing, so that one who comes late does no harm to what was made since.
    """
    write = bucket.put if is_creator else bucket.create
    root = [name for name in reversed(ROOTS) if name in skeleton]
    with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
        for _ in pool.map(lambda key: write(key, skeleton[key]), [key for key in skeleton if key not in root]):
            pass
    for key in root:
        bucket.create(key, skeleton[key])
