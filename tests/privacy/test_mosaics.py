"""What the user's cache keeps of the pieces of a mosaic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from rasterio.transform import from_origin

from tests import scenes
from tests.privacy import planted
from tests.privacy.commands import Commands, job, places_of


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize("redact", [False, True])
def test_names_of_pieces_stand_in_the_users_cache_unless_they_are_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redact: bool
) -> None:
    place, work = tmp_path / planted.IN_PATH, tmp_path / "work"
    place.mkdir()
    pieces = [
        scenes.write(
            place / f"{planted.IN_PATH}_{number}.tif",
            np.roll(planted.pixels(), 7 * number, axis=2),
            transform=from_origin(500_000 + 10 * planted.WIDTH * number, 4_600_000, 10, 10),
        )
        for number in range(2)
    ]
    config, commands = job(tmp_path, pieces[0], redact), Commands()
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(work / "cache"))
    document = yaml.safe_load(config.read_text())
    document["source"] = {"kind": "mosaic", "path": [str(piece) for piece in pieces]}
    config.write_text(yaml.safe_dump(document))
    commands("run", config)
    commands("run", config)
    commands("status", work / "job.zarr", "--json")
    places = places_of(planted.IN_PATH, work, commands.said)
    if redact:
        assert places == set()
    else:
        assert {"job.zarr/zarr.json", "job.report.html"} <= places
        assert {Path(name).parts[1] for name in places if name.startswith("cache")} == {"mosaics"}
