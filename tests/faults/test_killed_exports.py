"""Exports and finishing, killed twenty times at any moment: each file is whole or absent, and in the end nothing else.

On disk, and on object storage, where every export is an upload in parts.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from pipeline.exports.write import scratch_place
from pipeline.locations import Place, Remote
from pipeline.store.files import PARTIAL, files_at, object_storage
from pipeline.store.instances import published_instances
from pipeline.store.status import status
from tests import runs, scenes
from tests.commands import Command, settled
from tests.storage import BUCKET

pytestmark = [pytest.mark.slow, pytest.mark.nightly("kills")]

KILLS = 20
ENDINGS = {"cog": ".mask.tif", "gpkg": ".gpkg", "geojson": ".geojson"}
OF_EACH_TIME = r"report\.json$|/lease/|^job\.zarr/(zarr\.json|0/mask/shards/)"
"""What says when it was made, or by whom."""


def start(*args: object) -> Command:
    """The public command; dates in a GeoPackage are always the same."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, str(Path(__file__).with_name("small_parts.py")), *map(str, args)]
    environment = settled({**os.environ, "OGR_CURRENT_DATE": "2026-01-01T00:00:00.000Z"})
    return Command(command, env=environment, text=True, **streams)


def go(*args: object) -> float:
    """Seconds that the command takes to its end."""
    begun = time.monotonic()
    code, _, err = runs.wait(start(*args))
    assert code == 0, err
    return time.monotonic() - begun


def kill(draw: random.Random, seconds: float, *args: object) -> None:
    """Start the command, and kill it at a moment of the last three quarters of what it takes."""
    process = start(*args)
    time.sleep(draw.uniform(seconds / 4, seconds))
    process.kill()
    process.communicate()


def contents(folder: Place, below: str = "") -> dict[str, bytes]:
    """Every file but those below some folder, and but what differs between two runs."""
    files = files_at(folder)
    names = [name for name in files.list() if re.search(OF_EACH_TIME, name) is None]
    return {name: files.get(name) or b"" for name in names if not (below and name.startswith(below))}


def put_back(folder: Place, files: dict[str, bytes]) -> None:
    """Make a folder what it was."""
    if isinstance(folder, Path):
        shutil.rmtree(folder)
    else:
        object_storage.Bucket(folder).clear(list(files_at(folder).list()))
    for name, data in files.items():
        files_at(folder).put(name, data)


def left_over(folder: Place, file: Place) -> list[str]:
    """What killed writers have left of a file: after an hour, for younger ones may be at work."""
    old = 1_000_000_000
    beside = scratch_place(file)
    partials = [*beside.parent.glob(f"*{beside.name}*{PARTIAL}")]
    if isinstance(folder, Path):
        partials += [*folder.rglob(f"*{PARTIAL}")]
    for path in partials:
        os.utime(path, (old, old))
    return [str(path) for path in partials]


def uploads(folder: Place) -> list[str]:
    """Objects whose upload in parts was begun and neither completed nor aborted."""
    if isinstance(folder, Path):
        return []
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    begun = client.list_multipart_uploads(Bucket=folder.bucket, Prefix=folder.key).get("Uploads", [])
    return [upload["Key"] for upload in begun]


@pytest.fixture(params=["disk", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where the store and its files lie."""
    if request.param == "disk":
        return tmp_path / "out"
    request.getfixturevalue("s3")
    return Remote(f"s3://{BUCKET}/{tmp_path.name}/out")


@pytest.mark.parametrize("form", ENDINGS)
def test_an_export_that_is_killed_twenty_times_is_whole_or_absent(folder: Place, form: str, tmp_path: Path) -> None:
    store, file = folder / "job.zarr", folder / f"job{ENDINGS[form]}"
    runs.go(scenes.config(tmp_path, output={"path": str(store), "exports": []}))
    command = ("export", store, "--to", form)
    go(*command)
    whole, seconds, draw = contents(folder), go(*command), random.Random(1)
    assert file.name in whole
    for round_ in range(KILLS):
        if round_ % 2:
            files_at(folder).delete(file.name)
        kill(draw, seconds, *command)
        assert files_at(folder).get(file.name) in (None, whole[file.name])
    left_over(folder, file)
    go(*command)
    assert contents(folder) == whole
    assert (left_over(folder, file), uploads(folder)) == ([], [])


def test_a_label_image_that_is_killed_twenty_times_is_whole_or_not_named(folder: Place, tmp_path: Path) -> None:
    store, command = folder / "job.zarr", ("export", folder / "job.zarr", "--to", "zarr-labels")
    runs.go(scenes.config(tmp_path, output={"path": str(store), "exports": []}))
    before = {name: files_at(folder).get(name) or b"" for name in files_at(folder).list()}
    seconds = go(*command)
    whole, draw = contents(folder), random.Random(3)
    ids = [name for name in whole if name.startswith("job.zarr/labels/instances/")]
    assert any("/c/" in name for name in ids)
    for round_ in range(KILLS):
        if round_ % 5 == 0:
            put_back(folder, before)
        kill(draw, seconds, *command)
        if published_instances(store) is not None:
            assert {name: files_at(folder).get(name) for name in ids} == {name: whole[name] for name in ids}
    go(*command)
    assert contents(folder) == whole
    assert uploads(folder) == []


def test_finishing_that_is_killed_twenty_times_leaves_files_whole_or_absent(folder: Place, tmp_path: Path) -> None:
    store = folder / "job.zarr"
    output = {"path": str(store), "exports": ["cog", "gpkg"]}
    for shard in runs.shards(2):
        runs.go(scenes.config(tmp_path, output=output), shard=shard)
    files = files_at(folder)
    before = {name: files.get(name) or b"" for name in files.list()}
    go("finish", store)
    put_back(folder, before)
    seconds, whole, draw = go("finish", store), contents(folder), random.Random(2)
    assert {"job.mask.tif", "job.gpkg", "job.png", "job.vrt"} <= set(whole)
    for round_ in range(KILLS):
        if round_ % 2:
            put_back(folder, before)
        kill(draw, seconds, "finish", store)
        files_of_store = "" if status(store).complete else "job.zarr/"  # files beside a store come last
        for name, data in contents(folder, files_of_store).items():
            assert PARTIAL in name or data == whole[name], name
    for each in ("job.mask.tif", "job.gpkg"):
        left_over(folder, folder / each)
    go("finish", store)
    assert contents(folder) == whole
    assert uploads(folder) == []
    assert [each for each in ("job.mask.tif", "job.gpkg") if left_over(folder, folder / each)] == []
