"""One window through the network: what it shows is what a run writes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError, PlanError
from pipeline.geometry.window import Window
from pipeline.models.loaded import Loaded
from pipeline.planning.load_network import load_network
from pipeline.preview import preview as composed
from pipeline.preview.one_pass import Extent, choose_extent, infer_window, read_pixels
from pipeline.preview.preview import PreviewRequest, make_preview, with_shown_layers
from tests import networks, scenes

WINDOW = Window(row=100, col=130, height=128, width=160)
"""Holds a part of the hole of nodata, and begins off the stride."""


def shown(path: Path, window: Window = WINDOW, context: int = 32) -> dict[str, np.ndarray]:
    """The layers of a window as a preview makes them."""
    loaded = load_network(with_shown_layers(load_config(path)))
    recipe, _ = loaded.recipe(loaded.config)
    return infer_window(loaded, recipe, read_pixels(loaded, window, Extent(side=128, context=context)))


def test_the_mask_of_a_window_is_that_of_the_whole_raster(tmp_path: Path) -> None:
    made = shown(scenes.config(tmp_path))
    assert (made["mask"] == scenes.whole(tmp_path)[WINDOW.slices]).all()
    assert set(np.unique(made["mask"])) > {255}
    assert (made["confidence"][made["mask"] == 255] == 0).all()


def test_without_context_labels_at_the_windows_edges_differ(tmp_path: Path) -> None:
    """Else the test above would hold whatever is read around a window."""
    assert (shown(scenes.config(tmp_path), context=0)["mask"] != scenes.whole(tmp_path)[WINDOW.slices]).any()


@pytest.mark.slow
def test_least_confidence_thresholds_and_turned_tiles_are_those_of_a_run(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, tile={"augment": "flips"}, output={"min_confidence": 0.5})
    from pipeline.store.lifecycle import open_layer
    from tests import runs

    runs.go(path, "output.layers=[mask, confidence]")
    made = shown(path)
    for name in ("mask", "confidence"):
        assert (made[name] == np.asarray(open_layer(tmp_path / "job.zarr", 0, name)[WINDOW.slices])).all()
    assert (made["mask"][made["confidence"] < 127] == 255).all()


def test_an_unpadded_network_gets_the_context_that_it_leaves_off(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.Conv2d(6, 4, 5)).eval()
    path = scenes.config(tmp_path, model={"path": str(scenes.script(net, tmp_path / "valid.pt"))})
    loaded = load_network(with_shown_layers(load_config(path)))
    extent = choose_extent(loaded, 64, 4)
    assert extent.context >= 4
    raw = scenes.read(tmp_path / "scene.tif")
    x = torch.from_numpy((raw - 500) / 200 * (raw != 0).any(0))[None]
    with torch.no_grad():
        expected = net(x)[0].argmax(0).numpy()
    window = Window(row=20, col=40, height=64, width=64)
    recipe, _ = loaded.recipe(loaded.config)
    made = infer_window(loaded, recipe, read_pixels(loaded, window, extent))
    assert (made["mask"] == expected[16:80, 36:100]).all()
    corner = Window(row=0, col=0, height=64, width=64)
    made = infer_window(loaded, recipe, read_pixels(loaded, corner, extent))
    assert (made["mask"][:4] == 255).all()
    assert (made["mask"][4:, 4:] == expected[:60, :60]).all()


def test_a_network_of_one_size_sees_that_size(tmp_path: Path) -> None:
    traced = torch.jit.trace(Fixed().eval(), torch.zeros(1, 3, 96, 96))
    traced.save(str(tmp_path / "fixed.pt"))
    path = scenes.config(tmp_path, model={"path": str(tmp_path / "fixed.pt")})
    loaded = load_network(load_config(path))
    extent = choose_extent(loaded, None, 4)
    assert (extent.side, extent.context) == (96, 0)
    read = read_pixels(loaded, Window(row=7, col=9, height=96, width=96), extent)
    assert (read.frame.height, read.frame.width) == (96, 96)
    with pytest.raises(ModelError, match=r"--size is 200 px, but the network takes images of at most 96 px"):
        choose_extent(loaded, 200, 4)


class Fixed(nn.Module):
    """Takes 96 px only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 1)
        self.register_buffer("ramp", torch.zeros(1, 4, 96, 96))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) + self.ramp


def test_less_memory_means_less_context_then_a_smaller_window_then_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.planning.load_network.cached_only", lambda *args, **more: None)
    loaded = load_network(load_config(scenes.config(tmp_path)))
    limit = {"px": 10**9}
    monkeypatch.setattr(type(loaded.room), "fits", lambda room, network, x, buffers: x[0, 0].numel() <= limit["px"])
    assert choose_extent(loaded, None, 4) == Extent(side=420, context=256)
    limit["px"] = 400**2
    assert choose_extent(loaded, 128, 4) == Extent(side=128, context=64)
    limit["px"] = 150**2
    assert choose_extent(loaded, None, 4).side < 420
    with pytest.raises(PlanError, match=r"a window of 400 px does not fit .* smaller --size, or raise"):
        choose_extent(loaded, 400, 4)
    limit["px"] = 1
    with pytest.raises(PlanError, match=r"does not fit what execution.memory"):
        choose_extent(loaded, None, 4)


@pytest.mark.slow
def test_what_an_earlier_plan_measured_gives_the_context(tmp_path: Path) -> None:
    from pipeline.planning.prepare import prepare_job

    path = scenes.config(tmp_path, model={"path": str(scenes.script(networks.Dilated(), tmp_path / "dilated.pt"))})
    assert not load_network(load_config(path)).measured
    prepare_job(load_config(path))
    loaded = load_network(load_config(path))
    assert loaded.measured
    assert choose_extent(loaded, 64, 4) == Extent(side=64, context=6)


def invoke(*args: object) -> Result:
    return CliRunner().invoke(app, ["preview", *map(str, args)])


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_command_writes_pictures_and_a_page_that_asks_for_nothing(tmp_path: Path) -> None:
    markup = "<script>alert(1)</script>"
    scenes.scene(tmp_path / "a&b <i>.tif")
    classes = [{**row, "name": f"{row['name']}{markup}"} for row in scenes.CLASSES]
    path = scenes.config(tmp_path, source={"path": str(tmp_path / "a&b <i>.tif")}, model={"classes": classes})
    done = invoke(path, "--pixel", "150,200", "--size", 128)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "job.preview"
    assert sorted(file.name for file in folder.iterdir()) == ["confidence.png", "image.png", "mask.png", "preview.html"]
    assert Image.open(folder / "mask.png").size == (256, 256)
    assert str(folder / "preview.html") in done.output
    page, text = Page(folder / "preview.html"), (folder / "preview.html").read_text()
    assert not page.all("script")
    assert not page.all("i")
    assert not page.all("link")
    assert "a&b <i>.tif" in "".join(page.words)
    assert f"a{markup}" in "".join(page.words)
    policy = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    images = page.all("img")
    assert len(images) == 3
    assert all(image["src"].startswith("data:image/png;base64,") and image["alt"] for image in images)
    assert page.all("html") == [{"lang": "en"}]
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"https?://", text)
    for words in ("rows 86–213", "around row 150, column 200", "percentiles", "mean confidence"):
        assert words in text
    colours = {tuple(int(row["color"][k : k + 2], 16) for k in (1, 3, 5)) for row in scenes.CLASSES}
    drawn = {tuple(rgb) for rgb in np.asarray(Image.open(folder / "mask.png")).reshape(-1, 3)}
    assert drawn & colours
    assert drawn - colours == {(214, 214, 214), (246, 246, 246)}


@pytest.mark.slow
def test_a_sweep_loads_network_and_pixels_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"load": 0, "read": 0}
    for name, function in (("load_network", composed.load_network), ("read_pixels", composed.read_pixels)):

        def counted(*args: Any, name: str = name, function: Any = function) -> Any:
            counts[name.partition("_")[0]] += 1
            return function(*args)

        monkeypatch.setattr(composed, name, counted)
    path = scenes.config(tmp_path)
    out = tmp_path / "out"
    done = invoke(path, "--pixel", "60,60", "--size", 64, "--out", out, "--sweep", "input.mean=500,[500,300,700],800")
    assert done.exit_code == 0, done.output
    assert counts == {"load": 1, "read": 1}
    page = Page(out / "preview.html")
    figures = [image["src"] for image in page.all("img")]
    assert len(figures) == 6
    mask = figures[1]
    assert figures[3] == mask  # its own value, once more
    assert len({*figures[3:]}) == 3
    assert "input.mean [500, 300, 700]" in "".join(page.words)
    sheet = Image.open(out / "contact.png")
    assert sheet.size[0] > 3 * 256
    colours = {tuple(rgb) for rgb in np.asarray(sheet).reshape(-1, 3)}
    assert (0x1B, 0x9E, 0x77) in colours


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--at", "0,0"), "x from 500000 to 504200 and y from 4597000 to 4600000, in units of EPSG:32633"),
        (("--pixel", "300,0"), "a row from 0 to 299"),
        (("--pixel", "1.5,0"), "no whole numbers"),
        (("--at", "north"), "not two numbers"),
        (("--at", "1,nan"), "not two numbers"),
        (("--at", "500100,4599900", "--pixel", "1,1"), "Give one of them"),
        (("--sweep", "tile.size=1,2"), "names no key that can be swept"),
        (("--sweep", "input.scale=[1"), "no YAML"),
        (("--sweep", "input.std=0,1"), "contains 0"),
    ],
)
def test_mistakes_are_told_in_a_paragraph(tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    model = {"path": str(scenes.script(networks.Pixelwise(), tmp_path / "a.pt"))}
    done = invoke(scenes.config(tmp_path, model=model), *args)
    assert isinstance(done.exception, ConfigError)
    assert done.exception.exit_code == 2
    assert words in str(done.exception)


def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    model = {"path": str(scenes.script(networks.Pixelwise(), tmp_path / "a.pt"))}
    config = load_config(scenes.config(tmp_path, model=model))
    (tmp_path / "image.png").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"image.png is no file of a preview"):
        make_preview(config, PreviewRequest(folder=tmp_path))
    assert (tmp_path / "image.png").read_bytes() == b"mine"
    for _ in range(2):
        make_preview(config, PreviewRequest(folder=tmp_path / "new", pixel=(5, 5), side=32))


def test_numbers_without_classes_are_shown_as_values(tmp_path: Path) -> None:
    path = scenes.config(
        tmp_path,
        model={
            "path": str(scenes.script(networks.Pixelwise(3, 2), tmp_path / "a.pt")),
            "channels": ["<b>height", "mass"],
        },
        output={"layers": ["values"]},
    )
    text = re.sub(r"  classes:\n(- .*\n(  .*\n)*|  - .*\n(    .*\n)*)*", "", path.read_text())
    path.write_text(text)
    made = make_preview(load_config(path), PreviewRequest(folder=tmp_path / "out", pixel=(9, 9), side=64))
    assert [file.name for file in made.files] == ["image.png", "values.png", "preview.html"]
    assert "&lt;b&gt;height" in (tmp_path / "out" / "preview.html").read_text()


def test_a_window_that_the_normalisation_does_not_fit_is_warned_of(tmp_path: Path) -> None:
    model = {"path": str(scenes.script(networks.Pixelwise(), tmp_path / "a.pt")), "input": {"mean": 0.5, "std": 0.2}}
    config = load_config(scenes.config(tmp_path, model=model))
    made = make_preview(config, PreviewRequest(folder=tmp_path / "out", pixel=(9, 9), side=64))
    assert "set model.input.scale too" in made.warnings[0]
    made = make_preview(config, PreviewRequest(folder=tmp_path / "out", pixel=(165, 170), side=20))
    assert made.warnings == (
        "no pixel of the window is valid: choose another window by --at or --pixel, or look at source.nodata",
    )


def test_neither_radius_nor_memory_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise AssertionError("measured")

    for place in (
        "pipeline.inspect.locality.measure.measure_locality",
        "pipeline.inspect.locality.receptive_field.radius",
        "pipeline.inspect.memory.activation_memory.measure_activation_memory",
    ):
        monkeypatch.setattr(place, refuse)
    passes = []
    run = Loaded.__call__
    monkeypatch.setattr(Loaded, "__call__", lambda net, x: passes.append(x.shape) or run(net, x))
    path = scenes.config(tmp_path, model={"path": str(scenes.script(networks.Twice(), tmp_path / "twice.pt"))})
    make_preview(load_config(path), PreviewRequest(folder=tmp_path / "out", pixel=(100, 100), side=64))
    assert [shape for shape in passes if shape[2] == shape[3] > 384] == [], "one window with its context"
