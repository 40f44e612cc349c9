"""Searches of a STAC API: all pages as one mosaic, and a store that is made of no other items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import SourceConfig
from pipeline.errors import InputError, SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests import scenes
from tests.sources import catalogue
from tests.sources.catalogue import Served

pytest.importorskip("pystac_client")
SIDE, STEP = 96, 64
"""px of each item, and between the left sides of neighbours."""
NAMES = ("S5", "S4", "S3", "S2", "S1")
"""From the left to the right; each is older than the one before."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("searched")
    with catalogue.serve(folder) as served:
        yield served


def item(server: Served, number: int) -> dict[str, Any]:
    """An item whose pixels are those of `ground`, and its number in every eleventh row."""
    name = NAMES[number]
    place = server.folder / "api" / name / "red.tif"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        transform = from_origin(500_000 + 10 * STEP * number, 4_600_000, 10, 10)
        scenes.write(place, np.full((1, SIDE, SIDE), number + 1, "uint16"), nodata=0, transform=transform)
    red = {**catalogue.asset("red.tif", "red", (SIDE, SIDE)), "proj:transform": None}
    document = catalogue.item({"red": red}, name, f"2024-06-{9 - number:02}T00:00:00Z")
    return {**document, "links": [{"rel": "self", "href": server.url(f"api/{name}/item.json")}]}


def publish(server: Served, numbers: tuple[int, ...]) -> dict[str, Any]:
    """The API gives these items from now on."""
    catalogue.write(server.folder / "api" / "items.json", [item(server, number) for number in numbers])
    server.rules()
    search = {"api": server.url("api"), "collections": ["tests"], "bbox": [14, 41, 16, 42], "datetime": "2024-06-01/.."}
    return {"kind": "stac", "path": {**search, "query": {"eo:cloud_cover": {"lt": 20}}}, "bands": ["red"]}


def row(given: dict[str, Any], **more: Any) -> list[int]:
    """Values of the first row, each once."""
    opened = open_source(SourceConfig(**given, **more))
    values = opened.read(Window(row=0, col=0, height=1, width=opened.grid.width)).data[0, 0]
    return [int(values[0]), *(int(b) for a, b in pairwise(values) if a != b)]


def test_all_pages_of_a_search_are_one_mosaic(server: Served) -> None:
    given = publish(server, (2, 0, 4, 1, 3))
    opened = open_source(SourceConfig(**given))
    assert (opened.grid.height, opened.grid.width) == (SIDE, 4 * STEP + SIDE)
    assert opened.identity()["items"] == [f"tests/{name}" for name in sorted(NAMES)]
    pages = [request for request in server.log if "search" in request["path"]]
    assert [request["path"] for request in pages] == ["/api/search", "/api/search?start=2", "/api/search?start=4"]


@pytest.mark.parametrize(("overlap", "wins"), [("first", "right"), ("last", "left"), ("newest", "left")])
def test_where_items_overlap_their_time_decides(server: Served, overlap: str, wins: str) -> None:
    given = publish(server, (1, 0, 2))
    assert row(given, overlap=overlap) == [1, 2, 3]
    opened = open_source(SourceConfig(**given, overlap=overlap))
    common = opened.read(Window(row=0, col=STEP, height=1, width=SIDE - STEP)).data
    assert set(np.unique(common)) == {1 if wins == "left" else 2}


def test_a_search_that_gives_nothing_is_refused(server: Served) -> None:
    with pytest.raises(SourceError, match=r"gives no item: http.*/api tests, bbox \[14.0, 41.0, 16.0, 42.0\]"):
        open_source(SourceConfig(**publish(server, ())))


def test_an_item_of_a_search_that_plants_an_address_is_refused(server: Served) -> None:
    given = publish(server, (0, 1))
    items = json.loads((server.folder / "api" / "items.json").read_text())
    items[1]["assets"]["red"]["href"] = "../../etc/passwd"
    catalogue.write(server.folder / "api" / "items.json", items)
    with pytest.raises(SourceError, match=r"S4/item.json names the file '../../etc/passwd', which climbs out"):
        open_source(SourceConfig(**given))


@pytest.mark.nightly("storage")
@pytest.mark.slow
def test_a_store_and_a_frozen_plan_are_made_of_no_other_items(server: Served, tmp_path: Path) -> None:
    given = publish(server, (0, 1))
    config = scenes.config(tmp_path, source={**given, "bands": ["red", "red", "red"]})
    run = CliRunner()
    frozen = run.invoke(app, ["plan", str(config), "--freeze", str(tmp_path / "frozen.yaml")])
    assert frozen.exit_code == 0, frozen.output
    assert run.invoke(app, ["run", str(config)]).exit_code == 0
    publish(server, (1, 2))
    for command in (["run", str(config)], ["run", str(tmp_path / "frozen.yaml")]):
        again = run.invoke(app, command)
        assert isinstance(again.exception, InputError)
        assert again.exception.exit_code == 2
        assert "other items now: tests/S3 was added, tests/S5 is gone" in str(again.exception)
    publish(server, (1, 0))
    assert run.invoke(app, ["run", str(config)]).exit_code == 0
