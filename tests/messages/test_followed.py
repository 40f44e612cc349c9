"""Messages are provoked, what they propose is taken out of their text and typed, and the command succeeds."""

from __future__ import annotations

import re
import shlex
import signal
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
import zarr
from affine import Affine
from onnx import TensorProto, helper
from torch import nn
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import LabelsConfig, SourceConfig
from pipeline.geometry.window import Window
from pipeline.quality.labels import from_config
from pipeline.sources import open_source
from pipeline.store.spec import ClassRow
from tests import scenes

SIDE = 96
CLASSES = [{"name": name, "color": "#123456"} for name in ("water", "mixed wood")]


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    text: str

    def proposed(self, pattern: str) -> str:
        """What its text proposes, by a pattern with one group."""
        found = re.search(pattern, self.text)
        assert found is not None, self.text
        return found[1]


def typed(*words: object) -> Answer:
    """A command in this process, whose signals it leaves as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    done = CliRunner().invoke(app, [str(word) for word in words])
    for number, handler in before.items():
        signal.signal(number, handler)
    code = getattr(done.exception, "exit_code", done.exit_code)
    return Answer(code=code, text=f"{done.output} {done.exception or ''}")


def follows(command: str) -> Answer:
    """A command as a message writes it, with all that a shell does to it."""
    name, *words = shlex.split(command)
    assert name == "wholecloth"
    done = typed(*words)
    assert done.code == 0, done.text
    return done


class Net(nn.Module):
    """A 3×3 convolution whose answer comes in one of several forms."""

    def __init__(self, bands: int = 3, form: str = "tensor") -> None:
        super().__init__()
        self.conv, self.form = nn.Conv2d(bands, 2, 3, padding=1), form

    def forward(self, x: torch.Tensor) -> Any:
        y = self.conv(x)
        if self.form == "two":
            return {"side": y * 2, "main": y}
        return torch.exp(y) / torch.exp(y).sum(1, keepdim=True) if self.form == "between" else y


def job(
    folder: Path, raster: Path | None = None, bands: int = 3, form: str = "tensor", **sections: dict[str, Any]
) -> Path:
    """A config of a small raster and a small network."""
    torch.manual_seed(bands)
    network = folder / "network.pt"
    torch.jit.trace(Net(bands, form).eval(), torch.zeros(1, bands, 32, 32), strict=False).save(str(network))  # type: ignore[no-untyped-call]
    raster = raster or scenes.write(folder / "scene.tif", scenes.position(SIDE, SIDE, bands))
    said: dict[str, Any] = {
        "source": {"path": str(raster)},
        "model": {"kind": "torchscript", "path": str(network), "classes": CLASSES, "input": {"mean": 500, "std": 300}},
        "output": {"path": str(folder / "out.zarr"), "chunk": 32},
        "execution": {"device": "cpu", "engine": "serial"},
    }
    path = folder / "job.yaml"
    path.write_text(
        yaml.safe_dump({key: {**said.get(key, {}), **sections.get(key, {})} for key in said.keys() | sections.keys()})
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Whose name a shell would cut in two."""
    (tmp_path / "my data").mkdir()
    return tmp_path / "my data"


def refused(*words: object, code: int = 2) -> Answer:
    done = typed(*words)
    assert done.code == code, done.text
    return done


def passes(*words: object) -> Answer:
    done = typed(*words)
    assert done.code == 0, done.text
    return done


@pytest.mark.slow
def test_a_subdataset_is_read_by_the_name_that_is_proposed(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(folder / "group.zarr", mode="w", zarr_format=2)
        for name in ("first", "second"):
            group.create_array(name, data=scenes.position(SIDE, SIDE), chunks=(3, 32, 32))
    path = job(folder, folder / "group.zarr")
    name = refused("plan", path).proposed(r"subdatasets: (ZARR:.*?), ZARR:")
    passes("plan", path, "--set", f"source.path={name}")


def test_a_page_is_read_by_what_is_proposed(folder: Path) -> None:
    first, second = scenes.position(SIDE, SIDE), 500 - scenes.position(SIDE, SIDE) % 400
    raster = scenes.write(folder / "pages.tif", first)
    scenes.write(raster, second, append_subdataset="YES")
    path = job(folder, raster)
    select = passes("plan", path).proposed(r"source\.select: (\{page: 1\}) reads the next")
    passes("plan", path, "--set", f"source.select={select}")
    window = Window(row=0, col=0, height=SIDE, width=SIDE)
    chosen = SourceConfig(path=str(raster), select=yaml.safe_load(select))
    assert (open_source(chosen).read(window).data == second).all()


def test_bands_that_are_proposed_are_those_that_the_network_takes(folder: Path) -> None:
    raster = scenes.write(folder / "four.tif", scenes.position(SIDE, SIDE, 4), photometric="RGB", alpha="YES")
    path = job(folder, raster, bands=4)
    bands = refused("plan", path).proposed(r"source\.bands: (\[[\d, ]+\])")
    passes("plan", path, "--set", f"source.bands={bands}")


def test_blocks_that_were_never_written_are_data_by_the_nodata_that_is_proposed(folder: Path) -> None:
    data = scenes.position(SIDE, SIDE)
    data[:, 32:64] = 0
    raster = scenes.write(folder / "sparse.tif", data, tiled=True, blockxsize=32, blockysize=32, sparse_ok=True)
    path = job(folder, raster)
    value = passes("plan", path).proposed(r"source\.nodata: (\w+) makes")
    assert "never written" not in passes("plan", path, "--set", f"source.nodata={value}").text


@pytest.mark.slow
def test_a_tensor_is_chosen_by_a_name_that_is_listed(folder: Path) -> None:
    path = job(folder, form="two")
    name = refused("plan", path).proposed(r"with the tensors \w+ \([^)]*\), (\w+) \(")
    assert name == "main"
    passes("plan", path, "--set", f"model.output.key={name}")


def test_an_activation_that_is_guessed_is_set_as_proposed(folder: Path) -> None:
    path = job(folder, form="between")
    value = passes("plan", path).proposed(r"GUESS: .* model\.output\.activation: (\w+)")
    assert "GUESS" not in passes("plan", path, "--set", f"model.output.activation={value}").text


@pytest.mark.slow
def test_sizes_that_are_proposed_are_taken(folder: Path) -> None:
    path, wishes = job(folder), ["tile.halo=40", "tile.size=20", "output.block=33"]
    words = [word for wish in wishes for word in ("--set", wish)]
    block = refused("plan", path, *words, "--set", "tile.size=96").proposed(r"Give a multiple of (\d+)")
    words += ["--set", f"output.block={3 * int(block)}"]
    size = refused("plan", path, *words).proposed(r"the smallest that does is (\d+)")
    passes("plan", path, *words, "--set", f"tile.size={size}")


@pytest.mark.slow
def test_memory_that_is_proposed_is_enough(folder: Path) -> None:
    path, memory = job(folder), "64MiB"
    for _ in range(3):  # to measure the network, then to run it, and once more where this process has grown meanwhile
        answer = typed("plan", path, "--set", f"execution.memory={memory}")
        if answer.code == 3:
            memory = answer.proposed(r"Raise execution\.memory to (\w+) or more")
    passes("plan", path, "--set", f"execution.memory={memory}")
    assert memory != "64MiB"


@pytest.mark.slow
def test_a_name_that_is_nearly_right_is_proposed(folder: Path) -> None:
    path = job(folder)
    key = refused("plan", path, "--set", "tile.sise=64").proposed(r"did you mean (\w+)\?")
    passes("plan", path, "--set", f"tile.{key}=64")
    kind = refused("plan", path, "--set", "model.kind=onnx").proposed(r"Set model\.kind: (\w+)\.")
    passes("plan", path, "--set", f"model.kind={kind}")
    name = refused("plan", path, "--set", f"output.path='{folder / 'mask.tif'}'").proposed(r"Name it (\S+);")
    passes("plan", path, "--set", f"output.path='{folder / name}'")


@pytest.mark.slow
def test_a_store_of_another_job_is_made_anew_as_proposed(folder: Path) -> None:
    path = job(folder)
    passes("run", path)
    option = refused("run", path, "--set", "model.input.mean=400").proposed(r"run with (--[a-z-]+), which deletes")
    passes("run", path, "--set", "model.input.mean=400", option)


@pytest.mark.slow
def test_a_plan_is_frozen_as_proposed_and_taken_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    path = job(folder)
    follows(refused("run", path, "--locked").proposed(r"Freeze it with `([^`]+)`"))
    frozen = folder / "run.lock.yaml"
    (folder / "scene.tif").rename(folder / "moved.tif")
    words = ["run", frozen, "--locked", "--set", f"source.path={folder / 'moved.tif'}"]
    option = refused(*words).proposed(r"run with (--[a-z-]+) if its pixels")
    passes(*words, option)


@pytest.mark.slow
def test_shards_and_their_finish_are_typed_as_proposed(folder: Path) -> None:
    path = job(folder, output={"block": 32})
    told = passes("run", path, "--shard", "1/2")
    finish = told.proposed(r"(wholecloth finish .*)")
    missing = refused(*shlex.split(finish)[1:], code=75)
    follows(
        missing.proposed(r"Run (wholecloth run CONFIG --shard i/2)")
        .replace("CONFIG", shlex.quote(str(path)))
        .replace("i/2", "2/2")
    )
    follows(finish)


ROWS = tuple(ClassRow(code=code, name=str(row["name"]), color="#000000", role=None) for code, row in enumerate(CLASSES))


@pytest.mark.slow
def test_values_of_labels_are_typed_as_proposed(folder: Path) -> None:
    path = job(folder)
    passes("run", path)
    codes = np.zeros((1, SIDE, SIDE), "int16")
    codes[:, 50:] = -7
    labels = scenes.write(folder / "labels.tif", codes)
    words = ["evaluate", folder / "out.zarr", "--labels", labels]
    answer = refused(*words)
    passes(*words, *shlex.split(answer.proposed(r"(--ignore \S+) \(")))
    values = shlex.split(answer.proposed(r"(--values \S+=)CLASS"))
    passes(*words, values[0], f"{values[1]}water,0=mixed wood")
    config = yaml.safe_load(answer.proposed(r"labels\.(ignore: \[.*?\])"))
    from_config(
        LabelsConfig(path=str(labels), **config), open_source(SourceConfig(path=str(folder / "scene.tif"))).grid, ROWS
    )


def test_a_file_that_is_there_is_replaced_as_proposed(folder: Path) -> None:
    job(folder)
    words = ["init", folder / "network.pt", folder / "scene.tif", "--out", folder / "job.yaml"]
    passes(*words, refused(*words).proposed(r"or (--\w+) to overwrite"))
    passes("plan", folder / "job.yaml")


@pytest.mark.slow
def test_an_old_network_is_converted_as_proposed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = helper.make_opsetid("", 5)
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "old", sides[:1], sides[1:])
    onnx.save(helper.make_model(graph, opset_imports=[old], ir_version=8), folder / "network.onnx")
    monkeypatch.chdir(folder)
    wishes = {
        "kind": "onnx",
        "path": str(folder / "network.onnx"),
        "classes": [*CLASSES, {"name": "field", "color": "#654321"}],
    }
    path = job(folder, model=wishes)
    program, option, code = shlex.split(refused("plan", path).proposed(r"(python -c .*?), and give newer\.onnx"))
    assert (program, option) == ("python", "-c")
    exec(compile(code, "proposed", "exec"), {})
    passes("plan", path, "--set", "model.path=newer.onnx")


@pytest.mark.slow
def test_a_file_of_a_folder_is_taken_by_the_name_that_is_proposed(folder: Path) -> None:
    path = job(folder)
    raster = refused("plan", path, "--set", f"source.path='{folder}'").proposed(r"files in it, such as (.*?\.tif)")
    passes("plan", path, "--set", f"source.path='{raster}'")
    network = refused("plan", path, "--set", f"model.path='{folder}'").proposed(r"such as (.*?\.pt)\.")
    passes("plan", path, "--set", f"model.path='{network}'")


@pytest.mark.slow
def test_labels_in_a_subdataset_are_read_by_the_name_that_is_proposed(folder: Path) -> None:
    raster = scenes.write(folder / "scene.tif", scenes.position(SIDE, SIDE), crs=None, transform=Affine.identity())
    passes("run", job(folder, raster))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(folder / "labels.zarr", mode="w", zarr_format=2)
        for name in ("b", "a"):
            group.create_array(name, data=np.ones((SIDE, SIDE), "uint8"))
    words = ["evaluate", folder / "out.zarr", "--labels"]
    name = refused(*words, folder / "labels.zarr").proposed(r"subdatasets: (ZARR:.*?), ZARR:")
    assert name.endswith("/a")
    passes(*words, name)
