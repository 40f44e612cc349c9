from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.train.files import replace_text, training_files


@pytest.mark.parametrize("weights", [None, Path("net.pt")])
def test_weights_need_a_path_of_safetensors(weights: Path | None) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.safetensors"):
        training_files(weights, fresh=False)


def test_weights_of_something_else_are_not_overwritten(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="was left as it is"):
        training_files(weights, fresh=False)
    assert training_files(weights, fresh=True).weights == weights
    assert weights.read_bytes() == b"mine"


def test_a_text_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "card.md"
    replace_text(file, "one")
    replace_text(file, "two")
    assert [path.name for path in tmp_path.iterdir()] == ["card.md"]
    assert file.read_text() == "two"
