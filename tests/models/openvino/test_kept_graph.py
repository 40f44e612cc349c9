"""Converted graphs are kept in the cache folder, give the same bytes, and are read only where this user alone wrote.

Skipped where OpenVINO is not installed.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.config import ModelConfig
from pipeline.models import exported, torchscript
from pipeline.models.bn_folding import fold
from pipeline.models.loaded import Loaded
from tests import networks

pytest.importorskip("openvino")
from pipeline.models.openvino import convert as conversion
from pipeline.models.openvino.network import run_by_openvino

CPU = torch.device("cpu")
SHAPE = (1, 3, 64, 64)
IMAGE = torch.randn(1, 3, 96, 80, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "openvino"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Loaded]:
    """The networks that are converted."""
    converted: list[Loaded] = []
    original = conversion.convert
    monkeypatch.setattr(
        conversion, "convert", lambda network, shape: converted.append(network) or original(network, shape)
    )
    return converted


def script(folder: Path) -> Loaded:
    path = folder / "network.ts"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces the end of TorchScript
            torch.jit.trace(networks.lively(networks.UNet()), torch.zeros(SHAPE)).save(str(path))
    return torchscript.load(ModelConfig(kind="torchscript", path=path), 3, CPU)


def program(folder: Path) -> Loaded:
    path = folder / "network.pt2"
    if not path.exists():
        module = networks.lively(networks.UNet()).requires_grad_(False)
        torch.export.save(torch.export.export(module, (torch.zeros(SHAPE),)), path)
    return exported.load(ModelConfig(kind="exported", path=path), 3, CPU)


@pytest.mark.parametrize("load", [script, program])
def test_a_network_that_was_seen_is_not_converted_again_and_gives_the_same_bytes(
    load: Callable[[Path], Loaded], tmp_path: Path, cache: Path, conversions: list[Loaded]
) -> None:
    image = (torch.zeros(SHAPE) if load is program else IMAGE) + 0.5
    first = run_by_openvino(load(tmp_path), SHAPE)(image)
    assert len(conversions) == 1
    assert torch.equal(run_by_openvino(load(tmp_path), SHAPE)(image), first)
    assert len(conversions) == 1
    assert len(list(cache.iterdir())) == 1


def test_a_folded_network_and_another_shape_have_graphs_of_their_own(
    tmp_path: Path, cache: Path, conversions: list[Loaded]
) -> None:
    network = program(tmp_path)
    for loaded in (network, fold(network).network, network):
        run_by_openvino(loaded, SHAPE)
    assert [loaded.folded for loaded in conversions] == [False, True]
    run_by_openvino(script(tmp_path), SHAPE)
    run_by_openvino(script(tmp_path), (2, 3, 64, 64))
    assert len(conversions) == len(list(cache.iterdir())) == 4


def test_code_of_python_is_converted_each_time(cache: Path, conversions: list[Loaded]) -> None:
    network = Loaded(module=networks.Twice().eval(), identity_fields={"kind": "python", "sha256": "0" * 64})
    for _ in range(2):
        run_by_openvino(network, SHAPE)
    assert len(conversions) == 2
    assert not cache.exists()


@pytest.mark.parametrize("name", ["", *("graph.xml", "graph.bin", "graph.json")])
@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_graph_that_others_may_have_written_is_not_read(
    name: str, tmp_path: Path, cache: Path, conversions: list[Loaded]
) -> None:
    network = script(tmp_path)
    run_by_openvino(network, SHAPE)
    (folder,) = cache.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    (folder / name).chmod(0o777)
    run_by_openvino(network, SHAPE)
    assert len(conversions) == 2
    run_by_openvino(network, SHAPE)  # it was written anew
    assert len(conversions) == 2


@pytest.mark.parametrize("name", ["graph.xml", "graph.bin", "graph.json"])
def test_a_graph_that_was_changed_or_cut_short_is_converted_again(
    name: str, tmp_path: Path, cache: Path, conversions: list[Loaded]
) -> None:
    network = script(tmp_path)
    expected = run_by_openvino(network, SHAPE)(IMAGE)
    (folder,) = cache.iterdir()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :])
    assert torch.equal(run_by_openvino(network, SHAPE)(IMAGE), expected)
    assert len(conversions) == 2
    (folder / name).unlink()
    run_by_openvino(network, SHAPE)
    assert len(conversions) == 3


def test_a_cache_that_cannot_be_written_costs_a_conversion_alone(
    tmp_path: Path, cache: Path, conversions: list[Loaded]
) -> None:
    cache.parent.mkdir()
    cache.write_text("no folder")
    for _ in range(2):
        assert run_by_openvino(script(tmp_path), SHAPE)(IMAGE).shape == (1, 4, 96, 80)
    assert len(conversions) == 2
