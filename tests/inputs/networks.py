"""Networks by the form of their file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from pipeline.config import ModelConfig, TileConfig
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.sizes.unpadded import unpadded_margin
from pipeline.interfaces import Locality
from pipeline.models import load
from pipeline.models.input_transform import transform
from pipeline.models.loaded import Loaded
from pipeline.planning import edges
from pipeline.planning.first_config.model_file import read_model_file
from tests.inputs.rows import row, shape

BANDS = 3


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(BANDS, 4, 3, padding=1)).eval()


def loaded(**model: Any) -> str:
    """Load a network as a job does, and tell of it."""
    made = load(ModelConfig(**model), BANDS, torch.device("cpu"))
    answer = made(torch.zeros(1, BANDS, 64, 64))
    notes = f"; {'; '.join(made.notes)}" if made.notes else ""
    return f"a network of kind {model['kind']}: {BANDS} bands of 64 × 64 px give {shape(answer.shape[1:])}{notes}"


def factory(folder: Path) -> str:
    (folder / "net.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))\n"
    )
    return f"{folder}/net.py:make"


@row("network", "TorchScript (`kind: torchscript`)")
def torchscript(folder: Path) -> str:
    torch.jit.script(network()).save(str(folder / "net.pt"))
    return loaded(kind="torchscript", path=folder / "net.pt")


@row("network", "a program of torch.export (`kind: exported`)")
def exported(folder: Path) -> str:
    torch.export.save(torch.export.export(network(), (torch.zeros(1, BANDS, 64, 64),)), folder / "net.pt2")
    return loaded(kind="exported", path=folder / "net.pt2")


@row("network", "a `.pt2` of a compiled library alone (AOTInductor)")
def compiled(folder: Path) -> str:
    writer = torch._C.PyTorchFileWriter(str(folder / "net.pt2"))
    for name, text in {
        "archive_format": "pt2",
        "archive_version": "0",
        "data/aotinductor/model/a": "no library",
    }.items():
        writer.write_record(name, text, len(text))
    writer.write_end_of_file()
    return loaded(kind="exported", path=folder / "net.pt2")


@row("network", "a state dict with the code that builds its network (`kind: python`)")
def state_dict(folder: Path) -> str:
    torch.save(network().state_dict(), folder / "net.pth")
    return loaded(kind="python", factory=factory(folder), path=folder / "net.pth")


@row("network", "a trainer's checkpoint around a state dict")
def checkpoint(folder: Path) -> str:
    torch.save(
        {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in network().state_dict().items()}},
        folder / "last.ckpt",
    )
    return loaded(kind="python", factory=factory(folder), path=folder / "last.ckpt")


@row("network", "a state dict as `kind: torchscript`")
def mistaken(folder: Path) -> str:
    torch.save(network().state_dict(), folder / "net.pth")
    return loaded(kind="torchscript", path=folder / "net.pth")


@row("network", "a pickled network (`torch.save(network)`)")
def pickled(folder: Path) -> str:
    torch.save(network(), folder / "net.pth")
    return loaded(kind="python", factory=factory(folder), path=folder / "net.pth")


@row("network", "a path that does not exist")
def absent(folder: Path) -> str:
    return loaded(kind="torchscript", path=folder / "absent.pt")


@row("network", "a folder with networks")
def folder_of_networks(folder: Path) -> str:
    (folder / "run3").mkdir()
    torch.jit.script(network()).save(str(folder / "run3" / "best.pt"))
    return loaded(kind="torchscript", path=folder / "run3")


@row("network", "a folder without one")
def empty_folder(folder: Path) -> str:
    (folder / "run3").mkdir()
    return loaded(kind="torchscript", path=folder / "run3")


@row("network", "a SavedModel of TensorFlow")
def saved_model(folder: Path) -> str:
    (folder / "model").mkdir()
    (folder / "model" / "saved_model.pb").write_bytes(b"\x08\x01")
    return loaded(kind="onnx", path=folder / "model")


@row("network", "a Keras file, HDF5")
def keras_hdf5(folder: Path) -> str:
    (folder / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    return loaded(kind="torchscript", path=folder / "model.h5")


@row("network", "a Keras file, `.keras`")
def keras_zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return str(read_model_file(folder / "model.keras"))


@row("network", "a TensorFlow Lite file")
def tflite(folder: Path) -> str:
    (folder / "model.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    return loaded(kind="torchscript", path=folder / "model.tflite")


@row("network", "a web page in the place of a file")
def web_page(folder: Path) -> str:
    (folder / "net.pt").write_text("<!DOCTYPE html><html>Please log in</html>")
    return loaded(kind="torchscript", path=folder / "net.pt")


@row("network", "a pointer of Git LFS")
def pointer(folder: Path) -> str:
    (folder / "net.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    return loaded(kind="torchscript", path=folder / "net.pt")


def to_onnx(path: Path, opset: int) -> Path:
    given, made = (
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, BANDS, 64, 64]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    )
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


@row("network", "ONNX (`kind: onnx`)")
def onnx_file(folder: Path) -> str:
    return loaded(kind="onnx", path=to_onnx(folder / "net.onnx", 17))


@row("network", "ONNX of an old opset")
def old_opset(folder: Path) -> str:
    return loaded(kind="onnx", path=to_onnx(folder / "net.onnx", 5))


@row("network", "ONNX of an opset to come")
def new_opset(folder: Path) -> str:
    return loaded(kind="onnx", path=to_onnx(folder / "net.onnx", 99))


@row("network", "a factory whose library does not fit (torchvision of another torch)")
def foreign(folder: Path) -> str:
    (folder / "net.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')
    return loaded(kind="python", factory=f"{folder}/net.py:make")


def changed(folder: Path, body: str) -> str:
    (folder / "raw.py").write_text(f"import torch\n\n\ndef change(x):\n    return {body}\n")
    made = transform(f"{folder}/raw.py:change", BANDS, np.dtype("uint16"))
    return f"code that changes raw pixels first: {made.bands} bands give {made.channels} channels"


@row("network", "a logarithm of the pixels (`model.input.transform`)")
def logarithm(folder: Path) -> str:
    return changed(folder, "torch.log1p(x)")


@row("network", "a ratio of bands (`model.input.transform`)")
def ratio(folder: Path) -> str:
    return changed(folder, "((x[1] - x[0]) / (x[1] + x[0]))[None]")


@row("network", "a stretch between the smallest and the largest pixel (`model.input.transform`)")
def stretch(folder: Path) -> str:
    return changed(folder, "(x - x.min()) / (x.max() - x.min())")


@row("network", "a blur (`model.input.transform`)")
def blur(folder: Path) -> str:
    return changed(folder, "torch.nn.functional.avg_pool2d(x, 3, 1, 1)")


@row("network", "an array of numpy in the place of a tensor (`model.input.transform`)")
def array(folder: Path) -> str:
    return changed(folder, "x.numpy()")


def edge(module: torch.nn.Module, pad: Literal["none", "reflect"]) -> str:
    """What becomes of the raster's edge."""
    prober = Prober(network=Loaded(module=module.eval(), identity_fields={}), bands=BANDS, device=torch.device("cpu"))
    tile, found = (
        TileConfig(pad=pad),
        Locality(
            verdict="local", stride=1, radius=None, bands=BANDS, classes=4, minimum=1, margin=unpadded_margin(prober)
        ),
    )
    return "".join(edges.edge_remarks(edges.with_padding(found, tile, 1), tile))


@row("network", "an unpadded one (valid convolutions)")
def unpadded(folder: Path) -> str:
    return edge(torch.nn.Conv2d(BANDS, 4, 5), "none")


@row("network", "an unpadded one, with `tile.pad: reflect`")
def unpadded_and_reflected(folder: Path) -> str:
    return edge(torch.nn.Conv2d(BANDS, 4, 5), "reflect")


@row("network", "one that returns as much as it is given, with `tile.pad: reflect`")
def padded(folder: Path) -> str:
    return edge(network(), "reflect")
