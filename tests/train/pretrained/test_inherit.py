import pytest
import torch

from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.upsample import bilinear
from pipeline.train.pretrained.match import inherit
from tests import networks

BODY = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}


@pytest.mark.parametrize(("coarse", "fine", "factor"), [("fcn32s", "fcn16s", 32), ("fcn16s", "fcn8s", 16)])
def test_a_finer_network_first_says_what_the_coarser_one_said(coarse: str, fine: str, factor: int) -> None:
    """Bilinear ×32 in one step and in two are not quite the same numbers."""
    before, after = networks.lively(NETWORKS[coarse](**BODY)), NETWORKS[fine](**BODY)
    found = inherit(after, before.state_dict())
    assert found.reshaped == ()
    assert all(name.startswith(("score4", "score3", "up2", "up4", "up8", "up16")) for name in found.fresh)
    assert all(name.startswith("up") for name in found.left)
    x = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        one, other = before(x), after.eval()(x)
    assert (one - other).abs().mean() < 0.15 * one.std()


def test_the_scores_of_a_skip_begin_at_zero_and_its_upsampling_as_bilinear() -> None:
    after = NETWORKS["fcn16s"](**BODY)
    inherit(after, NETWORKS["fcn32s"](**BODY).state_dict())
    assert not after.score4.weight.any()
    assert not after.score4.bias.any()
    assert torch.equal(after.up2.weight, bilinear(4, 2).weight)


def test_another_shape_is_left_as_it_was_made_and_named() -> None:
    after = NETWORKS["fcn8s"](**{**BODY, "bands": 5})
    before = after.pool3[0][0].weight.clone()
    found = inherit(after, NETWORKS["fcn8s"](**BODY).state_dict())
    assert found.reshaped == ("pool3.0.0.weight",)
    assert torch.equal(after.pool3[0][0].weight, before)
    assert torch.equal(after.score.weight, after.state_dict()["score.weight"])


def test_what_was_inherited_is_a_copy() -> None:
    before, after = NETWORKS["fcn8s"](**BODY), NETWORKS["fcn8s"](**BODY)
    inherit(after, before.state_dict())
    with torch.no_grad():
        before.score.weight.zero_()
    assert after.score.weight.any()
