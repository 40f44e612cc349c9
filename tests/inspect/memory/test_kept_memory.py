from pathlib import Path

import pytest

from pipeline.inspect.memory.activation_memory import ActivationMemory
from pipeline.inspect.memory.kept_memory import kept_activation_memory
from pipeline.inspect.memory.limit import Room

FIRST = ActivationMemory(bytes_per_pixel=100.0, fullness=0.5, seconds_per_pixel=1e-6)
OTHER = ActivationMemory(bytes_per_pixel=200.0, fullness=None, seconds_per_pixel=1e-6)
PLENTY = Room(2**40)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path))


def test_the_same_is_measured_once_and_anything_else_again() -> None:
    assert kept_activation_memory(lambda: FIRST, ["a"], PLENTY) == FIRST
    assert kept_activation_memory(lambda: OTHER, ["a"], PLENTY) == FIRST
    assert kept_activation_memory(lambda: OTHER, ["b"], PLENTY) == OTHER


def test_where_its_image_does_not_fit_a_smaller_one_is_measured_and_not_kept() -> None:
    assert kept_activation_memory(lambda: FIRST, ["a"], Room(0)) == FIRST
    assert kept_activation_memory(lambda: OTHER, ["a"], PLENTY) == OTHER
    assert kept_activation_memory(lambda: FIRST, ["a"], Room(0)) == FIRST


@pytest.mark.parametrize("text", ["", "{", "[]", '{"bytes_per_pixel": 1}'])
def test_a_record_of_another_version_is_measured_again(text: str, tmp_path: Path) -> None:
    kept_activation_memory(lambda: FIRST, ["a"], PLENTY)
    (record,) = (tmp_path / "activations").iterdir()
    record.write_text(text)
    assert kept_activation_memory(lambda: OTHER, ["a"], PLENTY) == OTHER
