import numpy as np
import torch

from pipeline.training.loop import Schedule, fit
from pipeline.training.windows import IGNORE, Batch, Scene, batches
from tests.training import HOW


def test_the_loop_lowers_the_loss_and_leaves_the_network_in_eval_mode(pair: Scene) -> None:
    network, losses = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1)), []
    fit(network, batches([pair], HOW, side=48, count=4, jitter=0.0, seed=1), Schedule(steps=60, rate=0.3), lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    assert not network.training


def test_batches_without_a_label_teach_nothing_and_spoil_nothing() -> None:
    network = torch.nn.Conv2d(3, 2, 1)
    before = network.weight.detach().clone()
    blank = Batch(x=torch.randn(2, 3, 8, 8), y=torch.full((2, 8, 8), IGNORE))
    fit(network, iter([blank] * 3), Schedule(steps=3, decay=0.0))
    assert torch.equal(network.weight, before)


def test_the_same_seed_trains_the_same_network(pair: Scene) -> None:
    trained = []
    for _ in range(2):
        torch.manual_seed(7)
        network = torch.nn.Conv2d(3, 2, 1)
        fit(network, batches([pair], HOW, side=32, count=2, jitter=0.1, seed=1), Schedule(steps=5))
        trained.append(network.weight.detach())
    assert torch.allclose(*trained, atol=1e-6)
