import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.models import load
from pipeline.models.weights.file_type import (
    EMPTY_FILE,
    EXPORTED,
    POINTER,
    SAFETENSORS,
    SAVED,
    TORCHSCRIPT,
    UNKNOWN_FILE,
    detect_file_type,
)
from tests import networks, scenes


def saved(path: Path, **more: bool) -> Path:
    torch.save(networks.Pixelwise().state_dict(), path, **more)
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b", "c")
    return path


def wrote(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def tensors(path: Path) -> Path:
    save_file(networks.Pixelwise().state_dict(), path)
    return path


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "script": (lambda path: scenes.script(networks.Pixelwise(), path), TORCHSCRIPT),
    "program": (lambda path: networks.export(networks.Pixelwise(), path, (1, 3, 16, 16)), EXPORTED),
    "saved": (saved, SAVED),
    "legacy": (lambda path: saved(path, _use_new_zipfile_serialization=False), SAVED),
    "safetensors": (tensors, SAFETENSORS),
    "empty": (lambda path: wrote(path, b""), EMPTY_FILE),
    "pointer": (lambda path: wrote(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), POINTER),
    "noise": (lambda path: wrote(path, b"\x80\x04" + bytes(range(200))), UNKNOWN_FILE),
    "zip": (zipped, UNKNOWN_FILE),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_its_bytes_whatever_its_name(name: str, tmp_path: Path) -> None:
    make, words = FILES[name]
    assert detect_file_type(make(tmp_path / "network.bin")) == words


@pytest.mark.parametrize("kind", ["torchscript", "exported", "python"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_is_answered_in_one_paragraph(
    name: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, words = FILES[name]
    path = make(tmp_path / "network.bin")
    (tmp_path / "nets.py").write_text(
        "import torch.nn as nn\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 4, 1))\n"
    )
    config = ModelConfig(kind=kind, path=path, factory=f"{tmp_path / 'nets.py'}:make")
    right = {"torchscript": {TORCHSCRIPT}, "exported": {EXPORTED}, "python": {SAVED}}[kind]
    if words in right:
        x = torch.zeros(1, 3, 16, 16)
        assert load(config, 3, torch.device("cpu"))(x).shape == (1, 4, 16, 16)
        return
    with pytest.raises(ModelError, match=r"network\.bin") as caught:
        load(config, 3, torch.device("cpu"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # torch logs a traceback of its own


def test_a_script_that_needs_another_library_is_not_called_another_kind(tmp_path: Path) -> None:
    path, changed = scenes.script(nn.Sequential(nn.Conv2d(3, 4, 1)), tmp_path / "a.pt"), tmp_path / "b.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.namelist():
            data = old.read(entry)
            new.writestr(
                entry,
                data.replace(b"torch._convolution", b"ops.nowhere.conv").replace(b"torch.conv2d", b"ops.nowhere.conv"),
            )
    with pytest.raises(ModelError, match=r"is a TorchScript network, but cannot be read here.*nowhere"):
        load(ModelConfig(kind="torchscript", path=changed), 3, torch.device("cpu"))
