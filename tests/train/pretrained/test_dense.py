"""Dense layers as convolutions."""

import pytest
import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.architectures import NETWORKS
from pipeline.train.pretrained import load_pretrained
from pipeline.train.pretrained.vgg16 import as_convolution, every, taps
from tests.train.pretrained.nets import VGG16, lively


def test_taps_are_symmetric_and_as_even_as_may_be() -> None:
    assert [taps(kernel, 7) for kernel in (1, 3, 5, 7)] == [[3], [0, 3, 6], [0, 2, 3, 4, 6], list(range(7))]
    assert taps(1, 1) == [0]


@pytest.mark.parametrize(("kernel", "hidden"), [(7, 16), (7, 4), (5, 8), (3, 16), (1, 8)])
def test_each_weight_is_the_one_of_its_channels_and_tap(kernel: int, hidden: int) -> None:
    dense = torch.randn(16, 6 * 49)
    got, rule = as_convolution("classifier.0.weight", dense, nn.Conv2d(6, hidden, kernel), 7)
    at, step = taps(kernel, 7), 16 // hidden
    for output in range(hidden):
        for channel in range(6):
            for row in range(kernel):
                for col in range(kernel):
                    assert got[output, channel, row, col] == dense[output * step, channel * 49 + at[row] * 7 + at[col]]
    assert ("decimated" in rule) == (kernel < 7 or hidden < 16)


def test_a_narrow_fc7_follows_the_channels_that_fc6_kept() -> None:
    """With fc6's other channels cut off, the classifier says what the decimated network says."""
    classifier = lively(VGG16(hidden=32))
    network = NETWORKS["fcn32s"](bands=3, classes=2, width=4, fc_width=2, norm=False)
    started = load_pretrained(network, classifier.state_dict(), "fcn32s")
    with torch.no_grad():
        features = torch.rand(1, 32, 7, 7)
        sixth = classifier.classifier[:2](features.flatten(1))
        kept = torch.zeros_like(sixth)
        kept[:, ::4] = sixth[:, ::4]
        wanted = classifier.classifier[3](kept).relu()[:, ::4]
        got = network.fc7(network.fc6(features))[:, :, 3, 3]
    assert (wanted > 0).any()
    assert torch.allclose(got, wanted, atol=1e-4)
    assert {row.name: row.rule for row in started.reshaped}["fc7.0.bias"] == "dense layer as a convolution, decimated"


def test_biases_follow_their_channels() -> None:
    assert every(torch.arange(12), nn.Conv2d(1, 4, 1)).tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("shape", "layer", "said"),
    [
        ((16, 294), (6, 12, 7), "has 16 channels, of which 12 cannot be taken at an even step"),
        ((16, 294), (6, 32, 7), "of which 32 cannot"),
        ((16, 294), (6, 16, 9), "Set model.args.fc_kernel to 7 or a smaller odd number"),
        ((16, 295), (6, 16, 7), "Give the weights of a VGG16"),
    ],
)
def test_what_cannot_be_decimated_is_refused(shape: tuple[int, int], layer: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        as_convolution("classifier.0.weight", torch.zeros(shape), nn.Conv2d(*layer), 7)
