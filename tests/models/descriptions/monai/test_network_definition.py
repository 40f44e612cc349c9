"""Networks of MONAI by plain arguments are known; for all else there is a reason why code would have to run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.models.descriptions.monai.network_definition import network_definition
from pipeline.models.descriptions.monai.references import BundleConfig
from tests.models.descriptions.monai.bundles import NETWORK

PLAIN = {**NETWORK, "out_channels": 2}


def defined(network: Any, **parts: Any) -> Any:
    return network_definition(BundleConfig({"network_def": network, **parts}, "inference.json"))


@pytest.mark.parametrize("target", ["UNet", "monai.networks.nets.UNet", "monai.networks.nets.unet.UNet"])
def test_a_network_of_monai_is_its_name_and_its_arguments(target: str) -> None:
    network = defined({**PLAIN, "_target_": target, "pretrained": True, "out_channels": "@n", "_desc_": "x"}, n=4)
    assert (network.obstacle, network.factory) == (None, "monai.networks.nets:UNet")
    expected = {"spatial_dims": 2, "in_channels": 3, "out_channels": 4, "channels": [4, 8], "pretrained": False}
    assert network.arguments == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"_target_": "os.system"}, "is os.system, which is no network of monai"),
        ({"_target_": "monai.networks.nets.hovernet.load_state_dict_from_url"}, "which is no network of monai"),
        ({"_target_": "monai.networks.nets.unet.UNet.__init__"}, "which is no network of monai"),
        ({"_target_": "monai.transforms.Lambda"}, "which is no network of monai"),
        ({"_target_": "scripts.net.UNet"}, "which is no network of monai"),
        ({"_target_": "resnet50"}, "which is no network of monai"),
        ({"_target_": "$@make"}, "which is no network of monai"),
        ({"channels": "$[2**k for k in range(3)]"}, r"network_def.channels is \$\[2\*\*k .*expression of Python"),
        ({"channels": "%net.json#channels"}, "network_def.channels is %net.json#channels, which is a part of another"),
        ({"act": {"_target_": "os.system", "command": "true"}}, "network_def.act is made by os.system"),
        ({"_requires_": "@initialize"}, "has _requires_, which changes"),
        ({"_mode_": "debug"}, "has _mode_, which changes"),
        ({"path_or_repo_id": "/tmp/evil"}, "which would be fetched or opened"),
        ({"pretrained_url": "https://example.org/x.pt"}, "which would be fetched or opened"),
    ],
)
def test_what_would_run_code_has_a_reason(changes: dict[str, Any], reason: str) -> None:
    obstacle = defined({**PLAIN, **changes}).obstacle
    assert re.search(reason, obstacle)


def test_another_part_that_is_made_by_a_class_defines_the_network_too() -> None:
    other = network_definition(BundleConfig({"network": "$@net.to(@device)", "net": PLAIN}, "inference.json"))
    assert other is not None
    assert (other.part, other.number("in_channels"), other.number("channels")) == ("net", 3, None)
    assert network_definition(BundleConfig({"network": "$make()"}, "inference.json")) is None
