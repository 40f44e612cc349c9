"""Colours are changed pixel by pixel, whatever lies around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.config.stains import TARGETS
from pipeline.inference import colour_transfer
from pipeline.statistics.stains import transfer_of
from tests.statistics.stained import tissue

SLIDES = {
    "macenko": {"vectors": [[0.65, 0.7, 0.29], [0.07, 0.99, 0.11]], "maxima": [1.5, 1.2]},
    "reinhard": {"mean": [9.0, -0.1, 0.05], "std": [0.4, 0.08, 0.02]},
}


def changed(x: torch.Tensor, method: str, rgb: tuple[int, int, int] = (0, 1, 2), **more: object) -> torch.Tensor:
    record = {"method": method, "stain": SLIDES[method], "target": TARGETS[method].model_dump(), **more}
    x = x.clone()
    transfer_of(record, rgb).apply_to(x)
    return x


@pytest.fixture
def image() -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(tissue(150), -1, 0).astype(np.float32))


@pytest.mark.parametrize("method", [*SLIDES])
def test_windows_equal_the_whole_in_whatever_strips(
    method: str, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = changed(image, method)
    assert (whole != image).any()
    assert torch.equal(whole, whole.round().clamp(0, 255))
    monkeypatch.setattr(colour_transfer, "PIXELS_AT_ONCE", 100)
    assert torch.equal(changed(image, method), whole)
    assert torch.equal(changed(image[:, 31:94, 7:120], method), whole[:, 31:94, 7:120])


@pytest.mark.parametrize("method", [*SLIDES])
def test_a_slide_like_the_target_stays_as_it_is(method: str, image: torch.Tensor) -> None:
    target = TARGETS[method].model_dump()
    if method == "macenko":  # colours between the two stains alone
        shares = torch.rand(2, 2500, generator=torch.Generator().manual_seed(0)).numpy()
        density = np.transpose(target["vectors"]) @ shares
        image = torch.from_numpy((240 * np.exp(-density) - 1).round().astype(np.float32)).reshape(3, 50, 50)
    assert (changed(image, method, stain=target) - image).abs().max() <= 1


@pytest.mark.parametrize("method", [*SLIDES])
def test_bands_may_come_in_another_order(method: str, image: torch.Tensor) -> None:
    assert torch.equal(changed(image.flip(0), method, (2, 1, 0)).flip(0), changed(image, method))
