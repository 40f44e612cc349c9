"""Products of agencies on object storage, unpacked and as archives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.locations import Remote
from pipeline.sources import open_source
from pipeline.store.files import files_at
from tests import products
from tests.storage import BUCKET, SECRET, Storage

ALL = Window(row=0, col=0, height=48, width=48)


def uploaded(root: Path, below: str) -> str:
    """A file, or all files of a folder, on object storage."""
    files = files_at(Remote(f"s3://{BUCKET}/{below}"))
    for file in [root] if root.is_file() else [file for file in root.rglob("*") if file.is_file()]:
        files.put(file.relative_to(root.parent).as_posix(), file.read_bytes())
    return f"s3://{BUCKET}/{below}/{root.name}"


def reflectance(path: str, bands: list[str]) -> SourceConfig:
    """Reflectance of some bands."""
    return SourceConfig(kind="bands", path=path, bands=bands, radiometry="reflectance")


def as_it_is(root: Path) -> Path:
    return root


@pytest.mark.nightly("storage", after=1)
@pytest.mark.parametrize(
    ("make", "pack", "bands"),
    [
        (products.safe, as_it_is, ["blue", "B05", "nir"]),
        (products.safe, products.zipped, ["blue", "B05", "nir"]),
        (products.landsat, as_it_is, ["blue", "nir"]),
        (products.landsat, products.tarred, ["blue", "nir"]),
    ],
)
def test_a_product_on_object_storage_is_the_one_on_disk(
    s3: Storage, tmp_path: Path, make: Callable[[Path], Path], pack: Callable[[Path], Path], bands: list[str]
) -> None:
    root = make(tmp_path)
    place = uploaded(pack(root), tmp_path.name)
    remote, local = (open_source(reflectance(path, bands)) for path in (place, str(root)))
    got, want = remote.read(ALL), local.read(ALL)
    assert want.valid.any()
    assert (got.valid == want.valid).all()
    assert (got.data == want.data).all()
    identity = remote.identity()
    assert SECRET not in json.dumps(identity)
    assert identity["path"] == place
    other = make(tmp_path / "other")
    metadata = next(file for pattern in ("*_MTL.txt", "MTD_*.xml") for file in other.glob(pattern))
    metadata.write_text(metadata.read_text() + "\n")
    assert uploaded(pack(other), tmp_path.name) == place
    assert open_source(reflectance(place, bands)).identity()["files"] != identity["files"]


def test_a_product_that_is_not_there_or_lies_where_nothing_is_listed_is_refused(s3: Storage) -> None:
    with pytest.raises(SourceError, match="names no file per band"):
        open_source(SourceConfig(kind="bands", path=f"s3://{BUCKET}/none.SAFE", bands=["blue"]))
    with pytest.raises(SourceError, match=r"none\.zip, which does not exist"):
        open_source(SourceConfig(kind="bands", path=f"s3://{BUCKET}/none.zip", bands=["blue"]))
    with pytest.raises(SourceError, match=r"cannot be listed\. Products may lie on disk, or at s3"):
        open_source(SourceConfig(kind="bands", path="https://localhost:1/S2.SAFE", bands=["blue"]))
