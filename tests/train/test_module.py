import numpy as np
import pytest
import torch

from pipeline.config import OptimiserConfig
from pipeline.quality.evaluate.confusion import Confusion


def rates(how: OptimiserConfig, steps: int) -> list[float]:
    from pipeline.train.module import schedule  # which imports Lightning, for seconds

    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=how.rate)
    changes = schedule(optimiser, how, steps)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        changes.step() if len(found) < steps else None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one_cycle", "cosine", "constant"])
def test_the_rate_rises_to_what_was_asked_for_and_falls_where_it_should(name: str) -> None:
    found = rates(OptimiserConfig(rate=0.5, schedule=name, warmup=0.2), 100)
    assert max(found) == pytest.approx(0.5, rel=0.02)
    assert 18 <= int(np.argmax(found)) <= 22
    assert np.all(np.diff(found[:19]) > 0)
    assert np.all(np.diff(found[22:]) <= 0)
    assert found[-1] == pytest.approx(0.5 if name == "constant" else 0, abs=0.002)


@pytest.mark.parametrize("name", ["one_cycle", "cosine", "constant"])
def test_a_short_training_has_rates(name: str) -> None:
    for steps in range(1, 30):
        assert max(rates(OptimiserConfig(schedule=name), steps)) > 0


def test_counts_of_blocks_are_added_up_and_begin_anew() -> None:
    from pipeline.train.module import ConfusionMetric

    counts, one = ConfusionMetric(2), Confusion(2)
    one.add(np.array([0, 1, 1], dtype=np.uint8), np.array([0, 1, 2], dtype=np.uint8))
    counts.update(one)
    counts.update(one)
    assert counts.compute().counts.tolist() == [[2, 0, 0], [0, 2, 2]]
    counts.reset()
    assert not counts.counts.any()
