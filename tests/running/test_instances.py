"""The label image of a run: made with its other exports, verified, and made anew where the mask is another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.postprocess import StepConfig
from pipeline.geometry.window import Window
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.apply import apply_postprocess
from pipeline.running.finish import complete_store
from pipeline.store.instances import published_instances
from pipeline.store.ledger import Ledger, commit_block
from pipeline.store.lifecycle import clear_open_arrays, open_layer
from pipeline.store.respec import read_spec
from tests import runs, scenes
from tests.objects.test_components import reference_ids

CLASSES = [{**scenes.CLASSES[0], "role": "background"}, *scenes.CLASSES[1:]]


def ignore(line: str) -> None:
    """Whatever is told."""


def config(folder: Path) -> Path:
    output = {"path": str(folder / "job.zarr"), "exports": ["zarr-labels"], "layers": ["mask"]}
    return scenes.config(folder, model={"classes": CLASSES}, output=output)


def assert_ids_are_those_of(store: Path, layer: str) -> None:
    clear_open_arrays()
    codes = np.asarray(open_layer(store, 0, layer)[:])
    ids = np.where(np.isin(codes, [row.code for row in read_spec(store).classes[1:]]), reference_ids(codes), 0)
    assert np.array_equal(open_layer(store, 0, "instances")[:], ids)
    document = published_instances(store)
    assert document is not None
    assert document["layer"] == layer


@pytest.mark.slow
def test_a_run_writes_it_apply_makes_it_anew_and_finish_brings_it_back(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    report = runs.go(config(tmp_path))
    assert report.files["zarr-labels"] == str(store / "labels" / "instances")
    assert_ids_are_those_of(store, "mask")
    before = runs.arrays(store)
    runs.go(config(tmp_path))
    shutil.rmtree(store / "labels")
    complete_store(store, ignore)
    assert runs.arrays(store) == before
    apply_postprocess(store, [StepConfig(majority=3)], ignore)
    assert_ids_are_those_of(store, "cleaned")
    Ledger(store).drop((0, 0))
    runs.go(config(tmp_path))
    assert_ids_are_those_of(store, "cleaned")


@pytest.mark.slow
def test_verify_names_the_block_of_a_damaged_chunk_and_of_ids_that_are_not_those_of_the_mask(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    runs.go(config(tmp_path))
    spec, chunk = read_spec(store), store / "labels" / "instances" / "0" / "c" / "2" / "3"
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-1])
    certificate = verify(job_of(store, []), ignore, windows=1)
    assert [fault["block"] for fault in certificate["faults"]] == [[1, 1]]
    assert "instances: chunk labels/instances/0/c/2/3 is not what was committed" in certificate["why"].replace(
        "instances, block 1,1", "instances"
    )
    chunk.write_bytes(data)
    assert verify(job_of(store, []), ignore, windows=1)["passed"]
    recommit(store, 0, 7)
    certificate = verify(job_of(store, []), ignore, windows=1)
    assert certificate["passed"] is False
    assert {(fault["level"], fault["layer"]) for fault in certificate["faults"]} == {(0, "instances"), (1, "instances")}
    assert "ids are not those of the objects" in certificate["why"]
    assert spec.levels > 1


def recommit(store: Path, level: int, value: int) -> None:
    """Write other ids with a right checksum."""
    open_layer(store, level, "instances")[:4, :4] = value
    commit_block(store, level, (0, 0), Window(row=0, col=0, height=128, width=128), ("instances",), {})
