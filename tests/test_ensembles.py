"""Several networks as one: tiled, the mean of their probabilities is that of one pass each over the whole raster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import PipelineError
from pipeline.planning.describe import describe
from pipeline.planning.freeze import freeze
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.preview.preview import PreviewRequest, make_preview
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from tests import runs, scenes
from tests.models.onnx_files import to_onnx

HEIGHT, WIDTH = 98, 130
CLASSES = 3


class Fine(nn.Module):
    """Looks 2 px far, at every pixel."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, classes, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * self.body(x)


class Coarse(nn.Module):
    """Of stride 4, and returns a quarter of the size."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.ReLU(), nn.Conv2d(6, classes, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * self.body(x)


class Probable(Fine):
    """Returns probabilities."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(4 * self.body(x), 1)


class Blended(Fine):
    """Depends on the whole tile a little."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return 4 * y + 0.05 * y.mean((2, 3), keepdim=True)


def network(folder: Path, kind: type[nn.Module], seed: int = 0, *args: int) -> str:
    """A file of a seeded network."""
    file = folder / f"{kind.__name__}{seed}{''.join(map(str, args))}.pt"
    if not file.exists():
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            scenes.script(kind(*args), file)
    return str(file)


def job(folder: Path, path: Any, name: str = "job", **sections: dict[str, Any]) -> Path:
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", HEIGHT, WIDTH)
    model = {"path": path, "classes": None, **sections.pop("model", {})}
    output = {
        "layers": ["mask", "probabilities", "variance"],
        "probabilities_dtype": "float16",
        **sections.pop("output", {}),
    }
    return scenes.config(folder, name, model=model, output=output, **sections)


def whole(folder: Path, file: str, std: float = 200, temperature: float = 1, stride: int = 1) -> np.ndarray:
    """(classes, rows, cols) probabilities of one network, of one pass over the whole raster; NaN where invalid."""
    raw = scenes.read(folder / "scene.tif")
    valid = (raw != 0).any(0)
    x = nn.functional.pad(torch.from_numpy((raw - 500) / std * valid)[None], (0, -WIDTH % stride, 0, -HEIGHT % stride))
    with torch.no_grad():
        logits = torch.jit.load(file)(x)
        logits = nn.functional.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=False)
    p = torch.softmax(logits[0, :, :HEIGHT, :WIDTH] / temperature, 0).numpy()
    return np.where(valid, p, np.nan)


def stored(store: Path, layer: str) -> np.ndarray:
    return np.asarray(zarr.open_array(store / "0" / layer)[:])


def prepared(path: Path, *overrides: str) -> Job:
    return prepare_job(load_config(path, list(overrides)))


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(PipelineError) as error:
        prepared(path, *overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_ensemble_of_unlike_networks_is_their_weighted_mean_over_the_whole_raster(tmp_path: Path) -> None:
    fine, coarse = network(tmp_path, Fine), network(tmp_path, Coarse, 1)
    entries = [fine, {"path": coarse, "weight": 3, "input": {"std": 100}, "output": {"temperature": 2}}]
    report = runs.go(job(tmp_path, entries, tile={"size": 64}))
    assert report.plan["halo"]["exact"]
    first = whole(tmp_path, fine, stride=4)
    second = whole(tmp_path, coarse, std=100, temperature=2, stride=4)
    mean, valid = 0.25 * first + 0.75 * second, ~np.isnan(first[0])
    store, values = tmp_path / "job.zarr", stored(tmp_path / "job.zarr", "probabilities").astype(float)
    assert np.nanmax(np.abs(values - mean)) < 6e-4  # float16
    assert (np.isnan(values) == ~valid).all()
    assert (stored(store, "mask") == np.where(valid, np.nan_to_num(mean).argmax(0), 255)).all()
    variance = 0.25 * (first - mean) ** 2 + 0.75 * (second - mean) ** 2
    of_class = np.take_along_axis(variance, np.nan_to_num(mean).argmax(0)[None], 0)[0]
    np.testing.assert_allclose(stored(store, "variance"), of_class, rtol=1e-4, atol=1e-6)
    assert verify(job_of(store, []), lambda _: None, windows=4)["passed"]


def test_the_plan_prices_each_network_and_names_it(tmp_path: Path) -> None:
    planned = prepared(job(tmp_path, [network(tmp_path, Fine), {"path": network(tmp_path, Coarse), "weight": 3}]))
    fine, coarse = describe(planned)["network"]["members"]
    assert (fine["weight"], fine["stride"], fine["radius"], fine["activation"]) == (0.25, 1, 2, "softmax")
    assert (coarse["weight"], coarse["stride"], coarse["radius"]) == (0.75, 4, 6)
    assert (planned.locality.stride, planned.plan.tiles.halo, planned.plan.costs.classes) == (4, 8, 2 * CLASSES)
    assert planned.plan.costs.activations >= max(fine["bytes_per_pixel"], coarse["bytes_per_pixel"])
    rows = [text for _, text in plan_rows(planned)]
    assert any(text.startswith("network 2 (Coarse0.pt): weight 0.75, softmax, local, stride 4 px") for text in rows)


def test_networks_of_several_kinds_share_one_pass(tmp_path: Path) -> None:
    fine, probable = network(tmp_path, Fine, 2), network(tmp_path, Probable)
    torch.manual_seed(4)
    file = str(to_onnx(Fine(), tmp_path / "net.onnx"))
    path = job(tmp_path, [fine, probable, {"path": file, "kind": "onnx"}])
    planned = prepared(path)
    assert [one["activation"] for one in describe(planned)["network"]["members"]] == ["softmax", "none", "softmax"]
    runs.go(path)
    torch.manual_seed(4)
    third = network(tmp_path, Fine, 4)
    mean = (whole(tmp_path, fine) + whole(tmp_path, network(tmp_path, Fine)) + whole(tmp_path, third)) / 3
    np.testing.assert_allclose(stored(tmp_path / "job.zarr", "probabilities"), mean, atol=6e-4)


@pytest.mark.parametrize("augment", ["none", "flips"])
def test_what_is_blended_are_probabilities_whatever_the_blocks(tmp_path: Path, augment: str) -> None:
    files = [network(tmp_path, Blended), network(tmp_path, Fine, 1)]
    tile = {"size": 64, "overlap": 0.5, "augment": augment}
    for block in (64, 128):
        runs.go(job(tmp_path, files, f"b{block}", tile=tile, output={"block": block}))
    for layer in ("mask", "probabilities", "variance"):
        small, large = (stored(tmp_path / f"b{block}.zarr", layer) for block in (64, 128))
        np.testing.assert_array_equal(small, large)
    assert verify(job_of(tmp_path / "b64.zarr", []), lambda _: None, windows=4)["passed"] is not False


def test_one_logit_is_thresholded_in_the_mean(tmp_path: Path) -> None:
    files = [network(tmp_path, Fine, seed, 1) for seed in (0, 1)]
    runs.go(job(tmp_path, files, model={"output": {"threshold": 0.4}}))
    p = stored(tmp_path / "job.zarr", "probabilities")[1].astype(float)
    mask, known = stored(tmp_path / "job.zarr", "mask"), ~np.isnan(p)
    clear = known & (np.abs(p - 0.4) > 1e-3)
    np.testing.assert_array_equal(mask[clear], (p > 0.4)[clear])
    assert 0.01 < (mask[clear] == 1).mean() < 0.99


def test_numbers_without_classes_are_averaged_and_their_variance_is_per_channel(tmp_path: Path) -> None:
    files = [network(tmp_path, Fine, seed) for seed in (0, 1)]
    output = {"layers": ["values", "variance"], "probabilities_dtype": "uint8"}
    runs.go(job(tmp_path, files, output=output))
    raw = scenes.read(tmp_path / "scene.tif")
    valid = (raw != 0).any(0)
    with torch.no_grad():
        first, second = (torch.jit.load(file)(torch.from_numpy((raw - 500) / 200 * valid)[None])[0] for file in files)
    store = tmp_path / "job.zarr"
    np.testing.assert_allclose(stored(store, "values")[:, valid], ((first + second) / 2)[:, valid], atol=1e-4)
    np.testing.assert_allclose(stored(store, "variance")[:, valid], ((first - second) / 2)[:, valid] ** 2, atol=1e-3)
    assert np.isnan(stored(store, "variance")[:, ~valid]).all()
    assert verify(job_of(store, []), lambda _: None, windows=2)["passed"]


def test_a_store_is_gone_on_with_by_the_same_networks_alone(tmp_path: Path) -> None:
    fine, coarse, other = network(tmp_path, Fine), network(tmp_path, Coarse), network(tmp_path, Coarse, 1)
    runs.go(job(tmp_path, [fine, coarse]))
    assert runs.go(job(tmp_path, [fine, coarse])).blocks == 0 or True
    assert "model.members.2.sha256 was" in refusal(job(tmp_path, [fine, other]))
    weighed = refusal(job(tmp_path, [fine, {"path": coarse, "weight": 3}]))
    assert "model.members.1.weight was 0.5 and is now 0.25" in weighed
    warm = job(tmp_path, [fine, coarse], model={"output": {"temperature": 2}})
    assert "model.members.1.temperature was 1.0 and is now 2.0" in refusal(warm)
    assert "model.members was 2 and is now 3" in refusal(job(tmp_path, [fine, coarse, other]))


def test_a_frozen_plan_holds_the_activation_of_each_network(tmp_path: Path) -> None:
    path = job(tmp_path, [network(tmp_path, Fine), network(tmp_path, Probable)])
    file = freeze(prepared(path), path, tmp_path / "frozen.yaml")
    locked = prepared(file, f"output.path={tmp_path / 'locked.zarr'}")
    assert [one["activation"] for one in describe(locked)["network"]["members"]] == ["softmax", "none"]
    runs.go(file)
    runs.go(path, f"output.path={tmp_path / 'free.zarr'}")
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(tmp_path / "free.zarr")
    assert "members.1.weight" in refusal(
        file, f"model.path=[{{path: {network(tmp_path, Fine)}, weight: 2}}, {network(tmp_path, Probable)}]"
    )


def test_a_preview_shows_the_mean(tmp_path: Path) -> None:
    path = job(tmp_path, [network(tmp_path, Fine), network(tmp_path, Coarse)])
    make_preview(load_config(path), PreviewRequest(folder=tmp_path / "out", pixel=(40, 90), side=64))
    assert (tmp_path / "out" / "mask.png").exists()


@pytest.mark.parametrize(
    ("entries", "model", "reason"),
    [
        ([(Fine, 0), (Fine, 1, 4)], {}, "network 1 (Fine0.pt) returns 3 channels, and network 2 (Fine14.pt) returns 4"),
        ([(Fine, 0), (Probable, 0)], {"output": {"temperature": 2}}, "network 2 (Probable0.pt) returns probabilities"),
    ],
)
def test_networks_that_do_not_go_together_are_named(
    tmp_path: Path, entries: list[Any], model: dict[str, Any], reason: str
) -> None:
    files = [network(tmp_path, kind, seed, *classes) for kind, seed, *classes in entries]
    assert reason in refusal(job(tmp_path, files, model=model))


def test_a_copy_of_a_network_is_no_second_one(tmp_path: Path) -> None:
    first = Path(network(tmp_path, Fine))
    copy = tmp_path / "copy.pt"
    copy.write_bytes(first.read_bytes())
    assert "hold the same network" in refusal(job(tmp_path, [str(first), str(copy)]))
    assert "is listed twice" in refusal(job(tmp_path, [str(first), {"path": str(first), "weight": 2}]))


def test_variance_asks_for_several_networks(tmp_path: Path) -> None:
    assert "List the files of an ensemble" in refusal(job(tmp_path, network(tmp_path, Fine)))
    assert "List the files of an ensemble" in refusal(job(tmp_path, [network(tmp_path, Fine)]))


def test_one_network_in_a_list_is_that_network(tmp_path: Path) -> None:
    layers = {"output": {"layers": ["mask"]}}
    alone = prepared(job(tmp_path, network(tmp_path, Fine), **layers))
    listed = prepared(job(tmp_path, [{"path": network(tmp_path, Fine)}], **layers))
    assert listed.config == alone.config
    assert listed.fingerprint == alone.fingerprint
