"""What ONNX files say of themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from onnx import load as load_model
from onnx import save
from onnx.helper import set_model_props

from pipeline.config.load import load_config
from pipeline.errors import ModelError
from pipeline.planning.prepare import prepare_job
from tests import networks, scenes
from tests.models.onnx_files import described_convolution, to_onnx
from tests.planning.first_config.first import planned, written


def onnx(path: Path, bands: int = 3, **said: str) -> Path:
    """A 3×3 convolution to two channels, and what its file says of itself."""
    to_onnx(networks.conv(bands, 2), path, (1, bands, 32, 48))
    made = load_model(path)
    set_model_props(made, said)
    save(made, path)
    return path


SAID = {
    "standardization_mean": "[0.1, 0.2, 0.3]",
    "standardization_std": "[1, 1, 2]",
    "resolution": "20",
    "seg_thresh": "0.4",
    "model_type": '"Segmentor"',
}


def test_the_path_is_all_that_is_written_of_a_network_of_deepness(folder: Path) -> None:
    described_convolution(folder / "a.onnx", channels=2, **SAID, class_names="{0: 'other', 1: 'field'}")
    made, config = written(folder, "a.onnx")
    assert yaml.safe_load(made.text)["model"] == {"path": "a.onnx"}
    assert "network: model.input.mean: [0.1, 0.2, 0.3], as the file's metadata has it" in made.text
    assert "network: pixels of 0.2 m in its training" in made.text
    assert "GUESS" not in made.text.split("source:")[1]
    assert config.model.classes is None
    assert made.todo == ()


@pytest.mark.slow
def test_an_onnx_file_without_metadata_still_tells_its_bands_and_channels(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(300, 200, 4))
    made, config = written(tmp_path, onnx(tmp_path / "a.onnx").name)
    assert config.source.bands == [1, 2, 3]
    assert [row.name for row in config.model.classes or ()] == ["class0", "class1"]
    assert "its metadata" not in made.text


def test_names_that_another_program_left_are_taken(folder: Path) -> None:
    described_convolution(folder / "a.onnx", channels=2, names="{0: 'other', 1: 'field'}", stride="32")
    made, config = written(folder, "a.onnx")
    assert [row.name for row in config.model.classes or ()] == ["other", "field"]
    assert config.model.input is not None
    assert "as its metadata says" in made.text


def test_an_onnx_file_that_was_cut_short_is_told_wherever_the_cut_is(folder: Path) -> None:
    whole = onnx(folder / "a.onnx", class_names='{"0": "a", "1": "b"}').read_bytes()
    told = 0
    for size in range(0, len(whole), 7):
        (folder / "a.onnx").write_bytes(whole[:size])
        try:
            written(folder, "a.onnx")  # at the end of an entry it may be whole, but for what comes after
        except ModelError as error:
            assert "a.onnx" in str(error)  # noqa: PT017  # most cuts are told, and each in one way
            told += 1
    assert told > len(whole) // 7 * 0.9


def test_without_onnxruntime_it_is_told_what_to_install_and_what_the_file_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx(folder / "a.onnx")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr("pipeline.planning.first_config.missing_library.find_spec", lambda _: None)
    made, config = written(folder, "a.onnx")
    assert "wholecloth[onnx]" in made.todo[0]
    assert (config.model.kind, len(config.model.classes or ())) == ("onnx", 2)


def test_without_onnx_it_is_told_what_to_install_and_the_config_names_the_kind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx(folder / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    made, config = written(folder, "a.onnx")
    assert "needs onnx, which is not installed. Install it with pip install 'wholecloth[onnx]'" in made.todo[0]
    assert config.model.kind == "onnx"


def test_a_job_with_an_onnx_file_of_another_kind_is_told_what_to_do(folder: Path) -> None:
    path = scenes.config(folder, model={"path": str(onnx(folder / "a.onnx"))})
    with pytest.raises(ModelError, match=r"is not a TorchScript network, but an ONNX network\. Set model\.kind: onnx"):
        prepare_job(load_config(path))


@pytest.mark.slow
def test_a_suggested_onnx_network_is_planned(folder: Path) -> None:
    onnx(folder / "a.onnx")
    _, config = written(folder, "a.onnx")
    assert planned(config).plan.tiles.halo == 1
