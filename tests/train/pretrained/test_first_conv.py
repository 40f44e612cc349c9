"""The first convolution for another number of bands."""

import pytest
import torch

from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.deconvnet import deconvnet
from pipeline.train.pretrained import load_pretrained
from pipeline.train.pretrained.first_conv import first_layer, to_bands
from tests.train.pretrained.nets import VGG16, ResNet, lively


@pytest.mark.parametrize("bands", [1, 2, 4, 7])
def test_a_grey_image_excites_a_body_of_any_bands_as_it_did_one_of_three(bands: int) -> None:
    classifier = lively(VGG16())
    network = NETWORKS["fcn8s"](bands=bands, classes=2, width=4, fc_width=4, norm=False)
    started = load_pretrained(network, classifier.state_dict(), "fcn8s")
    grey = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        wanted = classifier.features(grey.expand(-1, 3, -1, -1))
        got = network.pool5(network.pool4(network.pool3(grey.expand(-1, bands, -1, -1))))
    assert torch.allclose(got, wanted, atol=1e-4 * float(wanted.abs().max()))
    (row,) = (row for row in started.reshaped if row.name == "pool3.0.0.weight")
    assert row.rule == f"mean over bands, times 3/{bands}"
    assert (row.old_shape, row.new_shape) == ((4, 3, 3, 3), (4, bands, 3, 3))


def test_every_new_band_gets_the_mean_of_the_old_ones_times_their_numbers() -> None:
    weight = torch.randn(5, 3, 3, 3)
    got = to_bands(weight, 4)
    assert got.shape == (5, 4, 3, 3)
    for band in range(4):
        assert torch.allclose(got[:, band], weight.mean(1) * 3 / 4, atol=1e-6)


def test_three_bands_keep_their_colours() -> None:
    classifier = lively(VGG16())
    network = NETWORKS["fcn8s"](bands=3, classes=2, width=4, fc_width=4, norm=False)
    assert first_layer(network) in load_pretrained(network, classifier.state_dict(), "fcn8s").matched
    assert torch.equal(network.pool3[0][0].weight, classifier.features[0].weight)


@pytest.mark.slow
def test_a_resnet_and_a_file_of_ours_follow_the_same_rule() -> None:
    network = NETWORKS["resnet_fcn"](bands=5, classes=2, width=4)
    classifier = lively(ResNet())
    load_pretrained(network, classifier.state_dict(), "resnet_fcn")
    assert torch.allclose(network.backbone.conv1.weight, to_bands(classifier.conv1.weight, 5))
    again = NETWORKS["resnet_fcn"](bands=2, classes=2, width=4)
    load_pretrained(again, network.state_dict(), "resnet_fcn")
    assert torch.allclose(again.backbone.conv1.weight, to_bands(classifier.conv1.weight, 2), atol=1e-6)


@pytest.mark.parametrize("kind", [*NETWORKS, "symmetric"])
def test_the_first_layer_is_the_one_that_takes_the_bands(kind: str) -> None:
    with torch.device("meta"):
        network = (
            deconvnet(7, 2, width=2, unpooling=True)
            if kind == "symmetric"
            else NETWORKS[kind](bands=7, classes=2, width=2)
        )
    assert network.state_dict()[first_layer(network)].shape[1] == 7
