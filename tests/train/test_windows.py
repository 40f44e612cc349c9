import torch

from pipeline.config import AugmentConfig
from pipeline.inference.normalise import Normalisation
from pipeline.train.dataset import EpochSampler, Windows
from pipeline.train.scenes import UNKNOWN_INDEX, Scene
from tests.train.test_dataset import drawing

HOW = Normalisation(scale=(1.0,) * 3, offset=(0.0,) * 3, mean=(80.0,) * 3, std=(60.0,) * 3)


def test_windows_are_normalised_as_run_normalises_and_zero_where_invalid(scene: Scene) -> None:
    windows = Windows(sampler=drawing(scene), normalisation=HOW)
    for number in range(12):
        x, y = windows[number]
        drawn = windows.sampler(number)
        wanted = torch.where(
            torch.from_numpy(drawn.pixels.valid), (torch.from_numpy(drawn.pixels.data.astype("float32")) - 80) / 60, 0.0
        )
        torch.testing.assert_close(x, wanted)
        assert y.dtype == torch.int64
        assert (y == UNKNOWN_INDEX).equal(torch.from_numpy(drawn.label == UNKNOWN_INDEX))


def test_noise_is_added_to_what_is_valid_and_is_that_of_the_number(scene: Scene) -> None:
    noisy = Windows(sampler=drawing(scene, AugmentConfig(flip=False, turn=False, gain=0, noise=0.1)), normalisation=HOW)
    x, _ = noisy[3]
    torch.testing.assert_close(x, noisy[3][0], rtol=0, atol=0)
    apart = x - Windows(sampler=drawing(scene), normalisation=HOW)[3][0]
    assert 0.05 < apart.std() < 0.2


def test_a_batch_is_the_same_windows_whatever_the_number_of_devices() -> None:
    def batches(ranks: int, number: int) -> list[set[int]]:
        samplers = [EpochSampler(steps=3, batch=4, rank=rank, ranks=ranks) for rank in range(ranks)]
        for sampler in samplers:
            sampler.set_epoch(number)
        share = 4 // ranks
        shares = [list(sampler) for sampler in samplers]
        assert all(len(sampler) == len(numbers) == 3 * share for sampler, numbers in zip(samplers, shares, strict=True))
        return [{n for numbers in shares for n in numbers[step * share : (step + 1) * share]} for step in range(3)]

    assert batches(1, 0) == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}]
    assert batches(2, 5) == batches(1, 5) == batches(4, 5)


def test_rounds_follow_one_another_without_a_window_twice() -> None:
    sampler = EpochSampler(steps=2, batch=3)
    seen = []
    for number in range(4):
        sampler.set_epoch(number)
        seen += list(sampler)
    assert seen == list(range(24))
