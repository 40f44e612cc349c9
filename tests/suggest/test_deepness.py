"""What ONNX files say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ModelError
from pipeline.job import prepare
from pipeline.load_config import load
from tests import scenes
from tests.suggest.first import written


def entry(number: int, value: bytes | int) -> bytes:
    """An entry of Protocol Buffers; lengths here stay below 16384."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value) & 127 | 128, len(value) >> 7]) + value


def image(name: bytes, *axes: bytes | int) -> bytes:
    shape = b"".join(entry(1, entry(1 if isinstance(axis, int) else 2, axis)) for axis in axes)
    return entry(1, name) + entry(2, entry(1, entry(1, 1) + entry(2, shape)))


def onnx(path: Path, bands: int = 3, **said: str) -> Path:
    """An ONNX file without nodes; its weights are in the way, as they are in a real one, and are no entries of anything."""
    graph = entry(5, b"\xff" * 999) + entry(11, image(b"x", 1, bands, b"height", b"width")) + entry(12, image(b"y", 1, 2, b"height", b"width"))
    metadata = b"".join(entry(14, entry(1, key.encode()) + entry(2, value.encode())) for key, value in said.items())
    path.write_bytes(entry(1, 8) + entry(2, b"pytorch") + entry(7, graph) + b"\x0d\0\0\0\0" + metadata)
    return path


SAID = {"standardization_mean": "[0.1, 0.2, 0.3]", "standardization_std": "[1, 1, 2]", "resolution": "20", "seg_thresh": "0.4", "model_type": '"Segmentor"'}


@pytest.mark.parametrize("names", ['{"0": "other", "1": "field"}', "{1: 'field', 0: 'other'}"])
@pytest.mark.parametrize("key", ["tile_size", "tiles_size"])
def test_deepness_says_its_parameters_in_the_onnx_file(names: str, key: str, folder: Path) -> None:
    onnx(folder / "a.onnx", **SAID, **{"class_names": names, key: "512"})
    made, config = written(folder, "a.onnx")
    assert [row.name for row in config.model.classes or ()] == ["other", "field"]
    assert config.model.input is not None
    assert (config.model.input.mean, config.model.input.std, config.model.input.size) == ([0.1, 0.2, 0.3], [1, 1, 2], 512)
    assert config.model.output.threshold == 0.4
    assert "trained at 20 cm per px" in made.text
    assert "as its metadata says, but of 8-bit images, and the scene is uint16" in made.text
    assert "ONNX is not run by this version" in made.todo[0]


def test_an_onnx_file_without_metadata_still_tells_its_bands_and_channels(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(300, 200, 4))
    made, config = written(tmp_path, onnx(tmp_path / "a.onnx").name)
    assert config.source.bands == [1, 2, 3]
    assert [row.name for row in config.model.classes or ()] == ["class0", "class1"]
    assert "its metadata" not in made.text


def test_metadata_that_are_no_numbers_are_not_believed(folder: Path) -> None:
    onnx(folder / "a.onnx", standardization_mean="bright", standardization_std="[NaN]", seg_thresh="7", tile_size="huge", model_type='"Detector"')
    made, config = written(folder, "a.onnx")
    assert config.model.input is not None
    assert config.model.input.model_fields_set == {"scale"}
    assert config.model.output.threshold == 0.5
    assert "call it a Detector, which gives no map of classes" in made.text


def test_an_onnx_file_that_was_cut_short_is_told_wherever_the_cut_is(folder: Path) -> None:
    bare = onnx(folder / "a.onnx").stat().st_size
    whole = onnx(folder / "a.onnx", class_names='{"0": "a", "1": "b"}').read_bytes()
    for size in (*range(0, bare - 5, 7), *range(bare + 1, len(whole))):  # before its metadata, and the entry before them, it would be whole
        (folder / "a.onnx").write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"a\.onnx"):
            written(folder, "a.onnx")


def test_a_job_with_an_onnx_file_is_told_what_to_do(folder: Path) -> None:
    path = scenes.config(folder, model={"path": str(onnx(folder / "a.onnx"))})
    with pytest.raises(ModelError, match=r"is not a TorchScript network, but an ONNX network\. ONNX is not run by this version: save the same"):
        prepare(load(path))
