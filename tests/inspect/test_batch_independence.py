import pytest
import torch
from torch import nn

from pipeline.inspect.batch_independence import images_are_independent
from pipeline.models.loaded import Loaded
from tests import zoo


class OneOnly(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(1, 3, x.shape[2], x.shape[3])


@pytest.mark.parametrize(
    ("network", "apart"),
    [
        (zoo.UNet(), True),
        (zoo.UNet(nn.InstanceNorm2d), True),
        (zoo.UNet(lambda width: nn.BatchNorm2d(width, track_running_stats=False)), False),
        (OneOnly(), False),
    ],
    ids=["batch norm", "instance norm", "batch norm without statistics", "one image only"],
)
def test_images_of_a_batch_are_seen_to_leave_each_other_alone_or_not(network: nn.Module, apart: bool) -> None:
    assert images_are_independent(Loaded(module=network.eval(), identity_fields={}), 3, 4, torch.device("cpu")) == apart
