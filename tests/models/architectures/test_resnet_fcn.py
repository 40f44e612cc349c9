"""Keys and arithmetic of torchvision's fcn_resnet50, which is written down here since it need not be installed."""

from pathlib import Path

import torch

from pipeline.config import ModelConfig
from pipeline.models import load
from pipeline.models.architectures.resnet_fcn import ResNetFCN


def keys(depths: tuple[int, ...]) -> list[str]:
    """Those of torchvision 0.20's state dict, from the names of its parts."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    found = ["backbone.conv1.weight", *(f"backbone.bn1.{name}" for name in norm)]
    for stage, depth in enumerate(depths, 1):
        for block in range(depth):
            here = f"backbone.layer{stage}.{block}"
            for k in (1, 2, 3):
                found += [f"{here}.conv{k}.weight", *(f"{here}.bn{k}.{name}" for name in norm)]
            if block == 0:
                found += [f"{here}.downsample.0.weight", *(f"{here}.downsample.1.{name}" for name in norm)]
    return [
        *found,
        "classifier.0.weight",
        *(f"classifier.1.{name}" for name in norm),
        "classifier.4.weight",
        "classifier.4.bias",
    ]


def test_keys_and_parameters_are_torchvisions() -> None:
    with torch.device("meta"):
        fifty, hundred = ResNetFCN(3, 21), ResNetFCN(3, 21, depth=101)
    assert sorted(fifty.state_dict()) == sorted(keys((3, 4, 6, 3)))
    assert sorted(hundred.state_dict()) == sorted(keys((3, 4, 23, 3)))
    auxiliary = 1024 * 256 * 9 + 2 * 256 + 257 * 21  # the totals are torchvision's own figures, with that head
    assert sum(p.numel() for p in fifty.parameters()) == 35_322_218 - auxiliary
    assert sum(p.numel() for p in hundred.parameters()) == 54_314_346 - auxiliary


def test_a_state_dict_with_an_auxiliary_head_loads_and_any_other_extra_is_refused(tmp_path: Path) -> None:
    net = ResNetFCN(3, 4, width=4)
    state = {**net.state_dict(), "aux_classifier.0.weight": torch.zeros(3), "aux_classifier.4.bias": torch.zeros(1)}
    torch.save(state, tmp_path / "net.pt")
    config = ModelConfig(kind="resnet_fcn", path=tmp_path / "net.pt", args={"classes": 4, "width": 4})
    loaded, x = load(config, 3, torch.device("cpu")), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(loaded(x), net.eval()(x), atol=1e-5)
    assert loaded.notes == ("not used: aux_classifier.0.weight, aux_classifier.4.bias",)
