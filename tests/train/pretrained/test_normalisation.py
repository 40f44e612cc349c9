"""The normalisation of torchvision's weights."""

import pytest
import torch

from pipeline.config import InputConfig
from pipeline.models.architectures import NETWORKS
from pipeline.train.pretrained import imagenet, load_pretrained
from tests.train.pretrained.nets import VGG16, lively


def test_three_bands_get_torchvisions_own_figures() -> None:
    said = InputConfig(**imagenet())
    assert (said.scale, said.mean, said.std) == (1 / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def test_other_numbers_of_bands_get_their_means() -> None:
    assert imagenet(2, 1e-4) == {"scale": 1e-4, "mean": [pytest.approx(0.449)] * 2, "std": [pytest.approx(0.226)] * 2}


def normalised(raw: torch.Tensor, said: dict[str, float | list[float]]) -> torch.Tensor:
    mean, std = (torch.tensor(said[name])[:, None, None] for name in ("mean", "std"))
    return (raw * said["scale"] - mean) / std


def test_a_grey_picture_keeps_its_answer_when_bands_and_normalisation_change_together() -> None:
    """Not exactly: the figures of the three bands differ a little, and became one."""
    classifier, raw = lively(VGG16()), torch.randint(0, 256, (1, 1, 64, 64)).float()
    network = NETWORKS["fcn8s"](bands=5, classes=2, width=4, fc_width=4, norm=False)
    load_pretrained(network, classifier.state_dict(), "fcn8s")
    with torch.no_grad():
        wanted = classifier.features(normalised(raw.expand(-1, 3, -1, -1), imagenet(3)))
        got = network.pool5(network.pool4(network.pool3(normalised(raw.expand(-1, 5, -1, -1), imagenet(5)))))
    assert (got - wanted).abs().mean() < 0.2 * wanted.std()


@pytest.mark.parametrize(("bands", "scale"), [(0, 1.0), (3, 0.0), (3, float("nan"))])
def test_no_bands_or_no_scale_is_an_error(bands: int, scale: float) -> None:
    with pytest.raises(ValueError, match="bands must be at least 1"):
        imagenet(bands, scale)
