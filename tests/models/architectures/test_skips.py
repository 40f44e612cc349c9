"""What FCN-16s and 8s do with their skips: scores of each stage, upsampled and added, each counting once."""

import pytest
import torch

from pipeline.models.architectures import NETWORKS
from tests import networks

SCORES = {"fcn32s": ("score",), "fcn16s": ("score", "score4"), "fcn8s": ("score", "score4", "score3")}
STRIDES = {"score": 32, "score4": 16, "score3": 8}


@pytest.mark.parametrize(("kind", "heard"), [(kind, score) for kind, scores in SCORES.items() for score in scores])
def test_a_constant_score_of_one_stage_comes_out_as_it_went_in(kind: str, heard: str) -> None:
    """Bilinear filters keep a constant, away from the edges where they run out."""
    network = networks.lively(NETWORKS[kind](bands=3, classes=2, width=4, fc_kernel=3, fc_width=4)).eval()
    for name in SCORES[kind]:
        silence(getattr(network, name))
    getattr(network, heard).bias.data.copy_(torch.tensor([3.0, -2.0]))
    for module in network.modules():
        if isinstance(module, torch.nn.ConvTranspose2d):
            module.load_state_dict(fresh(kind)[module.stride[0]])
    with torch.inference_mode():
        middle = network(torch.rand(1, 3, 256, 256))[:, :, 96:-96, 96:-96]
    torch.testing.assert_close(middle, torch.tensor([3.0, -2.0])[None, :, None, None].expand_as(middle))


def silence(score: torch.nn.Conv2d) -> None:
    score.weight.data.zero_()
    score.bias.data.zero_()


def fresh(kind: str) -> dict[int, dict[str, torch.Tensor]]:
    """The bilinear filters it is made with, by factor."""
    made = NETWORKS[kind](bands=3, classes=2, width=4, fc_kernel=3, fc_width=4)
    return {
        module.stride[0]: module.state_dict()
        for module in made.modules()
        if isinstance(module, torch.nn.ConvTranspose2d)
    }


@pytest.mark.parametrize("score", ["score4", "score3"])
def test_a_skip_reaches_no_farther_than_its_stage(score: str) -> None:
    """One bright cell of a stage's scores is a tent two cells wide around its centre."""
    network = NETWORKS["fcn8s"](bands=3, classes=1, width=4, fc_kernel=3, fc_width=4).eval()
    for name in SCORES["fcn8s"]:
        silence(getattr(network, name))
    stride = STRIDES[score]
    cell = torch.zeros(1, 1, 256 // stride, 256 // stride)
    cell[0, 0, 128 // stride, 128 // stride] = 1.0
    getattr(network, score).forward = lambda _: cell
    with torch.inference_mode():
        lit = network(torch.rand(1, 3, 256, 256))[0, 0].nonzero()
    assert lit.float().mean(0).tolist() == [128 + (stride - 1) / 2] * 2
