"""The layer ``cleaned``: by a run, by finish and by apply; killed anywhere, changed, and kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.cli import app
from pipeline.config.load import load_steps
from pipeline.config.postprocess import StepConfig
from pipeline.errors import ConfigError, InputError, Unfinished
from pipeline.geometry.window import Window
from pipeline.objects.mask import mask_blocks
from pipeline.postprocess.passes import apply_steps
from pipeline.postprocess.steps import resolve_steps
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.apply import apply_postprocess
from pipeline.running.finish import complete_store
from pipeline.store import cleaned as layer
from pipeline.store.downsample import mode_2x2
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import clear_open_arrays, open_layer, read_store_meta
from pipeline.store.respec import read_spec
from pipeline.store.status import status
from tests import runs, scenes
from tests.postprocess.references import ArrayMask

CLASSES = [{**scenes.CLASSES[0], "role": "background"}, *scenes.CLASSES[1:]]
STEPS: list[dict[str, Any]] = [{"remove_small": "40 px"}, {"majority": 3}]
OTHERS: list[dict[str, Any]] = [{"sieve": "2000 m2"}, {"close": 1}]


def config(folder: Path, steps: list[dict[str, Any]] | None, **output: Any) -> Path:
    postprocess = {} if steps is None else {"postprocess": steps}
    path = str(folder / "job.zarr")
    return scenes.config(folder, model={"classes": CLASSES}, output={"path": path, **postprocess, **output})


def ignore(line: str) -> None:
    """Whatever is told."""


def steps_file(folder: Path, steps: list[dict[str, Any]]) -> Path:
    path = folder / "steps.yaml"
    path.write_text(yaml.safe_dump(steps))
    return path


def expected(store: Path, steps: list[dict[str, Any]]) -> np.ndarray:
    """The steps on the whole mask as one block."""
    spec = read_spec(store).inferred
    resolved = resolve_steps([StepConfig(**step) for step in steps], spec)
    mask = ArrayMask(codes=np.asarray(open_layer(store, 0, "mask")[:]), nodata=spec.nodata)
    with TemporaryDirectory() as folder:
        result = apply_steps(resolved, mask_blocks(mask, 1024), spec.grid, spec.dtype, Path(folder))
        return result.read(Window(row=0, col=0, height=mask.height, width=mask.width))


def levels(store: Path) -> list[np.ndarray]:
    clear_open_arrays()
    return [np.asarray(open_layer(store, level, "cleaned")[:]) for level in range(read_spec(store).levels)]


def but_for_its_making(store: Path) -> dict[str, bytes]:
    """Every file, but for the id of the store and the size of the process that wrote its root."""
    varying = re.compile(rb'"(libraries": ?\d+|id": ?"' + read_store_meta(store)["id"].encode() + rb'")')
    return {key: varying.sub(b"", data) for key, data in runs.everything(store).items()}


def chunks(store: Path, name: str) -> dict[str, str]:
    return {key: digest for key, digest in runs.arrays(store).items() if f"/{name}/" in key}


@pytest.mark.slow
@pytest.mark.parametrize(
    "output", [{}, {"zarr_format": 2}, {"shard": 128, "block": 256}, {"chunk": 32, "block": 96, "pyramid": False}]
)
def test_a_run_makes_what_the_steps_make_of_the_whole_mask(tmp_path: Path, output: dict[str, Any]) -> None:
    runs.go(config(tmp_path, STEPS, **output))
    store = tmp_path / "job.zarr"
    found = levels(store)
    assert np.array_equal(found[0], expected(store, STEPS))
    assert (found[0] != open_layer(store, 0, "mask")[:]).any()
    for finer, coarser in pairwise(found):
        assert np.array_equal(coarser, mode_2x2(finer, 255))
    mask, made = open_layer(store, 0, "mask"), open_layer(store, 0, "cleaned")
    assert dict(made.attrs) == dict(mask.attrs)
    assert (made.dtype, made.chunks, made.shards, made.fill_value) == (
        mask.dtype,
        mask.chunks,
        mask.shards,
        mask.fill_value,
    )
    assert read_spec(store).layers == ("mask", "cleaned")
    progress = status(store)
    assert progress.cleaned is not None
    assert progress.cleaned["done"] == progress.cleaned["total"] > 0
    assert not progress.resume
    certificate = verify(job_of(store, []), ignore, windows=1)
    assert certificate["passed"]


@pytest.mark.slow
def test_finish_and_apply_make_the_bytes_of_a_run(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    runs.go(config(tmp_path, STEPS))
    made = but_for_its_making(store)
    shutil.rmtree(store)
    for shard in runs.shards(2):
        runs.go(config(tmp_path, STEPS), shard=shard)
    assert "cleaned" not in read_spec(store).layers
    complete_store(store, ignore)
    assert but_for_its_making(store) == made
    shutil.rmtree(store)
    runs.go(config(tmp_path, None))
    apply_postprocess(store, load_steps(steps_file(tmp_path, STEPS)), ignore)
    of_layer = [key for key in made if "/cleaned/" in key]
    assert {key: data for key, data in but_for_its_making(store).items() if "/cleaned/" in key} == {
        key: made[key] for key in of_layer
    }
    assert status(store).complete


@pytest.mark.slow
def test_other_steps_remake_the_layer_and_its_exports_and_never_the_mask(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    runs.go(config(tmp_path, None, exports="auto"))
    mask = chunks(store, "mask")
    assert (tmp_path / "job.mask.tif").exists()
    runs.go(config(tmp_path, STEPS, exports="auto"))
    first = (tmp_path / "job.cleaned.tif").read_bytes()
    assert not [*tmp_path.glob("job.mask.*")]
    report = runs.go(config(tmp_path, OTHERS, exports="auto"))
    assert report.done == 0
    assert np.array_equal(levels(store)[0], expected(store, OTHERS))
    assert (tmp_path / "job.cleaned.tif").read_bytes() != first
    assert chunks(store, "mask") == mask
    before = but_for_its_making(store)
    assert runs.go(config(tmp_path, OTHERS, exports="auto")).done == 0
    assert but_for_its_making(store) == before


@pytest.mark.slow
def test_a_run_without_the_key_keeps_the_layer_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "job.zarr"
    runs.go(config(tmp_path, STEPS))
    made = chunks(store, "cleaned")
    capsys.readouterr()
    runs.go(config(tmp_path, None))
    assert "keeps its layer cleaned, by remove_small: components below 40 px become code 0; majority" in " ".join(
        capsys.readouterr().err.split()
    )
    assert chunks(store, "cleaned") == made
    assert read_spec(store).layers == ("mask", "cleaned")
    assert status(store).complete


@pytest.mark.slow
def test_a_block_of_the_mask_that_is_made_anew_takes_the_layer_with_it(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    runs.go(config(tmp_path, STEPS))
    made = but_for_its_making(store)
    Ledger(store).drop((1, 1))
    runs.go(config(tmp_path, None), shard=runs.shards(1)[0])
    assert layer.recorded_fingerprint(store) is None
    assert status(store).resume
    runs.go(config(tmp_path, STEPS))
    assert but_for_its_making(store) == made


class Killed(BaseException):
    """The end of a process."""


def count_down(monkeypatch: pytest.MonkeyPatch, target: str, calls: int) -> None:
    """End the process at a call of a function."""
    import importlib

    module, _, name = target.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    left = [calls]

    def call(*args: Any, **options: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return function(*args, **options)

    monkeypatch.setattr(target, call)


MOMENTS = [
    ("pipeline.store.cleaned.restate", 0),
    ("pipeline.store.hierarchy.create_layer", 0),
    ("pipeline.store.hierarchy.create_layer", 2),
    ("pipeline.postprocess.passes.apply_steps", 0),
    ("pipeline.postprocess.component_steps.label_block", 5),
    ("pipeline.postprocess.cleaning.commit_block", 0),
    ("pipeline.postprocess.cleaning.commit_block", 7),
    ("pipeline.postprocess.cleaning._copy", 9),
    ("pipeline.store.overviews.commit_block", 1),
    ("pipeline.exports.sidecars.finish_store", 0),
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A store with a layer, and every file that it has once other steps are applied, by names within the store."""
    folder = tmp_path_factory.mktemp("stores")
    runs.go(config(folder, STEPS))
    after = folder / "after" / "job.zarr"
    shutil.copytree(folder / "job.zarr", after)
    apply_postprocess(after, load_steps(steps_file(folder, OTHERS)), ignore)
    assert np.array_equal(levels(after)[0], expected(after, OTHERS))
    return folder / "job.zarr", but_for_its_making(after)


@pytest.mark.slow
@pytest.mark.nightly("kills", after=2)
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0].rpartition('.')[2]} {moment[1]}")
def test_killed_anywhere_and_begun_again_it_gives_the_same_bytes(
    tmp_path: Path,
    moment: tuple[str, int],
    stores: tuple[Path, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, steps = tmp_path / "job.zarr", load_steps(steps_file(tmp_path, OTHERS))
    shutil.copytree(stores[0], store)
    with monkeypatch.context() as patch:
        if "create_layer" in moment[0]:
            for level in range(read_spec(store).levels):
                (store / f"{level}/cleaned/zarr.json").unlink()
        count_down(patch, *moment)
        with pytest.raises(Killed):
            apply_postprocess(store, steps, ignore)
    clear_open_arrays()
    if "restate" in moment[0]:
        apply_postprocess(store, steps, ignore)
    else:
        assert not status(store).complete
        complete_store(store, ignore)  # the root names the steps that were under way
    assert but_for_its_making(store) == stores[1]
    assert not [*tmp_path.glob(".*")]


@pytest.mark.slow
def test_apply_refuses_what_cannot_be_before_it_writes(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    runs.go(scenes.config(tmp_path))
    before = runs.everything(store)
    for steps, reason in (
        ([{"remove_small": "4 px"}], "needs one class with role: background"),
        ([{"open": 1}], "needs one class with role: background"),
        ([{"close": 1, "classes": ["e"]}], "give each of a, b, c, d once"),
    ):
        with pytest.raises(ConfigError, match=reason):
            apply_postprocess(store, load_steps(steps_file(tmp_path, steps)), ignore)
    assert runs.everything(store) == before
    Ledger(store).drop((0, 0))
    with pytest.raises(Unfinished, match="lacks 1 of its 12 blocks"):
        apply_postprocess(store, load_steps(steps_file(tmp_path, [{"majority": 3}])), ignore)


def test_the_layer_is_judged_where_it_is_named_and_the_mask_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.go(config(tmp_path, None))
    store = tmp_path / "job.zarr"
    mask = np.asarray(open_layer(store, 0, "mask")[:])
    labels = scenes.write(tmp_path / "labels.tif", mask[None], nodata=255)
    command = ["evaluate", str(store), "--labels", str(labels), "--ignore", "255"]
    with pytest.raises(InputError, match=r"it has mask: give one of these\. .*--labels-layer"):
        app([*command, "--layer", "cleaned"], standalone_mode=False)
    apply_postprocess(store, load_steps(steps_file(tmp_path, STEPS)), ignore)
    cleaned = np.asarray(open_layer(store, 0, "cleaned")[:])
    accuracies = {"mask": 1.0, "cleaned": (mask == cleaned)[mask != 255].mean()}
    for name, options in (("mask", []), ("cleaned", ["--layer", "cleaned"])):
        capsys.readouterr()
        app([*command, *options, "--json", "-"], standalone_mode=False)
        document = json.loads(capsys.readouterr().out)
        assert document["layer"] == name
        assert document["accuracy"] == pytest.approx(accuracies[name])
    assert accuracies["cleaned"] < 1
    with pytest.raises(InputError, match="it has mask and cleaned"):
        app([*command, "--layer", "confidence"], standalone_mode=False)


@pytest.mark.slow
def test_a_damaged_layer_is_told_by_verify_and_made_anew(tmp_path: Path) -> None:
    store = tmp_path / "job.zarr"
    runs.go(config(tmp_path, STEPS))
    made = but_for_its_making(store)
    next(path for path in (store / "0/cleaned/c").rglob("*") if path.is_file()).write_bytes(b"?")
    certificate = verify(job_of(store, []), ignore, windows=1)
    assert certificate["passed"] is False
    assert certificate["faults"][0]["layer"] == "cleaned"
    assert "is not what was committed" in certificate["faults"][0]["why"]
    (store / layer.NOTE).unlink()
    complete_store(store, ignore)
    assert json.loads((store / layer.NOTE).read_text())["fingerprint"]
    assert but_for_its_making(store) == made
