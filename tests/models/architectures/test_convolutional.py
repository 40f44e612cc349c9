"""A convolutionalised classifier against the classifier itself, slid over the image window by window."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.config import InputConfig, ModelConfig
from pipeline.config.load import load_config
from pipeline.errors import ModelError
from pipeline.inspect.locality.measure import measure_locality
from pipeline.interfaces import InputConstraints, Radius
from pipeline.models import load
from pipeline.models.architectures.classifiers import alexnet, lenet, vgg, vgg16
from pipeline.models.architectures.convolutional import Convolutional, difference_from_sliding, sliding_scores
from pipeline.models.loaded import Loaded
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from tests import scenes


class Valid(nn.Module):
    """VGG style without padding: two stages, then dense layers with batch norm; viewed, not flattened.

    20 px, stride 4.
    """

    def __init__(self, bands: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(bands, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3),
            nn.ReLU(),
            nn.Conv2d(8, 8, 2),
            nn.MaxPool2d(2),
        )
        self.first, self.norm, self.last = nn.Linear(8 * 9, 12), nn.BatchNorm1d(12), nn.Linear(12, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.features(x)
        y = F.dropout(F.relu(self.norm(self.first(y.view(y.size(0), -1)))), training=self.training)
        return F.log_softmax(self.last(y), dim=-1)


class Averaged(nn.Module):
    """Ends in a mean over pixels, as ResNets do. 16 px, stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2)), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


class Pooled(nn.Sequential):
    """The same with a layer for it, and a softmax."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, stride=3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
            nn.Softmax(dim=1),
        )


def settled(network: nn.Module, size: int) -> nn.Module:
    """Batch norm that fits its input."""
    torch.manual_seed(2)
    with torch.no_grad():
        network.train()(torch.randn(8, 3, size, size))
    return network.eval()


UNPADDED = [(Valid, 20, 4), (lambda: lenet(4, 3), 32, 4), (Averaged, 16, 2), (Pooled, 21, 3)]
PADDED = [
    (lambda: vgg(11, classes=5, width=4, hidden=16), 224, 32),
    (lambda: vgg(16, classes=5, norm=True, width=4, hidden=16), 224, 32),
]


@pytest.mark.slow
@pytest.mark.nightly("networks", after=2)
@pytest.mark.parametrize(("make", "size", "stride"), [*UNPADDED, *PADDED])
def test_scores_on_the_training_size_are_the_classifiers(make, size: int, stride: int) -> None:
    classifier = settled(make(), size)
    network, x = Convolutional(classifier, 3, size).eval(), torch.randn(2, 3, size, size)
    with torch.inference_mode():
        wanted, got = classifier(x), network.scores(x)
    assert network.stride == stride
    assert got.shape == (*wanted.shape, 1, 1)
    assert (got[:, :, 0, 0] - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.nightly("networks")
@pytest.mark.parametrize(("make", "size", "stride"), [(vgg16, 224, 32), (alexnet, 224, 32)])
def test_the_classics_in_full_size_keep_their_scores(make, size: int, stride: int) -> None:
    classifier = make(classes=10).eval()
    network, x = Convolutional(classifier, 3, size).eval(), torch.randn(1, 3, size, size)
    with torch.inference_mode():
        wanted, got = classifier(x), network.scores(x)[:, :, 0, 0]
    assert network.stride == stride
    assert (got - wanted).abs().max() <= 1e-5 * max(1.0, float(wanted.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize(("make", "size", "stride"), UNPADDED)
@pytest.mark.parametrize("more", [(0, 0), (1, 7), (13, 40), (33, 2)])
def test_the_map_of_an_unpadded_body_is_the_slid_classifier(
    make, size: int, stride: int, more: tuple[int, int]
) -> None:
    classifier = settled(make(), size)
    network, x = Convolutional(classifier, 3, size).eval(), torch.randn(1, 3, size + more[0], size + more[1])
    with torch.inference_mode():
        wanted, got = sliding_scores(classifier, x, size, stride), network.scores(x)
    assert got.shape == (1, 4, more[0] // stride + 1, more[1] // stride + 1)
    assert torch.allclose(got, wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.nightly("networks")
def test_the_difference_to_the_slid_classifier_is_nothing_for_unpadded_bodies_and_told_for_padded_ones() -> None:
    torch.manual_seed(0)
    assert difference_from_sliding(Convolutional(settled(Valid(), 20), 3, 20).eval()) < 1e-4
    padded = Convolutional(settled(vgg(11, classes=5, norm=True, width=4, hidden=16), 224), 3, 224).eval()
    assert difference_from_sliding(padded, windows=2) > 2e-3


def test_each_pixel_takes_the_score_of_the_window_with_the_nearest_centre() -> None:
    network = Convolutional(settled(Valid(), 20), 3, 20).eval()
    centres = np.array([20 / 2 + 4 * k for k in range((57 - 20) // 4 + 1)])
    wanted = [np.abs(p + 0.5 - centres).argmin() for p in range(57)]
    found = network.nearest(57, torch.device("cpu")).numpy()
    ties = [abs(np.diff(np.sort(np.abs(p + 0.5 - centres))[:2])[0]) < 1e-9 for p in range(57)]
    assert (found == wanted)[~np.array(ties)].all()
    x = torch.randn(1, 3, 57, 31)
    with torch.inference_mode():
        logits, scores = network(x), network.scores(x)
    assert logits.shape == (1, 4, 57, 31)
    assert torch.equal(logits[0, :, 30, 0], scores[0, :, found[30], 0])


@pytest.mark.slow
@pytest.mark.parametrize(("make", "size"), [(Valid, 20), (lambda: lenet(4, 3), 32)])
def test_it_is_local_and_its_radius_is_that_of_the_nearest_windows(make, size: int) -> None:
    """Counted pixel by pixel: how far the windows of px at a cut look beyond it."""
    network = Convolutional(settled(make(), size), 3, size).eval()
    found = measure_locality(Loaded(module=network, identity_fields={}, accepts=InputConstraints(minimum=size)), 3)
    first = network.nearest(400, torch.device("cpu")) * network.stride
    cut, pixels = 200 - 200 % network.stride, torch.arange(400)
    before = int(((first < cut) & (pixels >= cut)).sum())
    after = int(((first + size > cut) & (pixels < cut)).sum())
    assert (found.verdict, found.stride, found.blame) == ("local", network.stride, ())
    assert found.radius == Radius(top=before, bottom=after, left=before, right=after)


def test_the_classifier_is_left_as_it_was() -> None:
    classifier = settled(Valid(), 20)
    before = copy.deepcopy(classifier.state_dict())
    Convolutional(classifier, 3, 20)
    assert isinstance(classifier.first, nn.Linear)
    assert all(torch.equal(classifier.state_dict()[name], value) for name, value in before.items())


@pytest.mark.slow
@pytest.mark.nightly("networks")
def test_it_can_be_scripted_and_exported() -> None:
    network = Convolutional(settled(Valid(), 20), 3, 20).eval()
    dims = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    exported = torch.export.export(network, (torch.rand(1, 3, 60, 76),), dynamic_shapes=(dims,)).module()
    for size in ((60, 60), (41, 97)):
        x = torch.randn(1, 3, *size)
        with torch.inference_mode():
            assert torch.allclose(torch.jit.script(network)(x), network(x), atol=1e-6)
            assert torch.allclose(exported(x), network(x), atol=1e-6)


class Grid(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 4))


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :4] if x.sum() > 0 else x.flatten(1)[:, 4:8]


class Grouped(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 18 * 18, 8), nn.GroupNorm(2, 8), nn.Linear(8, 4)
        )


class Normed(nn.Sequential):
    """Batch norm of every flattened number apart: no convolution does that."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.BatchNorm1d(4 * 18 * 18), nn.Linear(4 * 18 * 18, 4))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Grid, "pools .18, 18. to .3, 3. px"),
        (Branching, "cannot be followed"),
        (Grouped, "3 .GroupNorm. stands behind the flattening"),
        (Normed, "2 .BatchNorm1d. stands behind the flattening"),
        (lambda: lenet(4, 3), "does not run on 3 bands of 20"),
    ],
)
def test_classifiers_of_another_form_are_refused_by_the_layer(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Convolutional(make().eval(), 3, 20)


@pytest.mark.slow
def test_mistakes_in_the_config_are_told(tmp_path: Path) -> None:
    torch.save(lenet(10, 3).state_dict(), tmp_path / "lenet.pt")
    config = ModelConfig(
        kind="classifier",
        factory="pipeline.models.architectures.classifiers:lenet",
        args={"bands": 3},
        path=tmp_path / "lenet.pt",
    )
    with pytest.raises(ModelError, match=r"model\.input\.size is missing"):
        load(config, 3, torch.device("cpu"))
    with pytest.raises(ModelError, match=r"does not run on 3 bands of 30 × 30 px"):
        load(config.model_copy(update={"input": InputConfig(size=30)}), 3, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.nightly("networks")
def test_recognition_runs_tile_by_tile_as_in_one_piece(tmp_path: Path) -> None:
    """The whole job: the mask says which class the window around each pixel is of."""
    torch.manual_seed(1)
    classifier = lenet(4, 3).eval()
    scenes.scene(tmp_path / "scene.tif", 333, 517)
    with rasterio.open(tmp_path / "scene.tif") as src:
        raw = src.read().astype("float32")
    valid = (raw != 0).any(0)
    x = F.pad(torch.from_numpy((raw - 500) / 200 * valid)[None], (0, -517 % 4, 0, -333 % 4))
    with torch.inference_mode():
        classifier[-1].bias -= sliding_scores(classifier, x[:, :, :160, :160], 32, 4).mean((0, 2, 3))
        found = sliding_scores(classifier, x, 32, 4)
    torch.save(classifier.state_dict(), tmp_path / "lenet.pt")
    model = {
        "kind": "classifier",
        "factory": "pipeline.models.architectures.classifiers:lenet",
        "args": {"classes": 4, "bands": 3},
        "path": str(tmp_path / "lenet.pt"),
        "input": {"mean": 500, "std": 200, "size": 32},
    }
    job = prepare_job(load_config(scenes.config(tmp_path, model=model, tile={"size": 160})))
    with Progress() as progress:
        execute(job, progress)
    rows, cols = (np.clip((2 * np.arange(n) + 1 - 32 + 4) // 8, 0, (n + -n % 4 - 32) // 4) for n in (333, 517))
    expected = np.where(valid, found[0].argmax(0).numpy()[rows][:, cols], 255)
    assert len(np.unique(expected)) == 5
    assert (open_layer(job.path, 0, "mask")[:] == expected).mean() > 0.99999
