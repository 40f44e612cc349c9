"""Freezing a body."""

import copy
import pickle

import pytest
import torch
from torch import nn

from pipeline.errors import ConfigError, ModelError
from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.deconvnet import deconvnet
from pipeline.train.pretrained import freeze_layers

VGG = {"bands": 3, "classes": 3, "width": 4, "fc_kernel": 3, "fc_width": 4}
HEADS = {
    "fcn32s": {"score", "up32"},
    "fcn16s": {"score", "score4", "up2", "up16"},
    "fcn8s": {"score", "score4", "score3", "up2", "up4", "up8"},
    "fcn": {"score"},
    "deconvnet": {"decoder", "score"},
    "resnet_fcn": {"classifier"},
    "symmetric": {"middle", "up", "score"},
}


def make(kind: str) -> nn.Module:
    if kind == "symmetric":
        return deconvnet(**VGG, unpooling=True)
    return (
        NETWORKS[kind](**VGG) if kind in ("fcn32s", "fcn16s", "fcn8s") else NETWORKS[kind](bands=3, classes=3, width=4)
    )


def train(network: nn.Module, steps: int = 2) -> None:
    """With decay, which pulls at every weight that an optimiser follows."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.1)
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        network(2 + 3 * torch.randn(2, 3, 64, 64)).square().mean().backward()
        optimiser.step()


def test_every_network_of_ours_is_tested_here() -> None:
    assert set(HEADS) == {*NETWORKS, "symmetric"}


@pytest.mark.parametrize("kind", HEADS)
def test_training_leaves_a_frozen_body_bit_for_bit_as_it_was(kind: str) -> None:
    network = make(kind)
    frozen = freeze_layers(network, "body")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    train(network)
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.partition(".")[0] for name in moved} == HEADS[kind]
    assert not moved & set(frozen.frozen)
    assert set(frozen.trainable) <= moved
    assert not moved & {name for name in before if not name.startswith(network.head)}


def test_gradients_left_from_before_do_not_move_a_frozen_body() -> None:
    network = make("fcn")
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.randn(1, 3, 16, 16)).square().mean().backward()
    freeze_layers(network, "body")
    before = network.body[0][0].weight.clone()
    optimiser.step()
    assert torch.equal(network.body[0][0].weight, before)


def test_names_and_numbers_are_told() -> None:
    network = make("fcn32s")
    frozen = freeze_layers(network, "body")
    assert frozen.trainable == ("score.weight", "score.bias", "up32.weight")
    assert frozen.parameters == 16 * 3 + 3 + 3 * 3 * 64 * 64
    assert len(frozen.trainable) + len(frozen.frozen) == len(list(network.parameters()))


def test_only_what_mirrors_fc6_in_the_middle_of_the_symmetric_network_is_its_head() -> None:
    frozen = freeze_layers(make("symmetric"), "body")
    assert [name for name in frozen.trainable if name.startswith("middle")] == [
        "middle.6.weight",
        "middle.7.weight",
        "middle.7.bias",
    ]


def test_batch_norm_of_a_head_still_learns_its_statistics() -> None:
    network = make("resnet_fcn")
    freeze_layers(network, "body")
    train(network, 1)
    assert network.classifier[1].num_batches_tracked == 1
    assert network.backbone.bn1.num_batches_tracked == 0


def test_a_frozen_body_survives_copies_pickles_and_every_call_of_train() -> None:
    network = make("fcn8s")
    freeze_layers(network, "body")
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        for mode in (True, False, True):
            other.train(mode)
            assert other.training == mode
            assert not any(part.training for part in other.modules() if isinstance(part, nn.BatchNorm2d))


def test_null_lets_everything_train_again() -> None:
    network = make("fcn32s").train()
    names = network.state_dict().keys()
    freeze_layers(network, "body")
    assert network.state_dict().keys() == names
    assert freeze_layers(network, None).frozen == ()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    train(network, 1)
    assert all(not torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert {type(part) for part in network.modules() if isinstance(part, nn.BatchNorm2d)} == {nn.BatchNorm2d}


def test_anything_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="freeze is 'head', and can be body"):
        freeze_layers(make("fcn"), "head")
    with pytest.raises(ModelError, match="does not say which of its layers are its head"):
        freeze_layers(nn.Sequential(nn.Conv2d(1, 1, 1)), "body")
