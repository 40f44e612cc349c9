"""Training as a user meets it.

Weights that run needs no more than, killed and gone on with, and what is wrong said in one paragraph.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import yaml
from safetensors.torch import load_file

from pipeline.config import ModelConfig
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, LabelsError, ModelError, Unfinished
from pipeline.models.descriptions import read_description
from pipeline.models.weights import read_model_meta, save
from pipeline.running.execute import execute
from pipeline.running.execute import prepare_job as prepare_run
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from pipeline.train.prepare import prepare_training
from tests import scenes
from tests.commands import Command, run, wholecloth

if TYPE_CHECKING:
    from pipeline.train.train import Trained

Job = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]


def trained(
    config: Path, *overrides: str, fresh: bool = False, with_all_files: bool = False
) -> tuple[Trained, list[str]]:
    """One training; the picture of its curves and its descriptions, which take as long, are made where a test asks."""
    from pipeline.train import train  # which imports Lightning, for seconds

    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        if not with_all_files:
            patch.setattr(train, "draw_curves", lambda rows, colors, path: path)
            patch.setattr(train, "write_descriptions", lambda prepared, where, notify: {})
        return train.train(load_config(config, list(overrides)), said.append, fresh), said


def equal(one: Path, other: Path) -> bool:
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@pytest.mark.slow
def test_weights_say_all_that_run_needs_and_the_task_is_learnt(job: Job, tmp_path: Path) -> None:
    made, said = trained(job(rounds=6, steps=30, optimiser={"rate": 0.02}, augment={"gain": 0.0}))
    assert made.mean_iou > 0.9, said
    meta = read_model_meta(made.files["weights"])
    assert meta is not None
    assert (meta.kind, meta.args["width"], len(meta.bands), [row["name"] for row in meta.classes]) == (
        "fcn",
        4,
        3,
        ["low", "high"],
    )
    assert meta.pixel_size == 10
    bare = tmp_path / "bare.yaml"
    bare.write_text(
        yaml.safe_dump(
            {
                "source": {"path": str(tmp_path / "image.tif")},
                "model": {"path": str(made.files["weights"])},
                "output": {"path": str(tmp_path / "out.zarr"), "chunk": 64},
                "execution": {"device": "cpu", "engine": "serial"},
            }
        )
    )
    with Progress() as progress:
        execute(prepare_run(load_config(bare)), progress)
    mask = np.asarray(open_layer(tmp_path / "out.zarr", 0, "mask")[:])
    label = scenes.read(tmp_path / "labels.tif")[0]
    assert (mask == label)[mask != 255].mean() > 0.95
    assert (mask[:20, :30] == 255).all()


@pytest.mark.slow
def test_card_curves_and_descriptions_stand_beside_the_weights(job: Job, tmp_path: Path) -> None:
    made, said = trained(job(), with_all_files=True)
    own = ["bioimage", "card", "curves", "item", "page", "table", "torchscript", "weights"]
    assert sorted(made.files) == own
    assert read_description(made.files["item"]).weights_file(ModelConfig()) == made.files["weights"].resolve()
    assert read_description(made.files["bioimage"]).band_names == ("band 1", "band 2", "band 3")
    card = made.files["card"].read_text()
    assert f"mean IoU {made.mean_iou:.4f}" in card
    assert "image.tif" in card
    page = made.files["page"].read_text(encoding="utf-8")
    assert page.count('alt="prediction"') == 3
    assert f"Weights of round {made.best} of 3" in page
    assert "Where the labels of each class went" in page
    assert "12 of 12 steps" in card or f"{made.best * 4} of 12 steps" in card
    assert len(made.files["table"].read_text().splitlines()) == 4
    assert sum("the best so far" in line for line in said) >= 1
    assert made.files["curves"].stat().st_size > 1000
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.slow
def test_the_best_round_is_kept_and_not_the_last(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.train.checkpoint import Keep

    after: list[dict[str, Any]] = []
    row = Keep._row

    def spoilt(self: Keep, trainer: Any, lesson: Any) -> Any:
        after.append({name: tensor.clone() for name, tensor in lesson.network.state_dict().items()})
        found = row(self, trainer, lesson)
        return type(found)(**{**found.as_dict(), "mean_iou": {1: 0.2, 2: 0.7, 3: 0.7}[found.round]})

    monkeypatch.setattr(Keep, "_row", spoilt)
    made, _ = trained(job())
    assert made.best == 2
    kept = load_file(made.files["weights"])
    assert all(kept[name].equal(tensor) for name, tensor in after[1].items())
    assert not all(kept[name].equal(tensor) for name, tensor in after[2].items())


@pytest.mark.slow
def test_stopped_after_any_round_it_goes_on_to_the_same_weights(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, batch norm, changed windows and a schedule: all that could remember where it was."""
    how = {"rounds": 4, "augment": {"rotate": 20, "noise": 0.1}, "balance": 0.3}
    model = ("model.kind=fcn8s", "model.args={width: 2, fc_kernel: 1, fc_width: 2, dropout: 0.3}")
    whole, _ = trained(job("whole", **how), *model)
    from pipeline.train.checkpoint import Keep

    end = Keep.on_train_epoch_end

    def stopping(self: Keep, trainer: Any, lesson: Any) -> None:
        end(self, trainer, lesson)
        raise Unfinished("stopped")

    config = job("parts", **how)
    with monkeypatch.context() as stopped:
        stopped.setattr(Keep, "on_train_epoch_end", stopping)
        for _ in range(4):
            with pytest.raises(Unfinished):
                trained(config, *model)
            assert not config.with_suffix(".safetensors").exists()
    parts, said = trained(config, *model)
    assert "4 rounds are done already" in said
    assert equal(whole.files["weights"], parts.files["weights"])
    assert whole.files["table"].read_text() == parts.files["table"].read_text()


@pytest.mark.slow
@pytest.mark.nightly("training")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_at_a_random_moment_it_goes_on_to_the_same_weights(
    job: Job, tmp_path: Path, number: signal.Signals
) -> None:
    how = {"rounds": 8, "steps": 6}
    whole, _ = trained(job("whole", **how))
    config = job("killed", **how)
    command = [sys.executable, "-m", "pipeline", "train", str(config)]
    running = Command(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    running.wait_for((tmp_path / "killed.training" / "last.ckpt").exists)
    running.send_signal(number)
    _, said = running.communicate(timeout=120)
    assert running.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 75, signal.SIGINT: 130}[number], said
    if number != signal.SIGKILL:
        assert "Traceback" not in said
        assert "run the same command again" in said
    assert not config.with_suffix(".safetensors").exists()
    done = run(command, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert equal(whole.files["weights"], config.with_suffix(".safetensors"))


@pytest.mark.nightly("training")
def test_windows_read_by_other_processes_are_the_same(job: Job) -> None:
    alone, _ = trained(job("alone"))
    helped = job("helped", loaders=2)
    done = wholecloth("train", helped, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert equal(alone.files["weights"], helped.with_suffix(".safetensors"))


@pytest.mark.slow
@pytest.mark.nightly("training")
def test_mixed_precision_teaches(job: Job) -> None:
    made, _ = trained(
        job(rounds=2, steps=40, optimiser={"rate": 0.02}, augment={"gain": 0.0}), "execution.precision=bfloat16"
    )
    assert made.mean_iou > 0.7


@pytest.mark.nightly("training")
def test_two_processes_share_each_batch_and_judge_what_one_does(job: Job, tmp_path: Path) -> None:
    """Without batch norm, and with as many labelled pixels in every window, the same sums in another order."""
    scene = {"path": str(tmp_path / "image.tif"), "labels": {"path": str(tmp_path / "labels.tif")}}
    parts = {
        "scenes": [{**scene, "area": [30, 40, 130, 120]}],
        "validation": {"scenes": [{**scene, "area": [30, 160, 130, 40]}], "block": 64},
    }
    how = {"rounds": 2, "steps": 3, "batch": 4, "optimiser": {"rate": 1e-4}, **parts}
    model = ["--set=model.kind=fcn8s", "--set=model.args={width: 2, fc_kernel: 1, fc_width: 2, norm: false}"]
    one, two = job("one", **how), job("two", **how, devices=2)
    for config in (one, two):
        done = wholecloth("train", config, *model, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    first, second = load_file(one.with_suffix(".safetensors")), load_file(two.with_suffix(".safetensors"))
    for name in first:
        np.testing.assert_allclose(first[name].numpy(), second[name].numpy(), rtol=1e-3, atol=1e-5)
    assert (
        one.with_suffix(".curves.csv").read_text().splitlines()[2].split(",")[4]
        == two.with_suffix(".curves.csv").read_text().splitlines()[2].split(",")[4]
    )


@pytest.mark.slow
def test_without_progress_it_stops(job: Job) -> None:
    made, _ = trained(job(rounds=9, patience=2, optimiser={"rate": 1e-12}))
    assert made.rounds < 9


@pytest.mark.slow
def test_a_rerun_of_what_is_done_changes_nothing(job: Job) -> None:
    config = job()
    made, _ = trained(config)
    before = made.files["weights"].read_bytes()
    again, said = trained(config)
    assert said[-1] == "3 rounds are done already"
    assert again.files["weights"].read_bytes() == before
    assert (again.best, again.mean_iou) == (made.best, made.mean_iou)


@pytest.mark.slow
def test_another_training_in_the_same_place_is_refused_by_the_key_and_fresh_replaces_it(job: Job) -> None:
    config = job()
    made, _ = trained(config)
    before = made.files["weights"].read_bytes()
    with pytest.raises(ConfigError, match=r"differs in training\."):
        trained(config, "training.optimiser.rate=0.01")
    assert made.files["weights"].read_bytes() == before
    again, _ = trained(config, "training.optimiser.rate=0.01", fresh=True)
    assert again.files["weights"].read_bytes() != before


@pytest.mark.slow
@pytest.mark.nightly("training")
def test_a_frozen_body_stays_that_of_the_weights_it_started_from(job: Job, tmp_path: Path) -> None:
    vgg = ("model.kind=fcn8s", "model.args={width: 2, fc_kernel: 1, fc_width: 2}")
    start, _ = trained(job("start"), *vgg)
    made, said = trained(job("frozen", start=str(start.files["weights"]), freeze="body"), *vgg)
    before, after = load_file(start.files["weights"]), load_file(made.files["weights"])
    assert all(before[name].equal(after[name]) for name in before if name.startswith(("pool", "fc")))
    assert any(not before[name].equal(after[name]) for name in before)
    assert any("body frozen" in line for line in said)


@pytest.mark.slow
@pytest.mark.nightly("training", after=1)
@pytest.mark.parametrize(
    "loss",
    [
        {"dice": 1},
        {"focal": 1, "gamma": 1},
        {"cross_entropy": 1, "dice": 0.5, "classes": "balanced"},
        {"binary_cross_entropy": 1, "classes": [1, 2]},
    ],
)
def test_every_loss_teaches(job: Job, loss: dict[str, Any]) -> None:
    made, _ = trained(job(rounds=2, steps=40, loss=loss, optimiser={"rate": 0.02}, augment={"gain": 0.0}))
    assert made.mean_iou > 0.7


@pytest.mark.slow
@pytest.mark.nightly("training")
def test_one_logit_is_taught_and_run_as_two_classes(job: Job) -> None:
    made, _ = trained(
        job(rounds=2, steps=40, optimiser={"rate": 0.02}, augment={"gain": 0.0}),
        "model.args={width: 4, output_stride: 2, classes: 1}",
    )
    assert made.mean_iou > 0.7


@pytest.mark.slow
@pytest.mark.nightly("training")
def test_classes_that_hold_side_by_side_are_run_so_by_the_path_alone(job: Job, tmp_path: Path) -> None:
    classes = "model.classes=[{name: high, code: 1}, {name: low, code: 0, role: background}]"
    made, _ = trained(
        job(rounds=2, steps=40, optimiser={"rate": 0.02}, augment={"gain": 0.0}),
        classes,
        "model.output={multilabel: true, threshold: 0.6}",
        "model.args={width: 4, output_stride: 2, classes: 1}",
    )
    meta = read_model_meta(made.files["weights"])
    assert meta is not None
    assert meta.output == {"multilabel": True, "threshold": 0.6}
    bare = tmp_path / "bare.yaml"
    said = {
        "source": {"path": str(tmp_path / "image.tif")},
        "model": {"path": str(made.files["weights"])},
        "output": {"path": str(tmp_path / "out.zarr")},
    }
    bare.write_text(yaml.safe_dump(said))
    assert prepare_run(load_config(bare)).task.recipe.decoding.threshold == 0.6
    assert prepare_run(load_config(bare, ["model.output.threshold=0.3"])).task.recipe.decoding.threshold == 0.3


@pytest.mark.slow
def test_weights_name_the_code_that_changed_their_pixels_and_run_only_with_it(job: Job, tmp_path: Path) -> None:
    (tmp_path / "raw.py").write_text("import torch\n\n\ndef log(x):\n    return torch.log(x[:2])\n")
    taught = prepare_training(
        load_config(job(), [f"model.input.transform={tmp_path}/raw.py:log", "model.input.mean=4"]), lambda line: None
    )
    assert taught.windows[0][0].shape[0] == 2
    save(tmp_path / "net.safetensors", taught.network, meta := taught.meta)
    assert (meta.input["transform"], meta.args["bands"], len(meta.bands)) == ("raw.py:log", 2, 3)
    bare = scenes.config(tmp_path, "bare", source={"path": str(tmp_path / "image.tif")})
    said = yaml.safe_load(bare.read_text())
    said["model"] = {"path": str(tmp_path / "net.safetensors")}
    bare.write_text(yaml.safe_dump(said))
    with pytest.raises(
        ConfigError,
        match=r"trained on pixels that model\.input\.transform raw\.py:log had changed.*"
        r"the path of that raw\.py:log, or null",
    ):
        prepare_run(load_config(bare))
    made = prepare_run(load_config(bare, [f"model.input.transform={tmp_path}/raw.py:log"])).task.recipe.normalisation
    assert (made.channels, made.mean, made.std) == (2, (4.0, 4.0), (60.0, 60.0))


@pytest.mark.slow
def test_a_list_of_thresholds_travels_with_the_weights_and_is_no_matter_of_labels(job: Job, tmp_path: Path) -> None:
    args = "model.args={width: 4, output_stride: 2, classes: 1}"
    with pytest.raises(ConfigError, match="Train with one"):
        trained(
            job(steps=8),
            "model.output={threshold: [0.3, 0.7]}",
            "model.classes=[{name: a}, {name: b}, {name: c}]",
            args,
        )
    made, _ = trained(job(rounds=1, steps=8), args)
    weights, meta = made.files["weights"], read_model_meta(made.files["weights"])
    assert meta is not None
    network: Any = SimpleNamespace(state_dict=lambda: load_file(weights))
    save(tmp_path / "cut.safetensors", network, replace(meta, classes=[], output={"threshold": [0.3, 0.7]}))
    said = {
        "source": {"path": str(tmp_path / "image.tif")},
        "model": {"path": str(tmp_path / "cut.safetensors")},
        "output": {"path": str(tmp_path / "o.zarr")},
    }
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump(said))
    found = prepare_run(load_config(tmp_path / "bare.yaml"))
    assert found.task.recipe.decoding.threshold == (0.3, 0.7)
    assert len(found.spec.classes) == 3


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_it_and_nothing_looks_whole(job: Job) -> None:
    config = job(optimiser={"rate": 1e30, "clip": None}, steps=8)
    with pytest.raises(ConfigError, match="loss is no number"):
        trained(config)
    assert not config.with_suffix(".safetensors").exists()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("training=null", ConfigError, "no section training"),
        ("model.inputs={before: {path: a.tif}}", ConfigError, "train makes networks that take one image"),
        ("model.kind=torchscript", ConfigError, "train makes networks of ours"),
        ("model.output.map={a: [0], b: rest}", ConfigError, "labels of a training are of the network's own classes"),
        ("model.classes=null", ConfigError, "list the classes"),
        ("training.devices=3", ConfigError, "3 devices cannot share"),
        ("training.devices=2", ConfigError, "batch norms and on the CPU"),
        ("training.batch_size=2", ConfigError, r"here it is training\.batch"),
        ("training.optimiser.lr=2", ConfigError, r"here it is training\.optimiser\.rate"),
        ("model.path=/proc/none/net.safetensors", ConfigError, "nothing can be written"),
        ("training.loss={classes: [1, 2, 3]}", ConfigError, "the network has 2 classes"),
        ("model.classes=[{name: low}, {name: high}, {name: other}]", LabelsError, "labelled other"),
        ("model.classes=[{name: low}, {name: high, code: 5}]", LabelsError, "holds 1, which is no class"),
        ("training.validation.block=512", ConfigError, "validation.block smaller"),
        ("training.scenes=[]", ConfigError, "training.scenes"),
        ("model.args={width: 4, depth: 3}", ModelError, "do not fit fcn"),
    ],
)
def test_what_is_wrong_is_told_before_the_first_step(job: Job, change: str, error: type[Exception], words: str) -> None:
    config = job()
    with pytest.raises(error, match=words):
        trained(config, change)
    assert not config.with_suffix(".safetensors").exists()
    assert not config.with_suffix(".training").exists()


def test_fresh_deletes_nothing_of_others(job: Job) -> None:
    config = job()
    folder = config.with_suffix(".training")
    folder.mkdir()
    (folder / "precious.tif").write_text("mine")
    with pytest.raises(ConfigError, match=r"precious\.tif, which is not of a training"):
        trained(config, fresh=True)
    assert (folder / "precious.tif").read_text() == "mine"


@pytest.mark.slow
def test_labels_that_changed_since_are_noticed(job: Job, tmp_path: Path) -> None:
    config = job()
    trained(config)
    scenes.write(tmp_path / "labels.tif", 1 - scenes.read(tmp_path / "labels.tif").astype("uint8"), nodata=255)
    with pytest.raises(ConfigError, match="differs in scenes and labels"):
        trained(config)


def test_scenes_of_different_bands_are_told_apart_by_name(job: Job, tmp_path: Path) -> None:
    four = scenes.write(tmp_path / "four.tif", scenes.position(160, 200, 4))
    labels = {"path": str(tmp_path / "labels.tif")}
    config = job(
        scenes=[{"path": str(tmp_path / "image.tif"), "labels": labels}, {"path": str(four), "labels": labels}]
    )
    with pytest.raises(ConfigError, match=r"four\.tif has 4 bands and the first scene 3"):
        trained(config)


@pytest.mark.slow
@pytest.mark.nightly("training", after=1)
@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "no weights"])
def test_a_damaged_checkpoint_is_told_with_the_way_out(job: Job, damage: str) -> None:
    config = job()
    trained(config)
    folder = config.with_suffix(".training")
    last = folder / "last.ckpt"
    held = last.read_bytes()
    if damage == "no weights":
        (folder / "best.safetensors").unlink()
    else:
        last.write_bytes({"cut": held[: len(held) // 2], "empty": b"", "garbage": b"garbage" * 99}[damage])
    with pytest.raises(ConfigError, match=r"last\.ckpt cannot be gone on from .*--fresh"):
        trained(config)
    assert trained(config, fresh=True)[0].rounds == 3


@pytest.mark.slow
def test_a_batch_norm_without_a_spread_is_told(job: Job) -> None:
    with pytest.raises(ConfigError, match="one value per channel"):
        trained(job(window=8, batch=1), "model.kind=fcn8s", "model.args={width: 2, fc_kernel: 1, fc_width: 2}")


@pytest.mark.slow
@pytest.mark.nightly("training", after=1)
@pytest.mark.parametrize(("rounds", "steps"), [(1, 1), (1, 2), (2, 1), (3, 1)])
def test_the_shortest_trainings_end_well(job: Job, rounds: int, steps: int) -> None:
    assert trained(job(rounds=rounds, steps=steps))[0].rounds == rounds


@pytest.mark.slow
def test_a_class_that_is_passed_over_weighs_nothing(job: Job) -> None:
    config, classes = (
        job(loss={"cross_entropy": 1, "classes": "balanced"}),
        "model.classes=[{name: low}, {name: high}, {name: other, role: ignore}]",
    )
    weights = prepare_training(load_config(config, [classes]), lambda line: None).loss.weights
    assert weights is not None
    assert (weights[:2] > 0).all()
    assert weights[2] == 0
    assert trained(config, classes)[0].rounds == 3


@pytest.mark.slow
def test_what_flatters_and_what_nobody_judges_is_said(job: Job, tmp_path: Path) -> None:
    scene = {"path": str(tmp_path / "image.tif"), "labels": {"path": str(tmp_path / "labels.tif")}}
    _, said = trained(job(validation={"scenes": [{**scene, "area": [0, 0, 60, 200]}], "block": 32}))
    assert any("judges, so that the number flatters" in line for line in said)
    assert any("no held-out block is labelled high" in line for line in said)
    _, said = trained(
        job(
            "apart",
            scenes=[{**scene, "area": [60, 0, 100, 200]}],
            validation={"scenes": [{**scene, "area": [0, 0, 60, 200]}], "block": 32},
        )
    )
    assert not any("flatters" in line for line in said)


@pytest.mark.slow
def test_weights_of_another_network_are_refused_as_a_start(job: Job) -> None:
    start, _ = trained(job("start"))
    with pytest.raises(ModelError, match="do not fit fcn8s"):
        trained(
            job("other", start=str(start.files["weights"])),
            "model.kind=fcn8s",
            "model.args={width: 2, fc_kernel: 1, fc_width: 2}",
        )


def test_a_missing_library_is_named_with_its_extra(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.errors import ExtraError

    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(ExtraError, match=r"wholecloth\[train\]"):
        trained(job())


def test_paths_are_those_beside_the_config(job: Job, tmp_path: Path) -> None:
    config = job()
    said = yaml.safe_load(config.read_text())
    said["training"]["scenes"] = [{"path": "image.tif", "labels": {"path": "labels.tif"}}]
    said["training"]["start"] = "w.safetensors"
    config.write_text(yaml.safe_dump(said))
    how = load_config(config).training
    assert how is not None
    assert (how.scenes[0].path, how.scenes[0].labels.path, how.start) == tuple(
        str(tmp_path / name) for name in ("image.tif", "labels.tif", "w.safetensors")
    )


@pytest.mark.slow
@pytest.mark.nightly("training")
def test_labels_in_polygons_teach_as_pixels_do(job: Job, tmp_path: Path) -> None:
    from rasterio.features import shapes

    with rasterio.open(tmp_path / "labels.tif") as file:
        label, transform = file.read(1), file.transform
    features = [
        {"type": "Feature", "geometry": geometry, "properties": {"kind": "high" if value else "low"}}
        for geometry, value in shapes(label, transform=transform)
    ]
    import json

    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    (tmp_path / "labels.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "crs": crs, "features": features})
    )
    pixels, _ = trained(job("pixels"))
    scene = [
        {"path": str(tmp_path / "image.tif"), "labels": {"path": str(tmp_path / "labels.geojson"), "attribute": "kind"}}
    ]
    polygons, _ = trained(job("polygons", scenes=scene))
    assert equal(pixels.files["weights"], polygons.files["weights"])
