"""Items of a server: busy servers, signatures that end, files that vanish, and catalogues that mean harm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import SourceConfig
from pipeline.errors import BlocksFailed, ReadError, SourceError, Unfinished
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.stac_items import catalogue as requests
from pipeline.store.lifecycle import open_layer
from tests import runs, scenes
from tests.sources import catalogue
from tests.sources.catalogue import Served

pytest.importorskip("pystac_client")
BANDS = ["red", "green", "nir"]
SIGN = """import os
from itertools import count

numbers = count(1)


def by_query(href):
    return f"{href}?sig=SECRET-{os.getpid()}-{next(numbers)}"


def by_header(href):
    return {"href": href, "headers": {"Authorization": f"Bearer SECRET-{os.getpid()}-{next(numbers)}"}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    catalogue.scene(folder / "a")
    (folder / "sign.py").write_text(SIGN)
    with catalogue.serve(folder) as served:
        yield served


@pytest.fixture(autouse=True)
def obedient(server: Served) -> None:
    server.rules()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """GDAL asks once."""
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    monkeypatch.setattr("pipeline.sources.gdal.file_identity.PAUSES_S", (0.0,))


def source(server: Served, sign: str | None = None, **more: Any) -> Any:
    signer = f"{server.folder / 'sign.py'}:{sign}" if sign else None
    values = {"kind": "stac", "path": server.url("a/item.json"), "bands": BANDS, "sign": signer, **more}
    return open_source(SourceConfig(**values))


def read(opened: Any) -> np.ndarray:
    return opened.read(Window(row=0, col=0, height=300, width=420)).data


def whole(server: Served) -> np.ndarray:
    return scenes.read(server.folder / "a" / "scene.tif").astype("uint16")


def planted(server: Served, **asset: Any) -> str:
    """The address of an item whose only asset is this."""
    document = catalogue.item({"red": {"eo:bands": [{"common_name": "red"}], **asset}})
    return server.url(
        str(catalogue.write(server.folder / "planted" / "item.json", document).relative_to(server.folder))
    )


def test_a_server_that_is_busy_is_asked_again_after_the_pause_that_it_asks_for(server: Served, hasty: None) -> None:
    busy = {"status": 429, "headers": {"Retry-After": "1"}}
    server.rules({"match": "item.json", "count": 1, **busy}, {"match": "nir.tif", "skip": 5, "count": 3, **busy})
    assert (read(source(server)) == whole(server)).all()
    assert [request["status"] for request in server.log if "item.json" in request["path"]] == [429, 200]
    assert sum(request["status"] == 429 for request in server.log) == 4


def test_a_catalogue_that_stays_busy_ends_the_command_for_another_time(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BACKOFF_S", 0)
    server.rules({"match": "item.json", "status": 503})
    with pytest.raises(Unfinished, match=r"item.json does not answer but with 503, though it was asked 6 times"):
        source(server)
    server.rules({"match": "item.json", "status": 410})
    with pytest.raises(SourceError, match="answers with 410"):
        source(server)


@pytest.mark.parametrize("sign", ["by_query", "by_header"])
def test_signatures_that_end_are_made_anew_while_windows_are_read(server: Served, hasty: None, sign: str) -> None:
    opened = source(server, sign)
    rows = [opened.read(Window(row=0, col=0, height=60, width=420)).data]
    server.rules({"match": "tif", "status": 403, "revokes": True})
    rows += [opened.read(Window(row=row, col=0, height=60, width=420)).data for row in range(60, 300, 60)]
    assert (np.concatenate(rows, 1) == whole(server)).all()
    assert {request["path"].partition("?")[0] for request in server.log if request["status"] == 403} >= {"/a/nir.tif"}


def test_a_file_is_known_by_its_own_address_whatever_its_signature(server: Served) -> None:
    first, second = (source(server, "by_query").identity() for _ in range(2))
    assert first == second == {**source(server).identity()}
    assert "SECRET" not in json.dumps(first)


def test_another_host_that_a_server_leads_to_gets_no_authorization(server: Served) -> None:
    elsewhere = {"Location": server.url("a/red.tif", host="localhost")}
    server.rules({"match": "red.tif", "host": "127.0.0.1", "status": 302, "headers": elsewhere})
    opened = source(server, "by_header", bands=["red"])
    opened.identity()
    assert (read(opened) == whole(server)[:1]).all()
    seen = {request["Host"].partition(":")[0]: [] for request in server.log}
    for request in server.log:
        seen[request["Host"].partition(":")[0]].append(request["Authorization"])
    assert set(seen["localhost"]) == {None}
    assert all(proof.startswith("Bearer SECRET") for proof in seen["127.0.0.1"] if proof)
    assert any(seen["127.0.0.1"])


def test_an_asset_that_is_gone_is_named_with_its_item(server: Served, hasty: None) -> None:
    server.rules({"match": "green.tif", "status": 404})
    with pytest.raises(SourceError, match=r"The asset green of item scene of tests: .*green.tif.*404"):
        source(server)
    server.rules()
    opened = source(server)
    server.rules({"match": "green.tif", "status": 404})
    with pytest.raises(ReadError, match=r"http://127.*green.tif cannot be opened"):
        read(opened)


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "/vsicurl/http://127.0.0.1/x.tif",
        "<VRTDataset rasterXSize='1' rasterYSize='1'/>",
        'NETCDF:"/etc/passwd":x',
        "../a/red.tif",
    ],
)
def test_addresses_that_a_catalogue_planted_are_refused_before_anything_is_opened(server: Served, href: str) -> None:
    url = planted(server, href=href)
    with pytest.raises(SourceError, match="Do not use this item"):
        source(server, path=url, bands=["red"])
    assert [request["path"] for request in server.log] == ["/planted/item.json"]


def test_a_file_that_leads_to_others_under_the_name_of_an_image_is_refused(server: Served) -> None:
    secret = server.folder / "a" / "red.tif"
    band = f"<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>"
    text = (
        f'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="UInt16" band="1">{band}</VRTRasterBand>'
    )
    url = planted(server, href="red.tif")
    (server.folder / "planted" / "red.tif").write_text(f"{text}</VRTDataset>")
    with pytest.raises(SourceError, match=r"red.tif cannot be opened .*images that name no other file: GTiff"):
        source(server, path=url, bands=["red"])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
@pytest.mark.nightly("storage")
@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_a_run_signs_anew_in_its_workers_and_writes_no_signature_anywhere(
    server: Served, hasty: None, tmp_path: Path, engine: str
) -> None:
    signed = {"path": server.url("a/item.json"), "assets": BANDS, "sign": f"{server.folder / 'sign.py'}:by_query"}
    scenes.scene(tmp_path / "scene.tif")
    server.rules({"match": "tif", "status": 403, "uses": 9})
    config = scenes.config(
        tmp_path,
        source={"kind": "stac", **signed},
        execution={"engine": engine, "workers": 2},
        output={"report": True},
    )
    frozen = runs.start("plan", config, "--freeze", tmp_path / "frozen.yaml").communicate()
    planned = len(server.log)
    run = runs.start("run", config, "--log-format", "json")
    printed = (*frozen, *run.communicate())
    assert run.returncode == 0, printed
    assert any(request["status"] == 403 for request in server.log)
    pids = {match[1] for request in server.log[planned:] if (match := re.search(r"sig=SECRET-(\d+)", request["path"]))}
    assert (len(pids) > 1) == (engine == "processes")
    assert not [name for name, data in bytes_of(tmp_path).items() if b"SECRET" in data]
    assert "SECRET" not in "".join(printed)
    assert (open_layer(tmp_path / "job.zarr", 0, "mask")[:] == scenes.whole(tmp_path)).all()


@pytest.mark.slow
def test_a_run_whose_asset_dies_fails_its_blocks_by_name_and_a_rerun_does_them(
    server: Served, hasty: None, tmp_path: Path
) -> None:
    given = {"kind": "stac", "path": server.url("a/item.json"), "assets": BANDS}
    config = scenes.config(tmp_path, source=given, execution={"retries": 0})
    server.rules({"match": "green.tif", "skip": 14, "status": 404})
    failed = CliRunner().invoke(app, ["run", str(config)])
    assert isinstance(failed.exception, BlocksFailed)
    assert failed.exception.exit_code == 1
    assert "green.tif cannot be read" in failed.output.replace("\n", " ")
    server.rules()
    assert CliRunner().invoke(app, ["run", str(config)]).exit_code == 0
