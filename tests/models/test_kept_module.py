from pathlib import Path

import torch
from torch import nn

from pipeline.config import ModelConfig
from pipeline.models import load
from pipeline.models.bn_folding import fold
from pipeline.models.descriptions import archive
from pipeline.models.loaded import Loaded
from tests import scenes

CPU = torch.device("cpu")


def saved(path: Path, weight: float) -> Path:
    network = nn.Conv2d(3, 2, 1)
    nn.init.constant_(network.weight, weight)
    nn.init.zeros_(network.bias)  # type: ignore[arg-type]  # it has one
    return scenes.script(nn.Sequential(network), path)


def loaded(path: Path) -> Loaded:
    return load(ModelConfig(kind="torchscript", path=path), 3, CPU)


def test_a_file_is_read_once_for_jobs_that_follow_each_other_and_folded_once(tmp_path: Path) -> None:
    first = loaded(saved(tmp_path / "a.pt", 1.0))
    second = loaded(tmp_path / "a.pt")
    assert first.module is second.module
    assert fold(first).network.module is fold(second).network.module is not first.module


def test_a_file_that_was_written_anew_is_read_anew_and_folded_anew(tmp_path: Path) -> None:
    x = torch.ones((1, 3, 4, 4))
    before = loaded(saved(tmp_path / "a.pt", 1.0))
    folded = fold(before).network(x)
    after = loaded(saved(tmp_path / "a.pt", 2.0))
    assert after.identity() != before.identity()
    assert torch.allclose(after(x) - before(x), torch.tensor(3.0))
    assert torch.allclose(fold(after).network(x) - folded, torch.tensor(3.0))


def test_what_an_archive_holds_is_looked_up_anew_once_it_was_written_anew(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.pt", 1.0)
    assert archive.is_package(file, ("constants.pkl",))
    file.write_bytes(b"no archive")
    assert not archive.is_package(file, ("constants.pkl",))
    file.unlink()
    assert not archive.is_package(file, ("constants.pkl",))
