"""From VGG16: what the body says is what the classifier's features say."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.architectures import NETWORKS
from pipeline.models.architectures.classifiers import vgg
from pipeline.models.architectures.deconvnet import deconvnet
from pipeline.train.pretrained import load_pretrained
from tests.train.pretrained.nets import NORMED, PLAIN, VGG16, lively

SMALL = {"bands": 3, "classes": 5, "width": 4, "fc_width": 4}
FCNS = ("fcn32s", "fcn16s", "fcn8s")


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def cells(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return network.pool5(network.pool4(network.pool3(x)))


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("kind", FCNS)
def test_the_output_of_pool5_is_that_of_the_classifiers_features(kind: str, norm: bool) -> None:
    classifier, network = lively(VGG16(norm=norm)), lively(NETWORKS[kind](**SMALL, norm=norm))
    load_pretrained(network, classifier.state_dict(), kind)
    x = torch.randn(1, 3, 96, 64)
    wanted = classifier.features(x)
    assert wanted.std() > 0.1
    assert torch.allclose(cells(network, x), wanted, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("norm", [False, True])
def test_fc6_and_fc7_say_in_the_middle_of_224_px_what_the_dense_layers_said(norm: bool) -> None:
    classifier, network = lively(VGG16(norm=norm)), lively(NETWORKS["fcn8s"](**SMALL, norm=norm))
    load_pretrained(network, classifier.state_dict(), "fcn8s")
    x = torch.randn(2, 3, 224, 224)
    flat = classifier.features(x).flatten(1)
    sixth = network.fc6(cells(network, x))
    for got, wanted in (
        (sixth, classifier.classifier[:2](flat)),
        (network.fc7(sixth), classifier.classifier[:5](flat)),
    ):
        assert (wanted > 0).any()
        assert torch.allclose(got[:, :, 3, 3], wanted, atol=1e-4 * float(wanted.abs().max()))


def test_the_symmetric_network_begins_with_the_classifiers_features() -> None:
    classifier, network = lively(VGG16(norm=True)), lively(deconvnet(**SMALL, unpooling=True))
    started = load_pretrained(network, classifier.state_dict(), "deconvnet")
    x = torch.randn(1, 3, 224, 224)
    y = x
    for level in network.down:
        y = nn.functional.max_pool2d(level(y), 2)
    assert torch.allclose(y, classifier.features(x), atol=1e-4 * float(y.abs().max()))
    wanted = classifier.classifier[:5](classifier.features(x).flatten(1))
    assert torch.allclose(network.middle[:6](y)[:, :, 3, 3], wanted, atol=1e-4 * float(wanted.abs().max()))
    assert {name.partition(".")[0] for name in started.missing} == {"middle", "up", "score"}


def test_every_name_is_accounted_for() -> None:
    classifier, network = VGG16(norm=True), NETWORKS["fcn8s"](**SMALL, norm=True)
    started = load_pretrained(network, classifier.state_dict(), "fcn8s")
    own = [
        name for name in network.state_dict() if not (name.startswith("fc") and name.endswith("num_batches_tracked"))
    ]
    assert sorted([*started.matched, *(row.name for row in started.reshaped), *started.missing]) == sorted(own)
    assert started.left == ("classifier.6.weight", "classifier.6.bias")
    assert sorted(started.missing) == sorted(name for name in own if name.startswith(("score", "up")))
    assert started.source == "VGG16 with batch norm, by torchvision's names"
    rules = {row.name: row for row in started.reshaped}
    assert rules["fc6.0.weight"].old_shape == (16, 32 * 49)
    assert rules["fc6.0.weight"].new_shape == (16, 32, 7, 7)
    assert rules["pool3.0.1.running_mean"].source == "features.1.running_mean"


def test_scores_of_skips_begin_at_zero() -> None:
    network = NETWORKS["fcn8s"](**SMALL, norm=False)
    load_pretrained(network, VGG16().state_dict(), "fcn8s")
    assert not network.score4.weight.any()
    assert not network.score3.bias.any()


def test_features_alone_leave_fc6_and_fc7_as_they_were_made() -> None:
    network = NETWORKS["fcn32s"](**SMALL, norm=False)
    before = network.fc6[0].weight.clone()
    state = {key: tensor for key, tensor in VGG16().state_dict().items() if key.startswith("features.")}
    started = load_pretrained(network, state, "fcn32s")
    assert [name for name in started.missing if name.startswith("fc")] == [
        "fc6.0.weight",
        "fc6.0.bias",
        "fc7.0.weight",
        "fc7.0.bias",
    ]
    assert torch.equal(network.fc6[0].weight, before)


@pytest.mark.parametrize(
    ("weights", "body", "remedies"),
    [(False, True, ("vgg16_bn", "norm: false")), (True, False, ("vgg16", "norm: true"))],
)
def test_batch_norm_on_one_side_only_is_refused_with_the_way_out(
    weights: bool, body: bool, remedies: tuple[str, str]
) -> None:
    with pytest.raises(ModelError) as caught:
        load_pretrained(NETWORKS["fcn8s"](**SMALL, norm=body), VGG16(norm=weights).state_dict(), "fcn8s")
    assert all(remedy in str(caught.value) for remedy in remedies)


def test_the_symmetric_network_names_no_argument_that_it_lacks() -> None:
    with pytest.raises(ModelError, match=r"Give those of vgg16_bn\.$"):
        load_pretrained(deconvnet(**SMALL, unpooling=True), VGG16().state_dict(), "deconvnet")


@pytest.mark.parametrize("kind", ["fcn", "resnet_fcn", "deconvnet"])
def test_a_network_without_such_a_body_is_refused_by_its_kind(kind: str) -> None:
    with pytest.raises(ModelError, match=f"kind {kind}.* has no such body.*fcn32s, fcn16s, fcn8s"):
        load_pretrained(NETWORKS[kind](bands=3, classes=2, width=4), VGG16().state_dict(), kind)


def test_another_vgg_is_refused_by_its_number_of_convolutions() -> None:
    with pytest.raises(ModelError, match="have 16 convolutions in features, and VGG16 has 13"):
        load_pretrained(NETWORKS["fcn8s"](**SMALL, norm=False), vgg(19, width=4, hidden=16).state_dict(), "fcn8s")


def test_another_width_is_refused_with_both_shapes_and_leaves_the_network_as_it_was() -> None:
    network = NETWORKS["fcn8s"](**{**SMALL, "width": 8}, norm=False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = VGG16(hidden=32).state_dict()
    with pytest.raises(
        ModelError,
        match=r"features\.0\.weight makes pool3\.0\.0\.weight of shape \(4, 3, 3, 3\), "
        r"and the network's is \(8, 3, 3, 3\)",
    ):
        load_pretrained(network, {key: tensor for key, tensor in state.items() if key.startswith("features.")}, "fcn8s")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(("norm", "numbers"), [(False, 138_357_544), (True, 138_365_992)])
def test_the_published_files_names_and_shapes_fill_the_full_size_body(norm: bool, numbers: int) -> None:
    """The totals are the numbers of parameters that torchvision gives for its vgg16 and vgg16_bn."""
    with torch.device("meta"):
        classifier, network = VGG16(64, 4096, norm, classes=1000), NETWORKS["fcn8s"](bands=3, classes=21, norm=norm)
    assert sum(parameter.numel() for parameter in classifier.parameters()) == numbers
    state = classifier.state_dict()
    assert [key for key in state if key.endswith("weight") and state[key].ndim == 4] == [
        f"features.{k}.weight" for k in (NORMED if norm else PLAIN)
    ]
    started = load_pretrained(network, state, "fcn8s")
    rules = {row.name: row for row in started.reshaped}
    assert (rules["fc6.0.weight"].old_shape, rules["fc6.0.weight"].new_shape) == ((4096, 25088), (4096, 512, 7, 7))
    assert (rules["fc7.0.weight"].old_shape, rules["fc7.0.weight"].new_shape) == ((4096, 4096), (4096, 4096, 1, 1))
    assert all(name.startswith(("score", "up")) for name in started.missing)


@pytest.mark.parametrize(
    ("norm", "key"),
    [
        (False, "features.5.bias"),
        (True, "features.3.bias"),
        (True, "features.4.running_mean"),
        (True, "features.4.weight"),
        (False, "classifier.3.bias"),
    ],
)
def test_a_vgg_that_lacks_a_part_is_refused_by_it(norm: bool, key: str) -> None:
    state = VGG16(norm=norm).state_dict()
    del state[key]
    with pytest.raises(
        ModelError,
        match=key.replace(".", r"\.")
        if key != "features.4.weight"
        else r"they lack 1 of the tensors of its body, such as pool3\.0\.4",
    ):
        load_pretrained(NETWORKS["fcn8s"](**SMALL, norm=norm), state, "fcn8s")
