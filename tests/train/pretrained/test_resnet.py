"""From ResNets: strides become dilations, and every fourth feature stays what it was."""

import pytest
import torch

from pipeline.errors import ModelError
from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.resnet_fcn import ResNetFCN
from pipeline.train.pretrained import load_pretrained
from tests.train.pretrained.nets import ResNet, lively

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def test_every_fourth_feature_of_the_backbone_is_the_classifiers() -> None:
    classifier, network = lively(ResNet()), lively(ResNetFCN(3, 5, width=4))
    started = load_pretrained(network, classifier.state_dict(), "resnet_fcn")
    x = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        wanted, got = classifier.features(x), network.backbone(x)[:, :, ::4, ::4]
    assert wanted.std() > 0.1
    assert torch.allclose(got, wanted, atol=1e-4 * float(wanted.abs().max()))
    assert started.left == ("fc.weight", "fc.bias")
    assert all(name.startswith("classifier.") for name in started.missing)
    assert started.reshaped == ()


@pytest.mark.nightly("training")
@pytest.mark.slow
@pytest.mark.parametrize(("depth", "numbers"), [(50, 25_557_032), (101, 44_549_160)])
def test_the_published_files_names_and_shapes_fill_the_full_size_backbone(depth: int, numbers: int) -> None:
    """The totals are the numbers of parameters that torchvision gives for its resnet50 and resnet101."""
    with torch.device("meta"):
        classifier, network = ResNet(BLOCKS[depth], 64, classes=1000), ResNetFCN(3, 21, depth)
    assert sum(parameter.numel() for parameter in classifier.parameters()) == numbers
    started = load_pretrained(network, classifier.state_dict(), "resnet_fcn")
    assert len(started.matched) == sum(name.startswith("backbone.") for name in network.state_dict())


@pytest.mark.parametrize(("have", "want"), [(101, 50), (50, 101)])
def test_another_depth_is_refused_with_the_one_to_set(have: int, want: int) -> None:
    """ResNet-101 holds every name of ResNet-50, and would load in silence."""
    with pytest.raises(ModelError, match=f"Set model.args.depth to {have}"):
        load_pretrained(ResNetFCN(3, 5, want, width=2), ResNet(BLOCKS[have], 2).state_dict(), "resnet_fcn")


def test_another_depth_by_our_own_names_is_refused_too() -> None:
    with pytest.raises(ModelError, match=r"have no place in it, such as backbone\.layer3\.6"):
        load_pretrained(ResNetFCN(3, 5, 50, width=2), ResNetFCN(3, 5, 101, width=2).state_dict(), "resnet_fcn")


def test_a_resnet_of_two_convolutions_a_block_is_refused() -> None:
    with pytest.raises(ModelError, match="Give those of resnet50 or resnet101"):
        load_pretrained(ResNetFCN(3, 5, width=4), ResNet((2, 2, 2, 2), shallow=True).state_dict(), "resnet_fcn")


def test_a_network_without_such_a_backbone_is_refused() -> None:
    with pytest.raises(ModelError, match=r"kind fcn8s has no such body\. They start resnet_fcn"):
        load_pretrained(NETWORKS["fcn8s"](bands=3, classes=2, width=2, fc_width=2), ResNet().state_dict(), "fcn8s")


def test_torchvisions_fcn_loads_whole_and_leaves_its_auxiliary_head() -> None:
    before, after = lively(ResNetFCN(3, 5, width=4)), ResNetFCN(3, 5, width=4)
    started = load_pretrained(after, {**before.state_dict(), "aux_classifier.4.bias": torch.zeros(5)}, "resnet_fcn")
    assert started.left == ("aux_classifier.4.bias",)
    assert (started.missing, started.fresh, started.reshaped) == ((), (), ())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(after.eval()(x), before(x))


def test_torchvisions_fcn_for_other_classes_keeps_all_but_its_scores() -> None:
    before, after = lively(ResNetFCN(3, 21, width=4)), ResNetFCN(3, 5, width=4)
    started = load_pretrained(after, before.state_dict(), "resnet_fcn")
    assert [(row.name, row.old_shape[0], row.new_shape[0]) for row in started.fresh] == [
        ("classifier.4.weight", 21, 5),
        ("classifier.4.bias", 21, 5),
    ]
    assert torch.equal(after.classifier[0].weight, before.classifier[0].weight)


def test_a_resnet_that_lacks_a_part_is_refused_by_it() -> None:
    state = ResNet().state_dict()
    del state["layer2.0.bn1.weight"]
    with pytest.raises(
        ModelError, match=r"they lack 1 of the tensors of its body, such as backbone\.layer2\.0\.bn1\.weight"
    ):
        load_pretrained(ResNetFCN(3, 5, width=4), state, "resnet_fcn")
