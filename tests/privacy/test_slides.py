"""A name planted in a slide is searched in everything that every command leaves and says, in both modes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
import yaml
from pydicom.uid import generate_uid

from pipeline.store.lifecycle import read_store_meta
from tests import runs, scenes
from tests.commands import wholecloth
from tests.privacy import planted, planted_slides
from tests.privacy.commands import Commands, every_command, job, places_of

EXPORTS = ["cog", "png", "ome-tiff", "qupath", "zarr-labels"]
"""Forms of a store in µm."""
WITH_PATH = {
    "job.zarr/zarr.json",
    "job.report.html",
    "shards.zarr/zarr.json",
    "shards.report.html",
    "plan.yaml",
    "job.preview/preview.html",
}
"""Where the path of a slide stands without `output.redact`. With it, no name stands anywhere."""


def slide_job(folder: Path, maker: str, redact: bool, **output: Any) -> tuple[Path, Path]:
    """A config, and the slide that it names."""
    place = folder / planted.IN_PATH
    place.mkdir()
    slide = planted_slides.MAKERS[maker](place / f"{planted.IN_PATH}_01.tif")
    assert any(planted.IN_FILE.encode() in file.read_bytes() for file in place.iterdir())
    config = job(folder, slide, redact, **output)
    document = yaml.safe_load(config.read_text())
    document["source"] |= {"kind": "slide", "mpp": planted_slides.MPP, "only": "tissue"}
    document["source"]["tissue"] = {"saturation": 0.05, "resolution": "4 px", "min_area": "4 px"}
    config.write_text(yaml.safe_dump(document))
    return config, slide


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("maker", planted_slides.MAKERS)
def test_every_command_tells_the_names_of_a_slide_only_where_they_are_listed(
    tmp_path: Path, maker: str, redact: bool
) -> None:
    config, slide = slide_job(tmp_path, maker, redact)
    commands, work = Commands(), tmp_path / "work"
    ones = np.ones((1, planted.HEIGHT, planted.WIDTH), "uint8")
    labels = scenes.write(tmp_path / "labels.tif", ones, crs=None, transform=None)
    every_command(commands, config, slide, labels, redact)
    for form in EXPORTS:
        commands("export", work / "job.zarr", "--to", form)
    assert places_of(planted.IN_PATH, work, commands.said) == (set() if redact else WITH_PATH)
    assert places_of(planted.IN_FILE, work, commands.said) == set()


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize("maker", planted_slides.MAKERS)
def test_a_redacted_store_of_a_slide_goes_on_wherever_its_files_lie(tmp_path: Path, maker: str) -> None:
    config, slide = slide_job(tmp_path, maker, redact=True, certificate=True)
    commands, store = Commands(), tmp_path / "work" / "job.zarr"
    commands("run", config, "--shard", "1/1")
    kept = runs.arrays(store)["0/mask/c/0/0"]
    moved = Path(shutil.move(slide.parent, slide.parent.with_name(f"{planted.IN_PATH}_moved"))) / slide.name
    commands("finish", store, fails="Give --source FILE")
    commands("finish", store, "--source", moved)
    assert read_store_meta(store)["certificate"]["passed"]
    commands("run", config, "--source", moved)
    assert b"committed blocks have the same pixels" in commands.said["said by run"]
    commands("verify", store, fails="a stand-in (redacted://…) for source.path")
    commands("verify", store, "--windows", "1", "--source", moved)
    assert runs.arrays(store)["0/mask/c/0/0"] == kept
    damage(moved)
    commands("run", config, "--source", moved, "--fresh", fails="cannot be")
    assert places_of(planted.IN_PATH, tmp_path / "work", commands.said) == set()
    assert places_of(planted.IN_FILE, tmp_path / "work", commands.said) == set()


def damage(slide: Path) -> None:
    """Let level 0 be unreadable; the header, and other levels, stay whole."""
    if slide.suffix == ".dcm":
        slide.write_bytes(slide.read_bytes()[:-1000])
        return
    raw = bytearray(slide.read_bytes())
    with tifffile.TiffFile(slide) as file:
        start, size = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    raw[start : start + size] = bytes(size)
    slide.write_bytes(raw)


@pytest.mark.slow
@pytest.mark.parametrize("redact", [False, True])
def test_an_error_of_openslide_names_no_other_file_of_a_series_and_no_identifier(tmp_path: Path, redact: bool) -> None:
    config, slide = slide_job(tmp_path, "dicom", redact)
    other = shutil.copy(slide, slide.with_name(f"{planted.IN_PATH}_twin.dcm"))
    with pydicom.dcmread(other) as image:
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.save_as(other)
        identifier = str(image.SOPInstanceUID)
    commands = Commands()
    commands("run", config, fails="unexpected image (… vs. …)")
    said = commands.said["said by run"].decode()
    assert identifier not in said
    assert (planted.IN_PATH in said) is not redact
    done = wholecloth("--debug", "run", config)
    assert "OpenSlideError" in done.stderr
    assert (planted.IN_PATH in done.stderr, identifier in done.stderr) == (not redact, not redact)
