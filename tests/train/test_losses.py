import numpy as np
import numpy.typing as npt
import pytest
import torch

from pipeline.config import LossConfig
from pipeline.train.losses import LOSSES, Loss, active_losses, class_weights
from pipeline.train.scenes import UNKNOWN_INDEX

Floats = npt.NDArray[np.float64]
CASES = [(1, False), (3, False), (3, True)]
WEIGHTS = {1: [0.5, 2.0], 3: [0.5, 2.0, 1.25]}


def batch(channels: int, multilabel: bool = False, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and indices of three windows, of which a part is unknown and class 2 is never shown."""
    rng = np.random.default_rng(seed)
    target = rng.choice([0, 1, channels, UNKNOWN_INDEX] if multilabel else [0, 1, UNKNOWN_INDEX], (3, 5, 7))
    return torch.from_numpy(rng.normal(0, 2, (3, channels, 5, 7)).astype(np.float32)), torch.from_numpy(target)


def loss(name: str, weights: list[float] | None = None, multilabel: bool = False, gamma: float = 2) -> Loss:
    return Loss(LossConfig(**{name: 1, "gamma": gamma}), weights, multilabel)  # type: ignore[arg-type]


def probabilities(logits: Floats, apart: bool) -> Floats:
    """Of one pixel's classes."""
    if apart or len(logits) == 1:
        yes: Floats = 1 / (1 + np.exp(-logits))
        return yes if apart else np.array([1 - yes[0], yes[0]])
    powers: Floats = np.exp(logits)
    return powers / powers.sum()


def pixels(logits: torch.Tensor, target: torch.Tensor, apart: bool) -> list[tuple[Floats, int]]:
    """Probabilities and index of each known pixel."""
    flat = logits.double().permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).numpy()
    return [
        (probabilities(z, apart), int(k)) for z, k in zip(flat, target.flatten(), strict=True) if k != UNKNOWN_INDEX
    ]


def entropy_by_hand(
    logits: torch.Tensor, target: torch.Tensor, weights: list[float], apart: bool, gamma: float
) -> float:
    above = below = 0.0
    for p, k in pixels(logits, target, apart):
        answers = [(p[c] if c == k else 1 - p[c], weights[c]) for c in range(len(p))] if apart else [(p[k], weights[k])]
        for sure, weight in answers:
            above -= weight * (1 - sure) ** gamma * np.log(sure)
            below += weight
    return above / below


def dice_by_hand(logits: torch.Tensor, target: torch.Tensor, weights: list[float], apart: bool) -> float:
    known = pixels(logits, target, apart)
    above = below = 0.0
    for c, weight in enumerate(weights):
        p, t = np.array([p[c] for p, _ in known]), np.array([k == c for _, k in known], dtype=float)
        if t.any():
            above += weight * (1 - 2 * (p * t).sum() / ((p**2).sum() + (t**2).sum()))
            below += weight
    return above / below


def by_hand(
    name: str, logits: torch.Tensor, target: torch.Tensor, weights: list[float], multilabel: bool, gamma: float = 2
) -> float:
    if name == "dice":
        return dice_by_hand(logits, target, weights, multilabel)
    apart = multilabel or (name == "binary_cross_entropy" and logits.shape[1] > 1)
    return entropy_by_hand(logits, target, weights, apart, gamma if name == "focal" else 0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("channels", "multilabel"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_is_what_a_loop_over_the_pixels_says(
    name: str, channels: int, multilabel: bool, weighted: bool
) -> None:
    logits, target = batch(channels, multilabel)
    weights = WEIGHTS[channels] if weighted else [1.0] * len(WEIGHTS[channels])
    expected = by_hand(name, logits, target, weights, multilabel)
    assert loss(name, weights if weighted else None, multilabel)(logits, target).item() == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 5])
@pytest.mark.parametrize(("channels", "multilabel"), CASES)
def test_gamma_says_how_much_less_easy_pixels_count(channels: int, multilabel: bool, gamma: float) -> None:
    logits, target = batch(channels, multilabel)
    weights = WEIGHTS[channels]
    expected = by_hand("focal", logits, target, weights, multilabel, gamma)
    assert loss("focal", weights, multilabel, gamma)(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_the_losses_that_are_named_are_summed_by_their_weights() -> None:
    logits, target = batch(3)
    both = Loss(LossConfig(cross_entropy=0.5, dice=3), None)(logits, target)
    assert both.item() == pytest.approx(
        0.5 * loss("cross_entropy")(logits, target).item() + 3 * loss("dice")(logits, target).item()
    )


def test_no_name_means_cross_entropy_and_a_weight_of_nothing_is_no_name() -> None:
    assert active_losses(LossConfig()) == active_losses(LossConfig(dice=0)) == {"cross_entropy": 1.0}
    assert active_losses(LossConfig(dice=2, focal=0)) == {"dice": 2.0}


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("name", ["cross_entropy", "dice", "focal"])
def test_one_channel_learns_what_two_would_of_which_the_first_is_nothing(name: str, multilabel: bool) -> None:
    z, target = batch(1)
    one = loss(name, [0.5, 2.0], multilabel)(z, target)
    two = loss(name, [0.5, 2.0])(torch.cat([torch.zeros_like(z), z], 1), target)
    assert torch.equal(one, two)


@pytest.mark.parametrize(("channels", "multilabel"), [(1, False), (3, True)])
def test_cross_entropy_is_read_as_binary_where_each_channel_has_its_sigmoid(channels: int, multilabel: bool) -> None:
    logits, target = batch(channels, multilabel)
    assert torch.equal(
        loss("cross_entropy", None, multilabel)(logits, target),
        loss("binary_cross_entropy", None, multilabel)(logits, target),
    )


def test_cross_entropy_is_torchs_own() -> None:
    logits, target = batch(3)
    theirs = torch.nn.functional.cross_entropy(logits, target, torch.tensor(WEIGHTS[3]), ignore_index=UNKNOWN_INDEX)
    assert loss("cross_entropy", WEIGHTS[3])(logits, target).item() == pytest.approx(theirs.item(), rel=1e-6)


def slope(made: Loss, logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A loss and its gradient."""
    logits = logits.clone().requires_grad_()
    value = made(logits, target)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


@pytest.mark.parametrize("junk", [1e4, -1e4, float("nan"), float("inf")])
@pytest.mark.parametrize(("channels", "multilabel"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_logits_where_nothing_is_known_change_neither_loss_nor_gradient(
    name: str, channels: int, multilabel: bool, junk: float
) -> None:
    logits, target = batch(channels, multilabel)
    unknown = (target == UNKNOWN_INDEX)[:, None]
    made = loss(name, WEIGHTS[channels], multilabel)
    value, gradient = slope(made, logits, target)
    again, same = slope(made, torch.where(unknown, junk, logits), target)
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)
    assert (gradient.masked_select(unknown) == 0).all()
    assert (gradient.masked_select(~unknown) != 0).any()


@pytest.mark.parametrize("fill", [0.0, float("nan")])
@pytest.mark.parametrize(("channels", "multilabel"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_which_nothing_is_known_teaches_nothing(
    name: str, channels: int, multilabel: bool, fill: float
) -> None:
    value, gradient = slope(
        loss(name, None, multilabel), torch.full((2, channels, 4, 4), fill), torch.full((2, 4, 4), UNKNOWN_INDEX)
    )
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize(("channels", "multilabel"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_answer_costs_next_to_nothing_and_its_opposite_much(
    name: str, channels: int, multilabel: bool
) -> None:
    _, target = batch(channels, multilabel)
    index = torch.where(target == UNKNOWN_INDEX, 0, target)
    right = torch.nn.functional.one_hot(index, max(channels, 2) + 1).movedim(-1, 1)[:, 1 if channels == 1 else 0 :][
        :, :channels
    ]
    perfect = (right.float() - 0.5) * 60
    assert loss(name, None, multilabel)(perfect, target).item() < 1e-6
    assert loss(name, None, multilabel)(-perfect, target).item() > 0.9


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
@pytest.mark.parametrize(("channels", "multilabel"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_logits_of_any_size_give_finite_losses_and_gradients(
    name: str, channels: int, multilabel: bool, gamma: float
) -> None:
    logits, target = batch(channels, multilabel)
    extreme = (logits * 1e5).clamp(-65504, 65504).half()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = slope(loss(name, WEIGHTS[channels], multilabel, gamma), extreme, target)
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize(("channels", "multilabel"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_slope_of_the_loss(name: str, channels: int, multilabel: bool) -> None:
    logits, target = batch(channels, multilabel)
    weights = WEIGHTS[channels]
    _, gradient = slope(loss(name, weights, multilabel), logits, target)
    towards = torch.from_numpy(np.random.default_rng(1).normal(size=logits.shape))
    ahead, behind = (
        by_hand(name, logits.double() + step * towards, target, weights, multilabel) for step in (1e-5, -1e-5)
    )
    assert (gradient * towards).sum().item() == pytest.approx((ahead - behind) / 2e-5, rel=1e-4)


@pytest.mark.parametrize("name", ["cross_entropy", "dice", "focal"])
def test_a_class_of_no_weight_does_not_count(name: str) -> None:
    logits, target = batch(3)
    only = loss(name, [1.0, 0.0, 1.0])(logits, target).item()
    assert only == pytest.approx(by_hand(name, logits, target, [1, 0, 1], False), rel=1e-5)
    assert only != pytest.approx(loss(name)(logits, target).item(), rel=1e-2)


def test_weights_that_are_not_as_many_as_the_classes_are_refused() -> None:
    logits, target = batch(3)
    with pytest.raises(ValueError, match="2 class weights for 3 classes"):
        loss("dice", [1.0, 2.0])(logits, target)


def test_an_index_without_a_channel_is_no_silent_nothing() -> None:
    with pytest.raises(RuntimeError, match="index 3 is out of bounds"):
        loss("cross_entropy")(torch.zeros(1, 3, 2, 2), torch.full((1, 2, 2), 3))


def test_weights_travel_with_the_module_but_are_not_saved_with_it() -> None:
    made = loss("dice", [1.0, 2.0])
    assert [name for name, _ in made.named_buffers()] == ["weights"]
    assert not made.state_dict()


def test_class_weights_are_1_on_average_and_10_times_as_large_for_a_class_100_times_as_rare() -> None:
    common, rare = class_weights([100, 1])
    assert rare / common == pytest.approx(10)
    counts = [5, 70, 25]
    assert sum(n * weight for n, weight in zip(counts, class_weights(counts), strict=True)) / 100 == pytest.approx(1)
    assert class_weights([3, 3, 3]) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("name", LOSSES)
def test_following_the_gradient_finds_the_labels(name: str) -> None:
    logits, target = batch(3)
    guess = torch.nn.Parameter(logits)
    steps = torch.optim.Adam([guess], lr=0.3)
    for _ in range(60):
        steps.zero_grad()
        loss(name)(guess, target).backward()
        steps.step()
    known = target != UNKNOWN_INDEX
    assert (guess.argmax(1) == target)[known].float().mean() > 0.95
