"""One interface for all kinds of networks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from pipeline.models import load
from pipeline.models.bn_folding import fold
from tests.models import stand_in
from tests.models.test_models import MAKERS

PLAIN = {"python", "classifier", "transformers"}
"""Made here without batch norm."""


@pytest.mark.slow
@pytest.mark.nightly("networks", after=6)
@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_is_folded_or_says_why_not(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, stand_in.NAME, stand_in.library())
    monkeypatch.setitem(sys.modules, "transformers", stand_in.transformers_library())
    config, _ = MAKERS[kind](tmp_path)
    network = load(config, 3, torch.device("cpu"))
    found = fold(network)
    assert found.done == (kind not in {*PLAIN, "onnx"})
    assert found.done == (found.network is not network)
    assert ("batch norm folded into" in found.description) == found.done
    assert found.network.identity() == network.identity()
    assert (found.network.accepts, found.network.key, found.network.notes) == (
        network.accepts,
        network.key,
        network.notes,
    )
    x = torch.randn((1, 3, 64, 96), generator=torch.Generator().manual_seed(0))
    with torch.jit.optimized_execution(False):
        wanted, got = network(x), found.network(x)
        assert float((wanted - got).abs().max()) < 1e-4 * float(wanted.abs().max())
        assert torch.equal(fold(network).network(x), got)


def test_onnxruntime_folds_by_itself(tmp_path: Path) -> None:
    config, _ = MAKERS["onnx"](tmp_path)
    assert (
        fold(load(config, 3, torch.device("cpu"))).description
        == "batch norm is left to onnxruntime, which folds it by itself"
    )
