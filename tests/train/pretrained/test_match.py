"""Starting from files of our own, and what is refused."""

import pytest
import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.architectures import NETWORKS
from pipeline.train.pretrained import load_pretrained
from tests import networks
from tests.train.pretrained.nets import lively

SMALL = {"bands": 3, "width": 4}
VGG = {**SMALL, "fc_kernel": 3, "fc_width": 4}
KINDS = {"fcn32s": VGG, "fcn16s": VGG, "fcn8s": VGG, "fcn": SMALL, "deconvnet": SMALL, "resnet_fcn": SMALL}
SYMMETRIC = ("deconvnet", {**VGG, "unpooling": True})


def make(kind: str, args: dict[str, int], classes: int = 4) -> nn.Module:
    return NETWORKS[kind](classes=classes, **args)


def test_every_network_of_ours_is_tested_here() -> None:
    assert set(KINDS) == set(NETWORKS)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "args"), [*KINDS.items(), SYMMETRIC])
def test_the_same_kind_is_taken_over_whole(kind: str, args: dict[str, int]) -> None:
    before, after = lively(make(kind, args)), make(kind, args)
    started = load_pretrained(after, before.state_dict(), kind)
    assert set(started.matched) == set(before.state_dict())
    assert (started.missing, started.fresh, started.reshaped, started.left) == ((), (), (), ())
    assert all(torch.equal(tensor, before.state_dict()[name]) for name, tensor in after.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "args"), [*KINDS.items(), SYMMETRIC])
def test_another_number_of_classes_begins_its_scores_anew_and_says_so(kind: str, args: dict[str, int]) -> None:
    before, after = lively(make(kind, args)), make(kind, args, classes=6)
    made = {name: tensor.clone() for name, tensor in after.state_dict().items()}
    started = load_pretrained(after, before.state_dict(), kind)
    named = {row.name for row in started.fresh}
    differing = {name for name, tensor in after.state_dict().items() if tensor.shape != before.state_dict()[name].shape}
    assert named == differing
    assert named
    for name, tensor in after.state_dict().items():
        wanted = (
            before.state_dict()[name]
            if name not in named
            else made[name] * (not name.startswith(("score4.", "score3.")))
        )
        assert torch.equal(tensor, wanted), name


@pytest.mark.parametrize(("coarse", "fine", "factor"), [("fcn32s", "fcn16s", 32), ("fcn16s", "fcn8s", 16)])
def test_a_finer_network_first_says_what_the_coarser_one_said(coarse: str, fine: str, factor: int) -> None:
    before, after = networks.lively(make(coarse, VGG)), make(fine, VGG)
    started = load_pretrained(after, before.state_dict(), fine)
    assert f"up{factor}.weight" in started.left
    x = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        one, other = before(x), after.eval()(x)
    assert (one - other).abs().mean() < 0.15 * one.std()


def test_a_file_without_batch_norms_counters_is_whole() -> None:
    before, after = lively(make("fcn8s", VGG)), make("fcn8s", VGG)
    state = {name: tensor for name, tensor in before.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert load_pretrained(after, state, "fcn8s").missing == ()


def test_half_precision_is_widened() -> None:
    before, after = lively(make("fcn", SMALL)), make("fcn", SMALL)
    load_pretrained(
        after,
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in before.state_dict().items()},
        "fcn",
    )
    assert after.score.weight.dtype == torch.float32
    assert torch.equal(after.score.weight, before.score.weight.half().float())


def refused(kind: str, state: dict[str, torch.Tensor], args: dict[str, int]) -> str:
    network = make(kind, args)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        load_pretrained(network, state, kind)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_of_a_stranger_is_refused_with_its_first_keys_and_what_would_do() -> None:
    state = {f"encoder.blocks.{k}.attention.weight": torch.zeros(3, 3) for k in range(8)}
    said = refused("fcn8s", state, VGG)
    assert "they lack 75 of the 75 tensors of its body" in said
    assert "they begin with encoder.blocks.0.attention.weight, encoder.blocks.1.attention.weight" in said
    assert "vgg16_bn (norm: true)" in said
    assert "By their names" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "args", "alike"),
    [
        ("fcn8s", {**VGG, "norm": False}, "kind fcn8s with norm: false"),
        ("resnet_fcn", {**SMALL, "depth": 101}, "kind resnet_fcn with depth: 101"),
        ("deconvnet", VGG | {"unpooling": True}, "kind deconvnet with unpooling: true"),
        ("deconvnet", SMALL, "kind deconvnet"),
        ("fcn16s", VGG, "kind fcn16s"),
    ],
)
def test_a_checkpoint_of_another_kind_of_ours_is_called_by_its_name(
    kind: str, args: dict[str, int], alike: str
) -> None:
    assert f"By their names they are those of {alike}. Give those of fcn, " in refused(
        "fcn", make(kind, args).state_dict(), SMALL
    )


def test_a_file_without_batch_norm_names_the_argument_for_a_body_with_it() -> None:
    said = refused("fcn8s", make("fcn8s", {**VGG, "norm": False}).state_dict(), VGG)
    assert "kind fcn8s with norm: false" in said
    assert "nearest in them: pool3.0." in said


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"fc_kernel": 5}, "fc6.0.weight"), ({"fc_width": 2}, "fc6.0.weight"), ({"width": 2}, "pool3.0.0.weight")],
)
def test_another_size_of_ours_is_refused_by_the_first_tensor(changed: dict[str, int], name: str) -> None:
    said = refused("fcn8s", make("fcn8s", VGG).state_dict(), {**VGG, **changed})
    assert f"makes {name} of shape" in said
    assert "Set model.args" in said


def test_an_empty_file_is_refused() -> None:
    assert "they begin with nothing" in refused("fcn", {}, SMALL)


def test_a_network_that_does_not_say_its_head_is_refused() -> None:
    with pytest.raises(ModelError, match="Conv2d does not say which of its layers are its head"):
        load_pretrained(nn.Conv2d(1, 1, 1), {"weight": torch.zeros(1, 1, 1, 1)}, "mine")


def test_a_few_names_in_common_make_no_likeness() -> None:
    state = {f"encoder.{k}.weight": torch.zeros(1) for k in range(20)} | {
        "score.weight": torch.zeros(1),
        "score.bias": torch.zeros(1),
    }
    assert "By their names" not in refused("fcn8s", state, VGG)
