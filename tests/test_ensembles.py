"""Several networks as one: tiled, the mean of their probabilities is that of one pass each over the whole raster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
import torch
import zarr
from torch import nn

from pipeline.config.load import config_of, load_config
from pipeline.errors import PipelineError
from pipeline.exports.task import ExportRequest
from pipeline.inference.normalise import normalise
from pipeline.inspect.report.report import inspect_network
from pipeline.planning.describe import describe
from pipeline.planning.freeze import freeze
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.subject import subject
from pipeline.preview.preview import PreviewRequest, make_preview
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from pipeline.running.export import export_store
from pipeline.train.files import require_own_weights
from pipeline.viewer.view import StoreView
from tests import runs, scenes
from tests.models.descriptions.bioimage.packages import package
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


class Unpadded(nn.Module):
    """Leaves off 2 px on each side."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, CLASSES, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * self.body(x)


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
    certificate = verify(job_of(store, []), lambda _: None, windows=4)
    assert certificate["passed"]
    assert certificate["unit"] == "standard deviations of the probabilities"


def test_the_plan_prices_each_network_and_names_it(tmp_path: Path) -> None:
    planned = prepared(job(tmp_path, [network(tmp_path, Fine), {"path": network(tmp_path, Coarse), "weight": 3}]))
    fine, coarse = describe(planned)["network"]["members"]
    assert (fine["weight"], fine["stride"], fine["radius"], fine["activation"]) == (0.25, 1, 2, "softmax")
    assert (coarse["weight"], coarse["stride"], coarse["radius"]) == (0.75, 4, 6)
    assert (planned.locality.stride, planned.plan.tiles.halo, planned.plan.costs.classes) == (4, 8, 2 * CLASSES)
    assert planned.plan.costs.activations >= max(fine["bytes_per_pixel"], coarse["bytes_per_pixel"])
    rows = [text for _, text in plan_rows(planned)]
    assert any(text.startswith("network 2 (Coarse0.pt): weight 0.75, softmax, local, stride 4 px") for text in rows)
    report = inspect_network(subject(planned))
    assert "network 1 (Fine0.pt): 333 parameters, local, stride 1 px, radius 2 px" in report.notes
    assert report.parameters == 792
    assert report.flops_per_pixel == 648 + (576 + 324) / 16


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["none", pytest.param("flips", marks=pytest.mark.nightly("jobs"))])
def test_what_is_blended_are_probabilities_whatever_the_blocks(tmp_path: Path, augment: str) -> None:
    files = [network(tmp_path, Blended), network(tmp_path, Fine, 1)]
    tile = {"size": 64, "overlap": 0.5, "augment": augment}
    for block in (64, 128):
        runs.go(job(tmp_path, files, f"b{block}", tile=tile, output={"block": block}))
    for layer in ("mask", "probabilities", "variance"):
        small, large = (stored(tmp_path / f"b{block}.zarr", layer) for block in (64, 128))
        np.testing.assert_array_equal(small, large)
    assert verify(job_of(tmp_path / "b64.zarr", []), lambda _: None, windows=4)["passed"] is not False


@pytest.mark.slow
def test_one_logit_is_thresholded_in_the_mean(tmp_path: Path) -> None:
    files = [network(tmp_path, Fine, seed, 1) for seed in (0, 1)]
    runs.go(job(tmp_path, files, model={"output": {"threshold": 0.4}}))
    p = stored(tmp_path / "job.zarr", "probabilities")[1].astype(float)
    mask, known = stored(tmp_path / "job.zarr", "mask"), ~np.isnan(p)
    clear = known & (np.abs(p - 0.4) > 1e-3)
    np.testing.assert_array_equal(mask[clear], (p > 0.4)[clear])
    assert 0.01 < (mask[clear] == 1).mean() < 0.99


@pytest.mark.slow
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
    check_names_of_channels(store)


def check_names_of_channels(store: Path) -> None:
    """Files and viewer name each channel of the variance; its colours go from its own smallest to largest."""
    names = ("channel0", "channel1", "channel2")
    for to in ("cog", "ome-tiff"):
        export_store(store, ExportRequest(to=to, layer="variance"), False, lambda _: None)
    with rasterio.open(store.with_suffix(".variance.tif")) as raster:
        assert raster.descriptions == names
        assert np.isnan(raster.nodata)
    with tifffile.TiffFile(store.with_suffix(".variance.ome.tif")) as file:
        assert all(f'Name="{name}"' in str(file.ome_metadata) for name in names)
    view = StoreView(store)
    assert {layer.name: layer.channels for layer in view.scene.layers()} == {"values": names, "variance": names}
    low, high = view.numbers.limits("variance", 0)
    assert 0 <= low < high < 1


def test_a_store_is_gone_on_with_by_the_same_networks_alone(tmp_path: Path) -> None:
    fine, coarse, other = network(tmp_path, Fine), network(tmp_path, Coarse), network(tmp_path, Coarse, 1)
    runs.go(job(tmp_path, [fine, coarse]))
    assert prepared(job(tmp_path, [fine, coarse])).complete
    assert "model.members.2.sha256 was" in refusal(job(tmp_path, [fine, other]))
    weighed = refusal(job(tmp_path, [fine, {"path": coarse, "weight": 3}]))
    assert "model.members.1.weight was 0.5 and is now 0.25" in weighed
    warm = job(tmp_path, [fine, coarse], model={"output": {"temperature": 2}})
    assert "model.members.1.temperature was 1.0 and is now 2.0" in refusal(warm)
    assert "model.members was 2 and is now 3" in refusal(job(tmp_path, [fine, coarse, other]))


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_unpadded_networks_leave_off_the_same_or_are_refused(tmp_path: Path) -> None:
    files = [network(tmp_path, Unpadded, seed) for seed in (0, 1)]
    runs.go(job(tmp_path, files, output={"block": 64}))
    raw = scenes.read(tmp_path / "scene.tif")
    valid, inner = (raw != 0).any(0), (slice(2, -2), slice(2, -2))
    x = torch.from_numpy((raw - 500) / 200 * valid)[None]
    with torch.no_grad():
        p = torch.stack([torch.softmax(torch.jit.load(file)(x)[0], 0) for file in files]).mean(0).numpy()
    found = stored(tmp_path / "job.zarr", "probabilities")[:, *inner]
    np.testing.assert_allclose(found, np.where(valid[inner], p, np.nan), atol=6e-4)
    assert np.isnan(stored(tmp_path / "job.zarr", "variance")[:2]).all()
    assert "network 2 (Fine0.pt) leaves off nothing" in refusal(job(tmp_path, [files[0], network(tmp_path, Fine)]))


def test_invalid_pixels_are_0_for_every_normalisation(tmp_path: Path) -> None:
    path = job(tmp_path, [network(tmp_path, Fine), {"path": network(tmp_path, Coarse), "input": {"mean": 100}}])
    normalisation = prepared(path).task.recipe.normalisation
    assert (normalisation.channels, normalisation.mean) == (6, (500.0,) * 3 + (100.0,) * 3)
    data, valid = torch.full((3, 2, 2), 700), torch.tensor([[True, False], [True, True]])
    x = normalise(data, valid, normalisation, torch.device("cpu"))[0]
    assert x[:, 0, 1].tolist() == [0.0] * 6
    assert x[:, 0, 0].tolist() == [1.0] * 3 + [3.0] * 3


def test_entries_of_a_config_come_back_as_they_were(tmp_path: Path) -> None:
    entry = {"path": network(tmp_path, Coarse), "weight": 2.0, "input": {"std": 3.0}, "output": {"key": "1"}}
    config = load_config(job(tmp_path, [network(tmp_path, Fine), entry]))
    document = config.model_dump(mode="json", exclude_unset=True)
    assert document["model"]["path"] == [network(tmp_path, Fine), entry]
    assert config_of(document) == config
    first, second = (member.model for member in config.model.members)
    assert (first.input.std, second.input.std, second.input.mean) == (200, 3, 500)  # type: ignore[union-attr]
    assert (first.output.key, second.output.key) == ("auto", "1")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "model.path is []"),
        (["a.pt", {"path": "b.pt", "weight": 0}], "model.path.1.weight is 0"),
        (
            ["a.pt", {"path": "b.pt", "wight": 2}],
            "model.path.1.wight is not a key of the config (did you mean weight?)",
        ),
        (["a.pt", {"path": "b.pt", "input": {"std": "x"}}], "model.path.1.input.std is 'x'"),
        (["a.pt", {"weight": 2}], "it names no network; give path, or factory"),
        (["a.pt", {"path": "b.pt", "output": {"map": {}}}], "model.path.1.output.map is not a key"),
    ],
)
def test_a_wrong_entry_is_named_by_its_place(tmp_path: Path, entries: list[Any], reason: str) -> None:
    assert reason in refusal(job(tmp_path, entries))


def test_what_an_entry_lacks_is_named_as_a_key_of_that_entry(tmp_path: Path) -> None:
    entries = [{"path": network(tmp_path, Fine), "kind": "torchscript"}, network(tmp_path, Fine, 1)]
    message = refusal(job(tmp_path, entries, model={"kind": None}))
    assert message.startswith("model.path.1.kind is missing, and ")
    assert "Set model.path.1.kind: " in message


def test_train_teaches_one_network(tmp_path: Path) -> None:
    config = load_config(job(tmp_path, [network(tmp_path, Fine), network(tmp_path, Coarse)]))
    with pytest.raises(PipelineError, match="train teaches one network"):
        require_own_weights(config.model)


@pytest.mark.slow
def test_descriptions_of_several_networks_are_taken_up(tmp_path: Path) -> None:
    """The same numbers in two formats: their mean is each of them."""
    described = package(tmp_path / "a", channels=2)
    model = {"kind": None, "input": None}
    layers = {"output": {"layers": ["mask"]}}
    entries = [str(described), {"path": str(described), "kind": "torchscript"}]
    planned = prepared(job(tmp_path, entries, "both", model=model, **layers))
    assert [row.name for row in planned.spec.classes] == ["nucleus", "membrane", "background"]
    assert planned.normalise.method == "standardise"
    assert [one["activation"] for one in describe(planned)["network"]["members"]] == ["sigmoid", "sigmoid"]
    sentences = describe(planned)["network"]["description"]
    assert {text.split(":")[0] for text in sentences} == {"network 1", "network 2"}
    for name, path in (("both", entries), ("one", str(described))):
        runs.go(job(tmp_path, path, name, model=model, **layers))
    np.testing.assert_array_equal(*(stored(tmp_path / f"{name}.zarr", "mask") for name in ("both", "one")))
