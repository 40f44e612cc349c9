"""Which files are pieces, and when each was taken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources.mosaics.dates import parse_date
from pipeline.sources.mosaics.listing import listed_pieces
from tests.sources.mosaics.pieces import mosaic, piece, whole


def names(path: str | Path | list[str]) -> list[str]:
    config = SourceConfig(kind="mosaic", path=path if isinstance(path, list) else str(path))
    return [Path(str(found.path)).name for found in listed_pieces(config)]


def test_a_folder_holds_its_rasters_and_neither_sidecars_nor_exports_of_a_store(tmp_path: Path) -> None:
    for name in ("b.tif", "a.TIFF", "a.TIFF.aux.xml", "b.tif.ovr", "b.tfw", "notes.txt", "out.mask.tif", "out.vrt"):
        (tmp_path / name).touch()
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.tif").touch()
    assert names(tmp_path) == ["a.TIFF", "b.tif"]
    assert names(tmp_path / "**" / "*.tif") == ["b.tif", "c.tif", "out.mask.tif"]
    assert names([str(tmp_path / "b.tif"), str(tmp_path / "a.TIFF")]) == ["b.tif", "a.TIFF"]
    assert names(tmp_path / "[!a]*") == ["b.tif", "notes.txt", "out.mask.tif", "out.vrt"]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024", datetime(2024, 1, 1)),
        ("2024-06", datetime(2024, 6, 1)),
        ("20240601", datetime(2024, 6, 1)),
        ("2024_06_01", datetime(2024, 6, 1)),
        ("2024153", datetime(2024, 6, 1)),
        ("20240601T100331Z", datetime(2024, 6, 1, 10, 3, 31)),
        ("2024-06-01T10-03", datetime(2024, 6, 1, 10, 3)),
        ("2024:06:01 10:03:31", datetime(2024, 6, 1, 10, 3, 31)),
        ("20241301", None),
    ],
)
def test_dates_are_read_in_the_forms_of_file_names(text: str, date: datetime | None) -> None:
    assert parse_date(text) == (None if date is None else date.replace(tzinfo=UTC))


def test_dates_in_names_win_over_tags_and_other_names_are_no_pieces(tmp_path: Path) -> None:
    for name, value, tag in (("a_20220101.tif", 1, "2030:01:01 00:00:00"), ("b_20230101.tif", 2, None)):
        piece(tmp_path / name, np.full((1, 3, 3), value, "uint16"), date=tag)
    piece(tmp_path / "c_undated.tif", np.full((1, 3, 3), 3, "uint16"))
    assert (whole(mosaic(tmp_path / "*_{date}.tif", overlap="newest")).data == 2).all()
    (tmp_path / "d_20229999.tif").touch()
    with pytest.raises(SourceError, match=r"d_20229999\.tif has 20229999 in place of \{date\}, which is no date"):
        mosaic(tmp_path / "*_{date}.tif", overlap="newest")


def test_files_of_a_server_are_not_listed() -> None:
    with pytest.raises(SourceError, match="files of a server are not listed"):
        mosaic("s3://bucket/tiles/*.tif")
