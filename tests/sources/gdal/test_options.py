"""What a server is asked for.

Little more than the pixels, in few requests, and nothing where the user has said otherwise.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.env import get_gdal_config
from rasterio.shutil import copy

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.gdal.options import gdal_env, gdal_options, is_remote, mask_urls
from pipeline.sources.wrappers.read_timeout import TimeoutSource
from tests import scenes
from tests.sources.served import Served, served
from tests.sources.wrappers.test_shared_reads import shared

SIDE = 1536
"""Of the COG, px."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COG with overviews, and the same without."""
    made = tmp_path_factory.mktemp("served")
    data = np.random.default_rng(0).integers(0, 4000, (4, SIDE, SIDE)).astype("uint16")
    whole = scenes.write(made / "whole.tif", data)
    for name, overviews in (("cog.tif", "AUTO"), ("full.tif", "NONE")):
        copy(whole, made / name, driver="COG", compress="deflate", blocksize=256, overviews=overviews)
    return made


def plan() -> BlockGrid:
    rows, cols = (HaloTiling(length=SIDE, multiple=8, halo=64, core=384) for _ in range(2))
    return BlockGrid(height=SIDE, width=SIDE, block=384, rows=rows, cols=cols)


def read_all(server: Served, threads: int) -> int:
    """Pixels decoded for all frames."""
    source, how = shared(open_source(SourceConfig(path=f"{server.url}/cog.tif")), plan())
    with ThreadPoolExecutor(threads) as pool:
        return sum(
            pixels.decoded for pixels in pool.map(source.read, [how.read_window(index) for index in how.blocks()])
        )


@pytest.mark.slow
@pytest.mark.nightly("storage", after=1)
@pytest.mark.parametrize("threads", [1, 4])
def test_all_frames_of_a_cog_cost_little_more_than_its_pixels(folder: Path, tmp_path: Path, threads: int) -> None:
    with served(folder, tmp_path / "log") as server:
        decoded = read_all(server, threads)
        asked = server.asked
    assert server.sent <= 1.15 * (folder / "full.tif").stat().st_size
    gets = [entry for entry in asked if entry[0] == "GET"]
    assert len(gets) <= 2 * decoded * 8 / 2**20  # 256 px of 4 bands are half a MiB: one request each, were none merged
    assert len(gets) <= 0.75 * (SIDE // 256) ** 2
    assert {path for _, path, _, _ in asked} == {"/cog.tif"}  # no listing, no sidecars


@pytest.mark.slow
def test_a_server_that_fails_twice_is_asked_again(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path / "log", faults=2) as server:
        opened = open_source(SourceConfig(path=f"{server.url}/cog.tif"))
        got = opened.read(Window(row=200, col=300, height=300, width=300))
        statuses = [status for _, _, status, _ in server.asked]
    with rasterio.open(folder / "cog.tif") as same:
        assert (got.data == same.read()[:, 200:500, 300:600]).all()
    assert statuses.count(503) == 2


def test_what_the_user_says_stays(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    with served(folder, tmp_path / "log", faults=1) as server, pytest.raises(SourceError, match="cannot be opened"):
        open_source(SourceConfig(path=f"{server.url}/cog.tif"))
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "FALSE")
    with served(folder, tmp_path / "listed") as server:
        open_source(SourceConfig(path=f"{server.url}/cog.tif"))
        assert "/" in {path for _, path, _, _ in server.asked}
    with rasterio.Env(GDAL_HTTP_TIMEOUT="7"), gdal_env(gdal_options("s3://a/b.tif", [])):
        assert (get_gdal_config("GDAL_HTTP_TIMEOUT"), get_gdal_config("GDAL_HTTP_MAX_RETRY")) == (7, 0)


def test_nothing_is_left_behind_and_local_rasters_find_their_sidecars(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path / "log") as server:
        open_source(SourceConfig(path=f"{server.url}/cog.tif")).read(Window(row=0, col=0, height=9, width=9))
    assert get_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN") is None
    path = scenes.write(tmp_path / "a.tif", np.full((1, 2, 2), 7, dtype="uint8"))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as out:
        out.write_mask(np.array([[True, False], [True, True]]))
    assert (tmp_path / "a.tif.msk").exists()
    assert open_source(SourceConfig(path=str(path))).read(Window(row=0, col=0, height=2, width=2)).valid.tolist() == [
        [True, False],
        [True, True],
    ]


@pytest.mark.slow
def test_a_local_mosaic_of_remote_files_lists_no_folder(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path / "log") as server:
        with rasterio.open(f"{server.url}/cog.tif") as _:
            pass
        copy(f"/vsicurl/{server.url}/cog.tif", tmp_path / "a.vrt", driver="VRT")
    assert "/vsicurl/" in (tmp_path / "a.vrt").read_text()
    with served(folder, tmp_path / "again") as again:
        (tmp_path / "a.vrt").write_text((tmp_path / "a.vrt").read_text().replace(server.url, again.url))
        opened = open_source(SourceConfig(path=str(tmp_path / "a.vrt")))
        got = opened.read(Window(row=0, col=0, height=300, width=300))
        assert {path for _, path, _, _ in again.asked} == {"/cog.tif"}
    with rasterio.open(folder / "cog.tif") as same:
        assert (got.data == same.read()[:, :300, :300]).all()


@pytest.mark.parametrize(
    ("path", "behind", "said"),
    [
        ("a.tif", [], None),
        ("a.vrt", ["b.tif"], None),
        ("a.vrt", ["b.tif", "/vsis3/c/d.tif"], "nothing"),
        ("a.vrt", ["/vsis3/c/d.tif"], "EMPTY_DIR"),
        ("https://a/b.TIF?sig=1", [], "EMPTY_DIR"),
        ("s3://a/b.img", [], "TRUE"),
        ("zip+https://a/b.zip!c.tif", [], "EMPTY_DIR"),
        ("/vsizip//vsicurl/https://a/b.zip/c.png", [], "TRUE"),
    ],
)
def test_folders_are_listed_only_where_that_is_cheap(path: str, behind: list[str], said: Any) -> None:
    assert dict(gdal_options(path, behind)).get("GDAL_DISABLE_READDIR_ON_OPEN", "nothing") == (said or "nothing")
    assert bool(gdal_options(path, behind)) == (said is not None)


@pytest.mark.parametrize(
    ("timeout", "said"),
    [(None, ("15", "30", "300")), (20.5, ("15", "21", "21")), (0.2, ("1", "1", "1")), (900, ("15", "30", "900"))],
)
def test_gdal_waits_no_longer_than_a_read_may_take(timeout: float | None, said: tuple[str, ...]) -> None:
    found = dict(gdal_options("s3://a/b.tif", [], timeout))
    assert tuple(found[f"GDAL_HTTP_{name}"] for name in ("CONNECTTIMEOUT", "LOW_SPEED_TIME", "TIMEOUT")) == said
    assert gdal_options("/data/b.tif", [], timeout) == ()


def test_the_patience_of_a_source_reaches_its_handles(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path / "log") as server:
        opened = open_source(SourceConfig(path=f"{server.url}/cog.tif"), 7)
    assert isinstance(opened, TimeoutSource)
    assert dict(opened.source.settings)["GDAL_HTTP_TIMEOUT"] == "7"  # type: ignore[attr-defined]


def test_an_endpoint_of_s3_reaches_gdal_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT",
        "AWS_S3_ENDPOINT",
        "AWS_HTTPS",
        "AWS_VIRTUAL_HOSTING",
        "AWS_SKIP_SIGNATURE",
    ):
        monkeypatch.delenv(name, raising=False)

    def told(path: str) -> dict[str, str]:
        return {name: value for name, value in gdal_options(path, []) if name.startswith("AWS")}

    assert told("s3://a/b.tif") == {}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")
    assert told("https://host/b.tif") == {}
    for path in ("s3://a/b.tif", "/vsis3/a/b.tif", "/vsizip/vsis3/a/b.zip/c.tif"):
        assert told(path) == {"AWS_S3_ENDPOINT": "127.0.0.1:9000", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.example")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
    own = {
        "AWS_S3_ENDPOINT": "minio.example",
        "AWS_HTTPS": "YES",
        "AWS_VIRTUAL_HOSTING": "TRUE",
        "AWS_NO_SIGN_REQUEST": "YES",
    }
    assert told("s3://a/b.tif") == own
    monkeypatch.setenv("AWS_S3_ENDPOINT", "theirs:1")
    with gdal_env(gdal_options("s3://a/b.tif", [])):
        assert (get_gdal_config("AWS_S3_ENDPOINT"), get_gdal_config("AWS_HTTPS")) == ("theirs:1", None)


def test_what_is_remote_is_seen_by_its_name() -> None:
    assert all(map(is_remote, ("gs://a", "/vsigs/a/b", "/vsicurl?url=x", "/vsiadls/x", "/vsizip/vsis3/a/b.zip/c.tif")))
    assert not any(
        map(is_remote, ("/data/s3/a.tif", "/vsizip/a.zip/b.tif", "file:///a.tif", "ftp.tif", "/vsimem/a.tif"))
    )


def test_signatures_and_passwords_are_not_shown() -> None:
    assert mask_urls("https://me:secret@host/a.tif?sig=abc&x=1 is gone") == "https://…@host/a.tif?… is gone"
    assert mask_urls("what? /vsicurl?url=https%3A%2F%2Fa&pc=1") == "what? /vsicurl?…"
    with pytest.raises(SourceError) as told:
        open_source(SourceConfig(path="http://me:secret@127.0.0.1:9/a.tif?sig=abc"))
    assert "secret" not in str(told.value)
    assert "abc" not in str(told.value)
