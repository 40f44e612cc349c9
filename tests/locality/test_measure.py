import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.locality import measure
from pipeline.locality.cache import cached
from pipeline.models.exported import load as load_exported
from pipeline.models.fcn8s import FCN8s
from pipeline.models.loaded import Loaded
from pipeline.protocols import Locality, Network, Radius
from tests import networks

LOCAL = [
    (networks.Pixelwise, 1, (0, 0, 0, 0)),
    (networks.Twice, 1, (2, 2, 2, 2)),
    (networks.Dilated, 1, (6, 6, 6, 6)),
    (networks.Sideways, 1, (0, 1, 3, 0)),
    (networks.ByThree, 3, (0, 0, 0, 0)),
    (networks.Silent, 1, (3, 3, 3, 3)),
    (networks.Swallowing, 1, (1, 1, 1, 1)),
]
NOT_LOCAL = [
    (networks.InstanceNormed, "InstanceNorm"),
    (networks.SqueezeExcite, "global pooling"),
    (networks.Adaptive, "daptive"),
    (networks.CornersAligned, "align_corners"),
    (networks.Coordinates, "coordinates"),
]


def load(network: nn.Module, kind: str, folder: Path) -> Network:
    network = network.eval()
    if kind == "eager":
        return Loaded(module=network, said={"kind": "test"})
    if kind == "torchscript":
        return Loaded(module=torch.jit.script(network), said={"kind": "test"})
    dims = {2: torch.export.Dim("h", min=8), 3: torch.export.Dim("w", min=8)}
    path = folder / "network.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network, (torch.rand(1, 3, 40, 48),), dynamic_shapes=(dims,)), path)
    return load_exported(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))


@pytest.mark.parametrize("kind", ["eager", "torchscript"])
@pytest.mark.parametrize(("make", "stride", "radius"), LOCAL)
def test_stride_and_radius_are_those_worked_out_by_hand(make: type[nn.Module], stride: int, radius: tuple[int, ...], kind: str, tmp_path: Path) -> None:
    found = measure(load(make(), kind, tmp_path), 3)
    top, bottom, left, right = radius
    assert (found.verdict, found.stride, found.classes) == ("local", stride, 4)
    assert found.radius == Radius(top=top, bottom=bottom, left=left, right=right)


@pytest.mark.parametrize("make", [networks.Twice, networks.Dilated])
def test_exported_networks_measure_alike(make: type[nn.Module], tmp_path: Path) -> None:
    found = measure(load(make(), "exported", tmp_path), 3)
    assert found == Locality(**{**_fields(measure(load(make(), "eager", tmp_path), 3)), "minimum": found.minimum})


def _fields(found: Locality) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def test_upsampling_outside_the_network_counts_in_stride_and_radius(tmp_path: Path) -> None:
    """Cell k of stride 4 sees px 4k−3 … 4k+3; px 4k−2 … 4k+5 are mixed from it. Beyond a cut at 4m: 4m−2 feels cell m, 4m+5 feels 4m−3."""
    found = measure(load(networks.Strided(), "eager", tmp_path), 3)
    assert (found.verdict, found.stride) == ("local", 4)
    assert found.radius == Radius(top=6, bottom=2, left=6, right=2)


def test_a_halo_of_the_radius_is_enough_for_a_unet_and_one_stride_less_is_not(tmp_path: Path) -> None:
    network = networks.lively(networks.UNet())
    found = measure(load(network, "eager", tmp_path), 3)
    assert (found.verdict, found.stride, found.minimum) == ("local", 4, 4)
    assert found.radius is not None
    x, halo = torch.randn(1, 3, 64, 160), -(-found.radius.largest // 4) * 4

    def error(h: int) -> float:
        with torch.no_grad():
            return float((network(x[..., 80 - h : 88 + h])[..., h : h + 8] - network(x)[..., 80:88]).abs().max())

    assert error(halo) < 1e-5 < error(halo - 8)


@pytest.mark.slow
def test_fcn8s_has_stride_32_and_the_radius_of_its_layers(tmp_path: Path) -> None:
    """Beyond an aligned cut, worked from the output back in cells of each stride.

    up8 mixes 1 cell of 8, up4 and up2 each 1 cell of 16 and 32, fc6 (3×3) 1 cell of 32; pool5's three convolutions reach 3 of 16,
    pool4's 3 of 8, pool3's 3 of 4, then 2 of 2 and 2 of 1. The pools align, so the reaches add up along the deepest way.
    """
    network = networks.lively(FCN8s(3, 4, width=4, fc_kernel=3, fc_width=4))
    found = measure(load(network, "torchscript", tmp_path), 3)
    deepest = 32 + 32 + 3 * 16 + 3 * 8 + 3 * 4 + 2 * 2 + 2 * 1
    assert (found.verdict, found.stride, found.minimum) == ("local", 32, 32)
    assert found.radius is not None
    assert deepest <= found.radius.largest <= deepest + 8 + 16


@pytest.mark.parametrize("kind", ["eager", "torchscript"])
@pytest.mark.parametrize(("make", "blame"), NOT_LOCAL)
def test_networks_that_look_everywhere_are_not_local_and_the_layer_is_named(make: type[nn.Module], blame: str, kind: str, tmp_path: Path) -> None:
    found = measure(load(make(), kind, tmp_path), 3)
    assert found.verdict == "not local"
    assert found.radius is None
    assert any(blame in said for said in found.blame), found.blame


def test_a_branch_on_values_is_unproven(tmp_path: Path) -> None:
    found = measure(load(networks.Branching(), "eager", tmp_path), 3)
    assert (found.verdict, found.radius) == ("unproven", Radius(top=1, bottom=1, left=1, right=1))
    assert "branch on values" in found.blame[0]


def test_what_was_measured_is_read_from_the_cache_for_the_same_network_only(tmp_path: Path) -> None:
    network = Loaded(module=networks.Twice().eval(), said={"sha256": "a"})
    first = cached(network, 3, tmp_path)
    other = Loaded(module=networks.Dilated().eval(), said={"sha256": "a"})
    assert cached(other, 3, tmp_path) == first
    renamed = Loaded(module=other.module, said={"sha256": "b"})
    assert cached(renamed, 3, tmp_path) != first
