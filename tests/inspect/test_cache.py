import json
from pathlib import Path
from unittest.mock import patch

import pytest

from pipeline.inspect.cache import cached
from pipeline.inspect.locality import measure
from pipeline.models.loaded import Loaded
from tests import networks


def network(name: str = "a") -> Loaded:
    return Loaded(module=networks.Twice().eval(), identity_fields={"sha256": name})


@pytest.mark.slow
def test_a_network_is_measured_once(tmp_path: Path) -> None:
    first = cached(network(), 3, tmp_path)
    with patch.object(measure, "measure_locality", side_effect=AssertionError("measured again")):
        assert cached(network(), 3, tmp_path) == first


@pytest.mark.slow
def test_a_network_without_bound_is_read_back_as_it_was_measured(tmp_path: Path) -> None:
    found = Loaded(module=networks.InstanceNormed().eval(), identity_fields={"sha256": "n"})
    first = cached(found, 3, tmp_path)
    assert first.radius is None
    assert cached(found, 3, tmp_path) == first


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"verdict": "local"})])
def test_a_record_that_was_cut_short_is_measured_again(text: str, tmp_path: Path) -> None:
    first = cached(network(), 3, tmp_path)
    (record,) = tmp_path.iterdir()
    record.write_text(text)
    assert cached(network(), 3, tmp_path) == first
    assert json.loads(record.read_text())["verdict"] == "local"


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert cached(network(), 3, tmp_path / "file" / "locality").verdict == "local"


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    with patch("os.replace", side_effect=OSError("disk full")):
        cached(network(), 3, tmp_path)
    assert list(tmp_path.iterdir()) == []
