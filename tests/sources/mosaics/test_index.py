"""Pieces are opened once: an index keeps what they say, and a damaged one is made anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources import raster
from pipeline.sources.mosaics import history
from pipeline.sources.mosaics.history import digest_of_pieces, piece_changes
from tests.sources.mosaics.pieces import cut, mosaic, noise, piece, whole
from tests.sources.served import served


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the pieces that are looked at, in an empty cache."""
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    looked, look = list[str](), raster.open_with_handle

    def counted(config: Any, *more: Any) -> Any:
        looked.append(Path(config.path).name)
        return look(config, *more)

    monkeypatch.setattr(raster, "open_with_handle", counted)
    return looked


def test_pieces_are_opened_once_and_those_that_changed_again(tmp_path: Path, opened: list[str]) -> None:
    folder = cut(tmp_path / "pieces", noise())
    first = mosaic(folder).identity()
    assert opened == ["p0.tif", "p1.tif", "p2.tif", "p3.tif"]
    assert mosaic(folder).identity() == first
    assert len(opened) == 4
    os.utime(folder / "p2.tif", ns=(1, 1))
    second = mosaic(folder).identity()
    assert opened[4:] == ["p2.tif"]
    assert second["files"] != first["files"]
    (folder / "p1.tif.aux.xml").write_text("<PAMDataset/>")  # which may say another nodata
    assert mosaic(folder).identity() == second
    assert opened[5:] == ["p1.tif"]
    piece(folder / "p4.tif", np.ones((2, 5, 5), "uint16"))
    mosaic(folder)
    assert opened[6:] == ["p4.tif"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, opened: list[str], damage: str) -> None:
    folder = cut(tmp_path / "pieces", noise())
    expected = mosaic(folder).identity()
    (index,) = (tmp_path / "cache" / "mosaics").glob("*.json")
    good = index.read_text()
    index.write_text({"cut": good[: len(good) // 2], "flipped": good.replace("50", "51"), "other": "[]"}[damage])
    source = mosaic(folder)
    assert source.identity() == expected
    assert len(opened) == 8
    assert index.read_text() == good


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / "cache").write_text("a file where a folder is needed")
    folder = cut(tmp_path / "pieces", noise())
    assert mosaic(folder).identity() == mosaic(folder).identity()
    assert len(opened) == 8


def test_changes_between_two_sets_of_pieces_are_named(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    then = digest_of_pieces(["a", "b", "c"], ["1", "1", "1"])
    now = digest_of_pieces(["a", "b", "d"], ["1", "2", "1"])
    assert piece_changes(then, now) == "d was added, b was changed, c is gone"
    assert piece_changes(then, digest_of_pieces(["b", "a", "c"], ["1", "1", "1"])) == "its pieces come in another order"
    assert piece_changes("unknown", now) == piece_changes(None, now) == ""
    monkeypatch.setattr(history, "MAX_LISTS", 1)
    last = digest_of_pieces(["z"], ["1"])
    assert piece_changes(then, last) == ""


def test_a_piece_that_cannot_be_opened_is_tried_again(tmp_path: Path, opened: list[str]) -> None:
    folder = cut(tmp_path / "pieces", noise())
    good = (folder / "p1.tif").read_bytes()
    (folder / "p1.tif").write_bytes(b"")
    with pytest.raises(SourceError, match=r"p1\.tif, a piece of the mosaic, cannot be read"):
        mosaic(folder)
    (folder / "p1.tif").write_bytes(good)
    mosaic(folder)
    assert opened[4:] == ["p1.tif"]


@pytest.mark.slow
def test_pieces_of_a_server_are_read_and_told_by_what_it_says_of_them(tmp_path: Path, opened: list[str]) -> None:
    data = noise()
    folder = cut(tmp_path / "pieces", data)
    with served(folder, tmp_path / "log") as server:
        urls = [f"{server.url}/p{k}.tif" for k in range(4)]
        source = mosaic(urls)
        pixels = whole(source)
        assert (pixels.data[:, pixels.valid] == data[:, pixels.valid]).all()
        assert pixels.valid.sum() == (data != 0).any(0).sum()
        opened.clear()
        assert mosaic(urls).identity() == source.identity()
        assert opened == []
