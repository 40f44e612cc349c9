"""The verdict, the radius and the blame of every network of the zoo, in the forms that people save.

And whether the zoo is labelled right.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim

from pipeline.config import ModelConfig
from pipeline.inspect.locality.measure import measure_locality
from pipeline.interfaces import Network, Radius
from pipeline.models.exported import load as load_exported
from pipeline.models.loaded import Loaded
from tests import networks, zoo
from tests.networks import conv
from tests.zoo import Cells, Framed, UNet

ALL = ("eager", "scripted", "exported")
UNSCRIPTED = ("eager", "exported")
UNEXPORTED = ("eager", "scripted")
FORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "eager": lambda network: network,
    "scripted": torch.jit.script,
    "traced": lambda network: torch.jit.trace(network, torch.rand(1, 3, 48, 64), check_trace=False),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network and what is true of it."""

    make: Callable[[], nn.Module]
    verdict: str
    stride: int = 1
    radius: int | None = None
    """On all four sides, px; every network here is the same on each."""
    blame: tuple[str, ...] = ()
    forms: tuple[str, ...] = ALL


def local(make: Callable[[], nn.Module], stride: int, radius: int, forms: tuple[str, ...] = ALL) -> Row:
    return Row(make=make, verdict="local", stride=stride, radius=radius, forms=forms)


def seamed(make: Callable[[], nn.Module], *blame: str, stride: int = 1, forms: tuple[str, ...] = ALL) -> Row:
    return Row(make=make, verdict="not local", stride=stride, blame=blame, forms=forms)


def framed(part: Callable[..., nn.Module], *args: object) -> Callable[[], nn.Module]:
    return lambda: Framed(part(*args))


def cells(part: Callable[..., nn.Module], *args: object) -> Callable[[], nn.Module]:
    return lambda: Cells(part(*args))


def levels(what: str) -> tuple[str, ...]:
    """Every level of the U-Net, in the order they run."""
    return tuple(f"{level}.1 ({what})" for level in ("enc0", "enc1", "enc2", "dec1", "dec0"))


def straight() -> nn.Module:
    return nn.Sequential(conv(8, 8, stride=2), conv(8, 32), nn.PixelShuffle(2))


LOCAL = {
    # Cells that feel what lies beyond a cut, level by level: enc0 1, halved and rounded up 1, enc1 2, halved 1, enc2 2.
    # Transposed and nearest double: 4, dec1 5, doubled 10, dec0 11.
    "transposed U-Net": local(UNet, 4, 11),
    "nearest U-Net": local(lambda: UNet(up="nearest"), 4, 11),
    # Bilinear doubles and adds 1, as px 2k mixes cells k−1 and k: 2 → 5, dec1 6 → 13, dec0 14.
    "bilinear U-Net": local(lambda: UNet(up="bilinear"), 4, 14),
    # A pixel's own channels reach nowhere.
    "layer norm over channels": local(lambda: UNet(zoo.LayerNorm2d), 4, 11),
    "evaluated batch norm": local(framed(nn.BatchNorm2d, 8), 1, 1),
    # The body 1, and the widest branch 4.
    "dilated branches": local(framed(zoo.ImagePooling, False), 1, 5),
    # The body feels 1 px, which is in the first window beyond the cut; all of its 8 px look at it.
    "windows": local(framed(zoo.Windows), 8, 8),
    # The windows reach from −4 to 4, so that the px that feels the cut lies in the one that straddles it.
    "padded windows": local(framed(zoo.Windows, "padded"), 8, 4),
    # The body 1; its cell of 2 px changes what is left of it and where it is put back; 3×3 adds 1.
    "unpooling": local(framed(zoo.Unpooled), 2, 3, UNSCRIPTED),  # torch cannot script it, and tracing fixes its size
    "a lookup in a table": local(framed(zoo.Quantised), 1, 1),
    "a ReLU that swallows NaN": local(framed(zoo.Swallowing, "where"), 1, 2),
    "a threshold that hides from NaN and from usual pixels": local(framed(zoo.Swallowing, "dazzled"), 1, 2),
    "a layer that only NaN wakes": local(networks.Silent, 1, 3, UNEXPORTED),  # 1×1 beside 7×7
    "a clamp": local(framed(zoo.Swallowing, "clamp"), 1, 2),
    # The body 1 and 5×5 adds 2.
    "reflected": local(framed(zoo.Padded, "reflect"), 1, 3),
    "replicated": local(framed(zoo.Padded, "replicate"), 1, 3),
    # The body 1, so one cell of 2 px; 3×3 over cells makes it two: 4 px.
    "pixel shuffle": local(lambda: Framed(straight()), 2, 4),
    # The body 1; 7×7 at stride 4 spans 4k−3 … 4k+3, so the first cell beyond the cut feels it and the second, which
    # begins at px 1, does not.
    "kernel larger than stride": local(
        lambda: Framed(nn.Sequential(conv(8, 8, 7, stride=4), nn.Upsample(scale_factor=4.0))), 4, 4
    ),
}
NOT_LOCAL = {
    "instance norm": seamed(lambda: UNet(nn.InstanceNorm2d), *levels("InstanceNorm2d"), stride=4),
    "group norm": seamed(lambda: UNet(lambda n: nn.GroupNorm(2, n)), *levels("GroupNorm"), stride=4),
    "group norm of one": seamed(
        lambda: UNet(lambda n: nn.GroupNorm(1, n)), *levels("GroupNorm"), stride=4, forms=("eager",)
    ),
    "layer norm over all": seamed(
        lambda: UNet(lambda _: zoo.LayerNormOfAll()), *levels("layer norm over pixels"), stride=4
    ),
    "batch norm without statistics": seamed(
        lambda: UNet(lambda n: nn.BatchNorm2d(n, track_running_stats=False)),
        *levels("normalisation by the image's own statistics"),
        stride=4,
    ),
    "aligned U-Net": seamed(
        lambda: UNet(up="align_corners"), "up1.0 (align_corners)", "up0.0 (align_corners)", stride=4
    ),
    "standardised by hand": seamed(framed(zoo.StandardisedByHand), "middle (global pooling)"),
    "response norm": seamed(framed(zoo.ResponseNorm), "middle (a norm over pixels)"),
    "squeeze and excite": seamed(framed(zoo.Gate), "middle.pool (AdaptiveAvgPool2d)"),
    "image pooling": seamed(framed(zoo.ImagePooling, True), "middle.pool (AdaptiveAvgPool2d)"),
    "pyramid": seamed(framed(zoo.Pyramid), *(f"middle.pools.{k} (AdaptiveAvgPool2d)" for k in range(4))),
    "mean of the flattened": seamed(framed(zoo.Pooled, "flattened"), "middle (global pooling)"),
    "mean": seamed(framed(zoo.Pooled, "mean"), "middle (global pooling)"),
    "mean in two steps": seamed(framed(zoo.Pooled, "twice"), "middle (global pooling)"),
    "amax": seamed(framed(zoo.Pooled, "amax"), "middle (global pooling)"),
    "max of everything": seamed(framed(zoo.Pooled, "of everything"), "middle (global pooling)"),
    "mean of what swallows NaN": seamed(framed(zoo.Pooled, "swallowed"), "middle (global pooling)"),
    "max of what only dazzling pixels pass": seamed(framed(zoo.Pooled, "dazzled"), "middle (global pooling)"),
    "topk": seamed(framed(zoo.Pooled, "topk"), "middle (a choice among pixels)"),
    "sort": seamed(framed(zoo.Pooled, "sorted"), "middle (an order of pixels)"),
    "fused attention": seamed(cells(zoo.Asking, "fused"), "middle (attention)", stride=8),
    "attention by products": seamed(
        cells(zoo.Asking, "matmul"), "middle (a softmax over pixels)", "middle (a product over pixels)", stride=8
    ),
    "attention by einsum": seamed(
        cells(zoo.Asking, "einsum"), "middle (a softmax over pixels)", "middle (a product over pixels)", stride=8
    ),
    "several heads": seamed(cells(zoo.Heads), "middle.mix (MultiheadAttention)", stride=8),
    "rolled windows": seamed(framed(zoo.Windows, "rolled"), "middle (a roll from end to end)", stride=8),
    "arange": seamed(framed(zoo.Coordinates, "arange"), "middle (coordinates)"),
    # torch exports one size of it
    "linspace": seamed(framed(zoo.Coordinates, "linspace"), "middle (coordinates)", forms=UNEXPORTED),
    "meshgrid": seamed(framed(zoo.Coordinates, "meshgrid"), "middle (coordinates)"),
    "cumsum": seamed(framed(zoo.Coordinates, "cumsum"), "middle (a running sum)"),
    "a buffer cut to size": seamed(framed(zoo.Coordinates, "buffer"), "middle (a table of positions)"),
    "bilinear corners": seamed(framed(zoo.Resized, "bilinear"), "middle (align_corners)"),
    "bicubic corners": seamed(framed(zoo.Resized, "bicubic"), "middle (align_corners)"),
    "thumbnail": seamed(framed(zoo.Thumbnail), "middle (a resize to a fixed size)"),
    "Fourier": seamed(framed(zoo.Smooth), "middle (a Fourier transform)"),
    "circular": seamed(framed(zoo.Padded, "circular"), "middle (circular padding)"),
    "circular convolution": seamed(
        lambda: Framed(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")), "middle (circular padding)"
    ),
    "mirror": seamed(framed(zoo.Mirror), "middle (a mirror image)"),
    "divided by the size": seamed(framed(zoo.Scaled)),  # no operation on pixels is to blame
    "a branch on the maximum": seamed(
        framed(zoo.Bright), "middle (global pooling)", "middle (a branch on values)", forms=("eager",)
    ),
    # What is innocent stands beside what is not: one operation, one class, one name
    "innocent layer norm": seamed(
        lambda: Framed(nn.Sequential(zoo.LayerNorm2d(8), conv(8, 8), zoo.LayerNormOfAll())),
        "middle.2 (layer norm over pixels)",
    ),
    "innocent windows": seamed(
        lambda: Framed(nn.Sequential(zoo.WindowAttention(), nn.GroupNorm(2, 8))), "middle.1 (GroupNorm)", stride=8
    ),
}
UNPROVEN = {
    "a lookup where pixels say": Row(
        make=framed(zoo.Bowed), verdict="unproven", blame=("middle (a lookup where pixels say)",)
    ),
    "grid_sample": Row(make=networks.Warped, verdict="unproven", blame=("grid_sample",)),
    "a branch on values": Row(
        make=networks.Branching, verdict="unproven", blame=("a branch on values",), forms=UNEXPORTED
    ),
}
ZOO = LOCAL | NOT_LOCAL | UNPROVEN


def made(row: Row) -> nn.Module:
    torch.manual_seed(5)
    network = row.make()
    return (
        networks.lively(network)
        if any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
        else network.eval()
    )


def saved(row: Row, form: str, folder: Path) -> Network:
    network = made(row)
    if form == "exported":
        rows, cols = Dim("rows", min=8, max=8192), Dim("cols", min=8, max=8192)
        dims = {2: row.stride * rows, 3: row.stride * cols} if row.stride > 1 else {2: rows, 3: cols}
        path = networks.export(network, folder / "net.pt2", (1, 3, 12 * row.stride, 10 * row.stride), dims)
        return load_exported(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of what it freezes, which is as meant here
        return Loaded(module=FORMS[form](network), identity_fields={})


def rule(name: str) -> object:
    """What decides of a network: the first operation to blame, or its verdict and stride."""
    row = ZOO[name]
    return tuple(re.findall(r"\(.*", blamed)[0] if "(" in blamed else blamed for blamed in row.blame[:1]) or (
        row.verdict,
        row.stride,
    )


def by_day(cases: Iterable[tuple[tuple[str, ...], object]]) -> list[Any]:
    """Parameters, each with the sort of its network: the first of a sort runs by day, the others at night."""
    first: dict[object, tuple[str, ...]] = {}
    return [
        pytest.param(*values, marks=() if first.setdefault(sort, values) == values else pytest.mark.nightly("networks"))
        for values, sort in cases
    ]


def forms_of(name: str) -> Iterator[tuple[tuple[str, str], object]]:
    """A network scripted and exported: by day once per verdict and stride, and once per verdict."""
    row = ZOO[name]
    for form in row.forms:
        if form != "eager":
            yield (name, form), (form, row.verdict, row.stride if form == "scripted" else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    by_day(
        ((name,), (row.verdict, row.stride, len(row.blame) > 1)) for name, row in ZOO.items() if "eager" in row.forms
    ),
)
def test_the_verdict_the_radius_and_the_blame_are_right(name: str, tmp_path: Path) -> None:
    judged_right(name, "eager", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), by_day(case for name in ZOO for case in forms_of(name)))
def test_the_verdict_the_radius_and_the_blame_of_a_saved_network_are_right(
    name: str, form: str, tmp_path: Path
) -> None:
    judged_right(name, form, tmp_path)


def judged_right(name: str, form: str, tmp_path: Path) -> None:
    row = ZOO[name]
    found = measure_locality(saved(row, form, tmp_path), 3)
    assert (found.verdict, found.blame) == (row.verdict, row.blame)
    assert found.stride == row.stride
    if row.verdict == "local":
        assert row.radius is not None
        assert found.radius == Radius(top=row.radius, bottom=row.radius, left=row.radius, right=row.radius)


def spans(size: int, core: int, halo: int) -> Iterator[tuple[int, int, int, int]]:
    """Cores of an axis, and the tiles around them, clipped at its ends."""
    for start in range(0, size, core):
        stop = min(start + core, size)
        yield start, stop, max(start - halo, 0), min(stop + halo, size)


def error(network: nn.Module, x: torch.Tensor, core: int, halo: int) -> float:
    """Largest difference between cores laid side by side and the whole, relative to its largest logit."""
    whole, worst = network(x), 0.0
    for top, bottom, above, below in spans(x.shape[2], core, halo):
        for left, right, before, behind in spans(x.shape[3], core, halo):
            tile = network(x[..., above:below, before:behind])[
                ..., top - above : bottom - above, left - before : right - before
            ]
            worst = max(worst, float((tile - whole[..., top:bottom, left:right]).abs().max()))
    return worst / float(whole.abs().max())


@pytest.mark.parametrize("size", [(151, 173), (203, 131)])
@pytest.mark.parametrize("name", LOCAL | NOT_LOCAL)
def test_the_zoo_is_labelled_right(name: str, size: tuple[int, int]) -> None:
    """Nothing of ours measures here.

    Tiles are cut, run and laid side by side, each with as much halo as the radius, or with 32 px.
    """
    row = ZOO[name]
    unit, network = row.stride, made(row)
    rows, cols = ((side // unit - 1 + side // unit % 2) * unit for side in size)
    halo = -(-(32 if row.radius is None else row.radius) // unit) * unit
    x = torch.randn(1, 3, rows, cols, generator=torch.Generator().manual_seed(rows))
    x += torch.linspace(-2, 2, cols)  # an image that is the same all over hides what looks for its mean
    x[0, :, rows // 2, cols // 2] = 400.0  # and what looks for the brightest shall find it
    with torch.inference_mode():
        found = error(network, x, -(-48 // unit) * unit, halo)
    assert (found < 1e-5) if row.verdict == "local" else (found > 1e-4), found


@pytest.mark.slow
@pytest.mark.nightly("networks", after=1)
@pytest.mark.parametrize("form", UNEXPORTED)
def test_windows_that_are_rolled_and_masked_are_not_called_local(form: str, tmp_path: Path) -> None:
    """Swin's own way.

    Its mask takes 100 off, which usual pixels never overrule; NaN and large values do, and look from one end to the
    other.
    """
    found = measure_locality(
        saved(Row(make=framed(zoo.Windows, "masked"), verdict="not local", stride=8), form, tmp_path), 3
    )
    assert (found.verdict, found.radius, found.blame) == ("not local", None, ("middle (a roll from end to end)",))


def test_a_branch_that_tracing_froze_is_none(tmp_path: Path) -> None:
    found = measure_locality(saved(Row(make=framed(zoo.Bright), verdict="local"), "traced", tmp_path), 3)
    assert (found.verdict, found.radius) == ("local", Radius(top=1, bottom=1, left=1, right=1))


def test_one_size_does_not_make_windows_guilty(tmp_path: Path) -> None:
    path = networks.export(Framed(zoo.WindowAttention()).eval(), tmp_path / "net.pt2", (1, 3, 64, 64))
    found = measure_locality(load_exported(ModelConfig(kind="exported", path=path), 3, torch.device("cpu")), 3)
    assert (found.verdict, found.blame) == (
        "unproven",
        ("a fixed input size, which leaves no larger image to compare with",),
    )
