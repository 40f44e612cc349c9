from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.inspect.cache import cached
from pipeline.inspect.locality.measure import measure_locality
from pipeline.interfaces import Network, Radius
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.exported import load as load_exported
from pipeline.models.loaded import Loaded
from tests import networks

LOCAL = [
    (networks.Pixelwise, 1, (0, 0, 0, 0)),
    (networks.Twice, 1, (2, 2, 2, 2)),
    (networks.Dilated, 1, (6, 6, 6, 6)),
    (networks.Sideways, 1, (0, 1, 3, 0)),
    (networks.ByThree, 3, (0, 0, 0, 0)),
    (networks.Silent, 1, (3, 3, 3, 3)),
    (networks.Swallowing, 1, (1, 1, 1, 1)),
    (networks.Mirrored, 1, (40, 40, 40, 40)),
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
        return Loaded(module=network, identity_fields={"kind": "test"})
    if kind == "torchscript":
        return Loaded(module=torch.jit.script(network), identity_fields={"kind": "test"})
    dims = {2: 4 * torch.export.Dim("h", max=4096), 3: 4 * torch.export.Dim("w", max=4096)}
    return program(network, folder, (1, 3, 40, 48), dims)


def program(
    network: nn.Module, folder: Path, shape: tuple[int, ...], dims: dict[int, torch.export.Dim] | None = None
) -> Network:
    path = networks.export(network, folder / "network.pt2", shape, dims)
    return load_exported(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["eager", "torchscript"])
@pytest.mark.parametrize(("make", "stride", "radius"), LOCAL)
def test_stride_and_radius_are_those_worked_out_by_hand(
    make: type[nn.Module], stride: int, radius: tuple[int, ...], kind: str, tmp_path: Path
) -> None:
    found = measure_locality(load(make(), kind, tmp_path), 3)
    top, bottom, left, right = radius
    assert (found.verdict, found.stride, found.classes) == ("local", stride, 4)
    assert found.radius == Radius(top=top, bottom=bottom, left=left, right=right)


@pytest.mark.slow
@pytest.mark.nightly("networks", after=1)
@pytest.mark.parametrize("make", [networks.Twice, networks.Dilated, networks.Swallowing, networks.UNet])
def test_exported_networks_reach_as_far_and_keep_to_the_sizes_they_take(make: type[nn.Module], tmp_path: Path) -> None:
    network = networks.lively(make())
    found, eager = (
        measure_locality(load(network, "exported", tmp_path), 3),
        measure_locality(load(network, "eager", tmp_path), 3),
    )
    assert (found.verdict, found.stride, found.radius, found.classes) == (
        "local",
        eager.stride,
        eager.radius,
        eager.classes,
    )
    assert found.minimum % 4 == 0


def test_upsampling_outside_the_network_counts_in_stride_and_radius(tmp_path: Path) -> None:
    """Cell k of stride 4 sees px 4k−3 … 4k+3; px 4k−2 … 4k+5 are mixed from it.

    Beyond a cut at 4m: 4m−2 feels cell m, 4m+5 feels 4m−3.
    """
    found = measure_locality(load(networks.Strided(), "eager", tmp_path), 3)
    assert (found.verdict, found.stride) == ("local", 4)
    assert found.radius == Radius(top=6, bottom=2, left=6, right=2)


@pytest.mark.slow
def test_a_halo_of_the_radius_is_enough_for_a_unet_and_one_stride_less_is_not(tmp_path: Path) -> None:
    network = networks.lively(networks.UNet())
    found = measure_locality(load(network, "eager", tmp_path), 3)
    assert (found.verdict, found.stride, found.minimum) == ("local", 4, 4)
    assert found.radius is not None
    x, halo = torch.randn(1, 3, 64, 160), -(-found.radius.largest // 4) * 4

    def error(h: int) -> float:
        with torch.no_grad():
            return float((network(x[..., 80 - h : 88 + h])[..., h : h + 8] - network(x)[..., 80:88]).abs().max())

    assert error(halo) < 1e-5 < error(halo - 8)


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "radius"), [(2, 11 + 8), (4, 79)])
def test_a_unet_reaches_as_far_as_its_levels_add_up(depth: int, radius: int, tmp_path: Path) -> None:
    """Follow what lies beyond a cut at 0 to the left, in cells of each level.

    Two convolutions reach 2 cells further and a pool halves, rounding away: 2 → 1, 3 → 2, 4 → 2, 4 → 2, and at the
    bottom 4. On the way up each level doubles and adds 1: 4 → 9 → 19 → 39 → 79. With two levels: 2 → 1, 3 → 2, 4 → 9 →
    19.
    """
    found = measure_locality(load(networks.lively(networks.Depth(depth)), "eager", tmp_path), 3)
    assert (found.verdict, found.stride) == ("local", 2**depth)
    assert found.radius == Radius(top=radius, bottom=radius, left=radius, right=radius)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "radius"), [(3, 156), (7, 220)])
def test_fcn8s_has_stride_32_and_the_radius_of_its_layers(kernel: int, radius: int, tmp_path: Path) -> None:
    """Follow what lies beyond a cut at 0 to the left, in cells of each stride.

    Stages of 2, 2, 3, 3, 3 convolutions, each halved by a pool: 2 → 1, 3 → 2, 5 → 3 (score3), 6 → 3 (score4), 6 → 3.
    fc6 of 3×3 adds 1: 4. Doubling by a kernel of 4 adds 1: 9, then 19, and the last kernel of 16 over a stride of 8
    adds 4: 8·19 + 4 = 156. fc6 of 7×7 adds 3: 6 → 13 → 27 → 8·27 + 4 = 220. The skips reach less.
    """
    network = networks.lively(FCN8s(3, 4, width=4, fc_kernel=kernel, fc_width=4))
    found = measure_locality(load(network, "torchscript", tmp_path), 3)
    assert (found.verdict, found.stride, found.minimum) == ("local", 32, 32)
    assert found.radius == Radius(top=radius, bottom=radius, left=radius, right=radius)


@pytest.mark.slow
@pytest.mark.nightly("networks", after=3)
@pytest.mark.parametrize("kind", ["eager", "torchscript", "exported"])
@pytest.mark.parametrize(("make", "blame"), NOT_LOCAL)
def test_networks_that_look_everywhere_are_not_local_and_the_layer_is_named(
    make: type[nn.Module], blame: str, kind: str, tmp_path: Path
) -> None:
    found = measure_locality(load(make(), kind, tmp_path), 3)
    assert found.verdict == "not local"
    assert found.radius is None
    assert any(blame in said for said in found.blame), found.blame


@pytest.mark.parametrize("kind", ["eager", "torchscript"])
def test_a_branch_on_values_is_unproven(kind: str, tmp_path: Path) -> None:
    found = measure_locality(load(networks.Branching(), kind, tmp_path), 3)
    assert (found.verdict, found.radius) == ("unproven", Radius(top=1, bottom=1, left=1, right=1))
    assert "branch on values" in found.blame[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["eager", "torchscript", "exported"])
def test_sampling_where_pixels_say_is_unproven_and_has_no_halo_where_tiles_were_seen_to_differ(
    kind: str, tmp_path: Path
) -> None:
    found = measure_locality(load(networks.Warped(), kind, tmp_path), 3)
    assert (found.verdict, found.radius, found.blame) == ("unproven", None, ("grid_sample",))


def test_a_traced_network_that_computes_with_sizes_is_local(tmp_path: Path) -> None:
    traced = torch.jit.trace(networks.Coarse(4).eval(), torch.rand(1, 3, 64, 64))
    assert measure_locality(Loaded(module=traced, identity_fields={}), 3).verdict == "local"


def test_one_size_alone_proves_nothing_and_the_radius_is_told_where_it_fits(tmp_path: Path) -> None:
    found = measure_locality(program(networks.Dilated(), tmp_path, (1, 3, 64, 64)), 3)
    assert (found.verdict, found.stride, found.minimum) == ("unproven", 1, 64)
    assert found.radius == Radius(top=6, bottom=6, left=6, right=6)
    assert "fixed input size" in found.blame[-1]


@pytest.mark.slow
def test_one_size_that_the_radius_fills_is_unproven_and_has_no_radius(tmp_path: Path) -> None:
    found = measure_locality(program(networks.lively(networks.Depth(4)), tmp_path, (1, 3, 64, 64)), 3)
    assert (found.verdict, found.radius) == ("unproven", None)


@pytest.mark.slow
def test_one_size_does_not_excuse_layers_that_look_everywhere(tmp_path: Path) -> None:
    found = measure_locality(program(networks.GroupNormed(), tmp_path, (1, 3, 64, 64)), 3)
    assert (found.verdict, found.blame) == ("not local", ("body.1.0 (GroupNorm)",))


@pytest.mark.slow
@pytest.mark.parametrize(("largest", "verdict"), [(400, "local"), (100, "local"), (32, "unproven")])
def test_a_network_of_small_sizes_is_proven_as_long_as_a_tile_fits_into_them(
    largest: int, verdict: str, tmp_path: Path
) -> None:
    dims = {2: torch.export.Dim("h", min=16, max=largest), 3: torch.export.Dim("w", min=16, max=largest)}
    network = nn.Sequential(networks.conv(3, 4, dilation=8), nn.LeakyReLU(), networks.conv(4, 4, dilation=8))
    found = measure_locality(program(network, tmp_path, (1, 3, 24, 32), dims), 3)
    assert found.verdict == verdict
    if verdict == "local":
        assert found.radius == Radius(top=16, bottom=16, left=16, right=16)


@pytest.mark.slow
@pytest.mark.parametrize(("bands", "words"), [(5, "5 bands"), (3, "Tried were squares of 16, 32, .* model.input.size")])
def test_a_network_that_runs_on_nothing_is_refused(bands: int, words: str, tmp_path: Path) -> None:
    class Picky(networks.Twice):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape[2] > 10_000, "too small"
            return super().forward(x)

    with pytest.raises(ModelError, match=words):
        measure_locality(Loaded(module=Picky().eval(), identity_fields={}), bands)


@pytest.mark.slow
def test_what_was_measured_is_read_from_the_cache_for_the_same_network_only(tmp_path: Path) -> None:
    network = Loaded(module=networks.Twice().eval(), identity_fields={"sha256": "a"})
    first = cached(network, 3, tmp_path)
    other = Loaded(module=networks.Dilated().eval(), identity_fields={"sha256": "a"})
    assert cached(other, 3, tmp_path) == first
    renamed = Loaded(module=other.module, identity_fields={"sha256": "b"})
    assert cached(renamed, 3, tmp_path) != first
