import pytest
import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.check_bands import check_bands
from pipeline.models.loaded import Loaded
from tests import networks


class HeadFirst(nn.Module):
    """Registers its last layer before its first."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Conv2d(16, 4, 1), nn.Conv2d(3, 16, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


class Placed(nn.Module):
    """Holds four-dimensional weights that are no convolution's."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.body = nn.Parameter(torch.zeros(1, 7, 1, 1)), nn.Conv2d(3, 7, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.weight


class Depthwise(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 6, 3, padding=1, groups=3), nn.Conv2d(6, 4, 1))


MAKERS = [HeadFirst, Placed, Depthwise, networks.Twice]


@pytest.mark.parametrize("make", MAKERS)
def test_a_network_that_runs_is_never_refused(make: type[nn.Module]) -> None:
    check_bands(Loaded(module=make().eval(), identity_fields={}), 3, "net")
    check_bands(Loaded(module=torch.jit.script(make().eval()), identity_fields={}), 3, "net")


@pytest.mark.parametrize("make", MAKERS)
def test_the_number_of_bands_it_takes_is_told(make: type[nn.Module]) -> None:
    with pytest.raises(ModelError, match=r"5 bands are read, but the network in net\.pt takes 3 bands"):
        check_bands(Loaded(module=make().eval(), identity_fields={}), 5, "net.pt")
