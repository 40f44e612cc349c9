"""One contract for every network of ours."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from torch import nn

from pipeline.config.load import load_config
from pipeline.inspect.locality.measure import measure_locality
from pipeline.interfaces import Radius
from pipeline.models.architectures import NETWORKS
from pipeline.models.loaded import Loaded
from pipeline.models.native import hyperparameters
from pipeline.models.weights import ModelMeta, save
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from tests import networks, scenes

BODY = {"width": 4, "fc_kernel": 3, "fc_width": 4}
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "fcn32s": ("fcn32s", BODY),
    "fcn16s": ("fcn16s", BODY),
    "fcn8s": ("fcn8s", BODY),
    "fcn": ("fcn", {"width": 4}),
    "fcn, output stride 2": ("fcn", {"width": 4, "output_stride": 2}),
    "fcn, output stride 4": ("fcn", {"width": 4, "output_stride": 4}),
    "deconvnet": ("deconvnet", {"width": 4}),
    "deconvnet, unpooling": ("deconvnet", {**BODY, "unpooling": True}),
    "resnet_fcn": ("resnet_fcn", {"width": 4}),
}
STRIDES = dict(zip(SMALL, (32, 32, 32, 1, 2, 4, 8, 32, 8), strict=True))


def network(name: str) -> nn.Module:
    kind, args = SMALL[name]
    torch.manual_seed(5)
    return networks.lively(NETWORKS[kind](bands=3, classes=4, **args))


def test_every_network_is_tested_here() -> None:
    assert {kind for kind, _ in SMALL.values()} == set(NETWORKS)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(64, 96), (75, 101), (33, 260)])
def test_logits_have_the_size_of_the_input_whatever_it_is(name: str, size: tuple[int, int]) -> None:
    net, x, stride = network(name), torch.randn(2, 3, *size), STRIDES[name]
    with torch.inference_mode():
        logits = net(x)
        grown = net(torch.nn.functional.pad(x, (0, -size[1] % stride, 0, -size[0] % stride)))
    assert logits.shape == (2, 4, *size)
    assert torch.allclose(logits, grown[:, :, : size[0], : size[1]], atol=1e-5), "padding inside and outside differ"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.nightly("networks", after=4)
@pytest.mark.parametrize("form", ["scripted", "exported"])
def test_scripted_or_exported_for_every_size_it_says_the_same(name: str, form: str) -> None:
    net = network(name)
    saved = torch.jit.script(net) if form == "scripted" else exported(net)
    for size in ((96, 160), (75, 101), (200, 67)):
        x = torch.randn(1, 3, *size)
        with torch.inference_mode():
            assert torch.allclose(saved(x), net(x), atol=1e-5)


def exported(net: nn.Module) -> nn.Module:
    dims = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(net, (torch.rand(1, 3, 96, 128),), dynamic_shapes=(dims,)).module()


@pytest.mark.slow
@pytest.mark.nightly("networks", after=4)
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("fcn32s", 144, 144),
        ("fcn16s", 152, 152),
        ("fcn8s", 156, 156),
        ("fcn", 4, 4),
        ("fcn, output stride 2", 7, 7),
        ("fcn, output stride 4", 9, 9),
        ("deconvnet", 23, 23),
        ("deconvnet, unpooling", 250, 250),
        ("resnet_fcn", 228, 220),
    ],
)
@pytest.mark.parametrize("kind", ["eager", "scripted"])
def test_stride_and_radius_are_those_of_its_layers(name: str, before: int, after: int, kind: str) -> None:
    """Follow what lies beyond a cut at 0 to the left (*after*), in cells of each stride.

    FCN: stages of 2, 2, 3, 3, 3 convolutions, each halved by a pool, rounding away: 2 → 1, 3 → 2, 5 → 3 (score3), 6 → 3
    (score4), 6 → 3; fc6 of 3×3 adds 1: 4. A bilinear kernel of 2f over a stride of f makes f·r + f/2 of r. 32s: 32·4 +
    16 = 144. 16s: 2·4 + 1 = 9, 16·9 + 8 = 152. 8s: 9, 19, 8·19 + 4 = 156. The skips reach less.

    Dense: four convolutions reach 4. At output stride 2 the second one strides: 1 → 1 → 2 → 3, and bilinear ×2 makes
    2·3 + 1 = 7. At 4 the third strides as well: 1 → 1 → 1 → 2, nearest ×2 4, bilinear ×2 9.

    Deconvolution: 2 → 1, 3 → 2, 4 → 2, then kernels of 4 over 2 make 2·r + 1: 5, 11, 23.
    With switches: 3 cells of stride 32 as above, fc6 and its mirror image of 3×3 make 5; each unpooling doubles, then
    3, 3, 3, 2, 2 convolutions: 13, 29, 61, 124, 250.

    ResNet: conv1 sees 2j ± 3, so −1 is the first cell that feels px 0 and 1 the last that feels px −1: 1 after, 2
    before. The pool sees 2j ± 1: 1 and 2. layer1 adds 3: 4 and 5. layer2 strides once, 2j ± 1: 2 and 3, and adds 3: 5
    and 6. layer3 dilates by 1, then five times by 2: 16 and 17. layer4 by 2, 4, 4: 26 and 27. The head adds 1: 27 and
    28. Bilinear ×8 makes 8·r + 4 of r: 220, 228.
    """
    net = network(name)
    found = measure_locality(Loaded(module=torch.jit.script(net) if kind == "scripted" else net, identity_fields={}), 3)
    assert (found.verdict, found.stride, found.blame) == ("local", STRIDES[name], ())
    assert found.radius == Radius(top=before, bottom=after, left=before, right=after)


def _balance(net: nn.Module, x: torch.Tensor) -> None:
    """Make every class win somewhere, and by as much."""
    score = net.get_submodule("classifier.4" if hasattr(net, "classifier") else "score")
    with torch.inference_mode():
        std, mean = torch.std_mean(net(x), (0, 2, 3))
    with torch.no_grad():
        score.weight.div_(std.clone()[:, None, None, None])
        score.bias.sub_(mean.clone()).div_(std.clone())


def _save(net: nn.Module, name: str, form: str, folder: Path) -> Path:
    kind, args = SMALL[name]
    if form == "ours":
        save(folder / "net.safetensors", net, ModelMeta(kind=kind, args={"bands": 3, "classes": 4, **args}))
        return folder / "net.safetensors"
    if form == "torchscript":
        return scenes.script(net, folder / "net.pt")
    return networks.export(
        net, folder / "net.pt2", (1, 3, 96, 128), {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    )


def _pixels(raster: Path) -> tuple[torch.Tensor, np.ndarray]:
    with rasterio.open(raster) as src:
        raw = src.read().astype("float32")
    valid = (raw != 0).any(0)
    return torch.from_numpy((raw - 500) / 200 * valid)[None], valid


TIE = 1e-5
"""Of the largest logit: two classes this near to each other tie.

Sums of float32 round as the processor orders them; 5.8e-6 was seen of a ResNet.
"""


def _whole(net: nn.Module, x: torch.Tensor, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of one pass over the whole raster, and where two classes tie to rounding."""
    with torch.inference_mode():
        logits = net(x)[0]
    top = logits.topk(2, 0).values
    return np.where(valid, logits.argmax(0).numpy(), 255), ((top[0] - top[1]) < TIE * logits.abs().max()).numpy()


NIGHTLY = pytest.mark.nightly("networks")
BY_DAY = ("fcn8s", "resnet_fcn")
"""One with skips and one with a backbone.

What other forms change is tested by the zoo and by `test_scripted_or_exported_for_every_size_it_says_the_same`.
"""
TILED = [
    pytest.param(name, form, size, marks=() if form == "ours" and name in BY_DAY else NIGHTLY)
    for form, size in (("ours", (261, 709)), ("torchscript", (1021, 517)), ("exported", (75, 1130)))
    for name in SMALL
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form", "size"), TILED)
def test_tiled_equals_whole(name: str, form: str, size: tuple[int, int], tmp_path: Path) -> None:
    net = network(name)
    x, valid = _pixels(scenes.scene(tmp_path / "scene.tif", *size))
    _balance(net, x)
    kind = SMALL[name][0] if form == "ours" else form
    model = {"kind": kind, "path": str(_save(net, name, form, tmp_path))}
    job = prepare_job(load_config(scenes.config(tmp_path, model=model, tile={"size": 608, "halo": "exact"})))
    with Progress() as progress:
        execute(job, progress)
    assert job.plan.tiles.halo is not None
    assert max(job.task.layout.shape) > 1
    mask, (expected, tie) = open_layer(job.path, 0, "mask")[:], _whole(net, x, valid)
    assert len(np.unique(expected)) > 3, "a mask of one class proves nothing"
    assert ((mask == expected) | (tie & (mask != 255) & (expected != 255))).all()


def test_hyperparameters_are_those_of_its_makers() -> None:
    assert hyperparameters("fcn8s") == ["bands", "classes", "width", "fc_kernel", "fc_width", "norm", "dropout"]
    assert hyperparameters("deconvnet") == list(inspect.signature(NETWORKS["deconvnet"]).parameters)


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("fcn", {"output_stride": 3}),
        ("resnet_fcn", {"depth": 18}),
        ("deconvnet", {"fc_kernel": 2}),
        ("fcn8s", {"dropout": 1}),
    ],
)
def test_impossible_hyperparameters_are_told(kind: str, args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(args))):
        NETWORKS[kind](bands=3, classes=4, **args)
