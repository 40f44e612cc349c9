import pytest
import torch

from pipeline.inference import winner
from pipeline.inference.winner import largest_class

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def drawn(classes: int, rows: int = 67, cols: int = 41) -> torch.Tensor:
    """(1, classes, rows, cols) of few values, so that many pixels tie."""
    generator = torch.Generator().manual_seed(classes)
    return torch.randint(-2, 3, (1, classes, rows, cols), generator=generator).to(torch.float32)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 33, 256, 257])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_strips_find_the_class_that_torch_finds_whole(
    classes: int, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winner, "CACHED_PX", 200)  # four rows, and three at the end
    monkeypatch.setattr(winner, "CACHED_NUMBERS", 200 * classes)
    logits = drawn(classes).contiguous(memory_format=layout)[0]
    assert torch.equal(largest_class(logits).to(torch.int64), logits.max(0).indices)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pixels_without_numbers_have_the_class_that_torch_gives_them(layout: torch.memory_format) -> None:
    logits = drawn(5)
    generator = torch.Generator().manual_seed(0)
    for value in (torch.nan, torch.inf, -torch.inf):
        logits[torch.rand(logits.shape, generator=generator) < 0.1] = value
    logits = logits.contiguous(memory_format=layout)[0]
    assert torch.isnan(logits).any()
    assert torch.equal(largest_class(logits).to(torch.int64), logits.max(0).indices)


def test_logits_of_a_window_and_of_another_order_of_axes_are_read_in_place() -> None:
    window, turned = drawn(4)[0, :, 5:20, 3:30], drawn(4)[0].transpose(1, 2)
    for logits in (window, turned):
        before = logits.clone()
        assert torch.equal(largest_class(logits).to(torch.int64), logits.max(0).indices)
        assert torch.equal(logits, before)


def test_other_dtypes_and_no_pixels_have_a_class_each() -> None:
    half = drawn(4)[0].to(torch.bfloat16)
    assert torch.equal(largest_class(half), half.max(0).indices)
    assert largest_class(torch.empty((4, 0, 7))).shape == (0, 7)
    assert largest_class(torch.empty((4, 7, 0))).shape == (7, 0)
