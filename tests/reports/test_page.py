"""The page of a run says what is there, as text, and asks nothing of anybody."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BlocksFailed, ConfigError, ReadError
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.reports import page
from pipeline.running.finish import complete_store
from pipeline.sources.raster import RasterSource
from tests import scenes
from tests.runs import go

REPORT = {"report": True, "layers": ["mask", "confidence"]}
EVIL = '<img src=x onerror="alert(1)">&amp;'
ASKS = re.compile(r"<(?!a\b)[^>]*\b(?:src|href)=[\"']?(?!data:)|url\(|@import|<script|\bon\w+=[\"']")


class Text(HTMLParser):
    """Text of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", [], {}
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault((tag, name), []).append(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose names are markup, with its page."""
    folder = tmp_path_factory.mktemp("page")
    names = [EVIL, "</td></table><b>", "c", "d"]
    classes = [{**row, "name": name} for row, name in zip(scenes.CLASSES, names, strict=True)]
    path = config(folder, "<b>&job", output={"certificate": True}, model={"classes": classes})
    go(path)
    return folder


def config(folder: Path, name: str = "job", **sections: dict[str, Any]) -> Path:
    """A job of four blocks with a page."""
    scenes.scene(folder / "scene.tif", 140, 200)
    return scenes.config(folder, name, **{**sections, "output": {**REPORT, **sections.get("output", {})}})


def html(folder: Path, name: str = "<b>&job") -> str:
    return (folder / f"{name}.report.html").read_text(encoding="utf-8")


def test_a_page_shows_names_as_text_and_asks_nothing(folder: Path) -> None:
    text = html(folder)
    parsed = Text(text)
    assert EVIL in parsed.text
    assert "<b>&job.zarr" in parsed.text
    assert "b" not in parsed.tags
    assert "script" not in parsed.tags
    assert all(str(source).startswith("data:") for source in parsed.attributes[("img", "src")])
    assert not ASKS.search(re.sub(r'src="data:[^"]*"', "", text.replace("&lt;", "")).replace("onerror=&#34;", ""))
    assert len(text) < 2 << 20


def test_the_policy_of_a_page_allows_its_style_and_no_other(folder: Path) -> None:
    import base64
    import hashlib

    parsed, style = Text(html(folder)), re.search(r"<style>(.*?)</style>", html(folder), re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [content for content in parsed.attributes[("meta", "content")] if content and "default-src" in content]
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert not any(name == "style" for _, name in parsed.attributes)


def test_a_page_says_what_a_run_did_and_what_came_of_it(folder: Path) -> None:
    text = " ".join(Text(html(folder)).text.split())
    for part in (
        "Complete: 4 blocks",
        "140 × 200 px",
        "EPSG:32633",
        "km²",
        "nodata 2,800 px",
        "Passed",
        "device busy",
    ):
        assert part in text, part
    assert len(re.findall(r"image whole tiled difference", text)) == 3
    assert "projected" in text
    assert "torchscript" in text  # the config


def test_a_foreign_file_keeps_its_place_and_the_page_steps_aside(tmp_path: Path) -> None:
    path = config(tmp_path, output={"layers": ["mask"]})
    first, second = tmp_path / "job.report.html", tmp_path / "job.zarr.report.html"
    first.write_text("mine")
    report = go(path)
    assert first.read_text() == "mine"
    assert report.files["page"] == str(second)
    assert second.exists()
    written = second.read_bytes()
    assert complete_store(tmp_path / "job.zarr", lambda line: None).files["page"] == str(second)
    assert b"Complete: 4 blocks" in second.read_bytes()
    (tmp_path / "job.report.json").write_text("?")
    page.write_page(tmp_path / "job.zarr")
    assert b"No block was inferred this time" in second.read_bytes()
    second.write_text("mine too")
    with pytest.raises(ConfigError, match=r"output\.report: false"):
        go(path)
    second.write_bytes(written)
    go(path, "output.report=false")
    assert not second.exists()
    assert first.read_text() == "mine"


def test_a_page_of_a_damaged_store_says_what_it_cannot_show(tmp_path: Path) -> None:
    go(config(tmp_path))
    for chunk in (tmp_path / "job.zarr" / "0" / "confidence" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:20])
    text = page.write_page(tmp_path / "job.zarr").read_text()
    assert "the page does not show the confidence." in text
    assert "<h2>Classes</h2>" in text


def test_what_a_page_shows_of_the_pixels_is_read_once_and_beside_the_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_parts, threads = page.read_parts, []

    def noted_parts(*args: Any, **options: Any) -> page.PageParts:
        threads.append(threading.current_thread().name)
        return read_parts(*args, **options)

    monkeypatch.setattr(page, "read_parts", noted_parts)
    go(config(tmp_path))
    assert threads == ["page"]
    text = (tmp_path / "job.report.html").read_text()
    assert page.write_page(tmp_path / "job.zarr").read_text() == text


def test_a_page_of_failed_blocks_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = RasterSource.read

    def read(self: RasterSource, window: Window) -> Pixels:
        if window.row <= 130 < window.rows.stop and window.col <= 10:
            raise ReadError(f"cannot {EVIL}")
        return real(self, window)

    monkeypatch.setattr(RasterSource, "read", read)
    path = config(tmp_path, execution={"retries": 0})
    with pytest.raises(BlocksFailed):
        go(path)
    text = Text(html(tmp_path, "job")).text
    assert re.search(r"\d of 4 blocks failed", text)
    assert EVIL in text
    assert "Complete" not in text


def test_a_store_of_values_without_a_picture_has_a_page_as_well(tmp_path: Path) -> None:
    go(config(tmp_path, output={"picture": False, "layers": ["values"]}, model={"classes": None}))
    parsed = Text(html(tmp_path, "job"))
    assert "keeps no picture of its source" in parsed.text
    assert parsed.attributes[("img", "alt")] == ["The layer values"]


def test_a_scene_that_is_dark_beside_its_clouds_is_brightened() -> None:
    from pipeline.reports.pictures import MIDDLE, _exponent

    dark = np.full(100, 0.1, np.float32)
    assert 0.1 ** _exponent(dark) == pytest.approx(MIDDLE, abs=0.05)
    assert _exponent(np.full(100, 0.6, np.float32)) == 1
