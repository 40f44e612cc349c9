import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inference import decode
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.decode import DecodedTile, certainty, class_indices, class_probabilities, codes


def how(activation: str = "softmax", threshold: float | tuple[float, ...] = 0.5, classes: int = 3) -> ClassDecoding:
    return ClassDecoding(activation=activation, threshold=threshold, codes=tuple(range(classes)))  # type: ignore[arg-type]


def beside(threshold: float | tuple[float, ...], background: int, classes: int = 3) -> ClassDecoding:
    """Classes that may hold at once."""
    return ClassDecoding(activation="sigmoid", threshold=threshold, codes=tuple(range(classes)), background=background)


@pytest.mark.parametrize("classes", [2, 7, 60, 300])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_largest_logit_wins_and_of_equals_the_lower_class(classes: int, layout: torch.memory_format) -> None:
    drawn = (
        torch.randint(-2, 3, (1, classes, 67, 41), generator=torch.Generator().manual_seed(classes))
        .to(torch.float32)
        .contiguous(memory_format=layout)[0]
    )
    made = class_indices(drawn, how(classes=classes))
    assert np.array_equal(made.numpy(), drawn.numpy().argmax(0))
    assert made.dtype == (torch.uint8 if classes <= 256 else torch.int32)


@pytest.mark.parametrize(
    ("logit", "threshold", "expected"), [(0.1, 0.5, 1), (-0.1, 0.5, 0), (0.1, 0.7, 0), (-0.1, 0.3, 1)]
)
def test_one_logit_is_a_sigmoid_and_a_threshold(logit: float, threshold: float, expected: int) -> None:
    assert class_indices(torch.full((1, 1, 1), logit), how("sigmoid", threshold, 2)).item() == expected


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=9),
    st.sets(st.sampled_from([0.125, 0.25, 0.5, 0.75, 0.9375]), min_size=2),
)
def test_several_thresholds_cut_one_probability_into_classes(values: list[float], thresholds: set[float]) -> None:
    cuts, p = tuple(sorted(thresholds)), torch.tensor(values)[None, None]
    made = class_indices(p, how("none", cuts, len(cuts) + 1))
    assert made[0].tolist() == [sum(value > cut for cut in cuts) for value in values]
    assert made.dtype == torch.uint8


def test_a_probability_on_a_threshold_stays_below_it() -> None:
    assert class_indices(torch.tensor([[[0.25, 0.75, 0.7501]]]), how("none", (0.25, 0.75), 3)).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("background", [1, 3])
def test_with_a_threshold_per_channel_the_likeliest_that_reaches_its_own_wins(background: int) -> None:
    cuts, logits = (0.9, 0.3, 0.6), torch.randn(3, 40, 50) * 2
    meant = beside(cuts, background, 4)
    p = torch.sigmoid(logits).numpy()
    made, sure = class_indices(logits, meant).numpy(), certainty(torch.from_numpy(p), meant).numpy()
    for row, col in np.ndindex(made.shape):
        at = p[:, row, col]
        holding = [k for k in range(3) if at[k] >= np.float32(cuts[k])]
        best = max(holding, key=lambda k: at[k]) if holding else background
        assert made[row, col] == best
        assert sure[row, col] == pytest.approx(at[best] if best < 3 else 1 - at.max())
    assert len(np.unique(made)) == 3 + (background == 3)


def test_one_threshold_for_all_channels_is_the_same_as_a_list_of_equals() -> None:
    logits = torch.randn(3, 40, 50)
    for background in (0, 3):
        one, several = beside(0.6, background, 4), beside((0.6, 0.6, 0.6), background, 4)
        assert torch.equal(class_indices(logits, one), class_indices(logits, several))
        p = decode.channel_probabilities(logits, one)
        assert torch.equal(certainty(p, one), certainty(p, several))


def test_every_class_has_its_probability_in_the_order_of_the_table() -> None:
    p = torch.rand(3, 4, 5)
    listed_first = ClassDecoding(activation="none", threshold=0.5, codes=(1, 2, 3, 9), background=3, order=(3, 0, 1, 2))
    assert torch.equal(torch.stack([*class_probabilities(p, listed_first)]), torch.cat([1 - p.amax(0)[None], p]))
    assert torch.equal(torch.stack([*class_probabilities(p, how("none"))]), p)


@pytest.mark.parametrize(("threshold", "classes"), [(0.5, 2), ((0.2, 0.4, 0.8), 4)])
def test_one_channel_has_two_outcomes_however_many_thresholds_cut_it(
    threshold: float | tuple[float, ...], classes: int
) -> None:
    p, meant = torch.rand(1, 4, 5), how("none", threshold, classes)
    assert meant.outcomes == (0, classes - 1)
    assert torch.equal(torch.stack([*class_probabilities(p, meant)]), torch.cat([1 - p, p]))


def test_codes_replace_indices() -> None:
    made = codes(
        torch.tensor([[0, 2, 1]], dtype=torch.uint8),
        ClassDecoding(activation="softmax", threshold=0.5, codes=(10, 300, 7)),
    )
    assert made.tolist() == [[10, 7, 300]]


def test_probabilities_are_computed_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, real = [], decode.channel_probabilities
    monkeypatch.setattr(decode, "channel_probabilities", lambda *args: (calls.append(args), real(*args))[1])
    answer = DecodedTile(torch.randn(3, 4, 5), how())
    assert torch.equal(answer.certainty, answer.p.amax(0))
    assert len(calls) == 1
