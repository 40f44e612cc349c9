"""In which precision a job computes."""

from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.interfaces import Locality
from pipeline.models.loaded import Loaded
from pipeline.planning.precisions import choose_precision

CPU = torch.device("cpu")
LOCAL = Locality(verdict="local", stride=1, radius=None, bands=3, classes=4, minimum=1)


def traced(path: Path) -> Loaded:
    torch.jit.trace(nn.Conv2d(3, 4, 3, padding=1).eval(), torch.rand(1, 3, 16, 16)).save(path)
    return Loaded(module=torch.jit.load(path).eval(), identity_fields={})


def test_auto_is_float32_and_what_a_store_was_made_with_holds() -> None:
    network = Loaded(module=nn.Conv2d(3, 4, 1), identity_fields={})
    assert choose_precision("auto", network, LOCAL, CPU, None) == "float32"
    assert choose_precision("auto", network, LOCAL, CPU, "bfloat16") == "bfloat16"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_less_is_taken_where_the_network_heeds_it(precision: str) -> None:
    assert (
        choose_precision(precision, Loaded(module=nn.Conv2d(3, 4, 1), identity_fields={}), LOCAL, CPU, None)
        == precision
    )


def test_a_network_that_computes_in_float32_all_the_same_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="computes in float32 whatever is asked for"):
        choose_precision("bfloat16", traced(tmp_path / "net.pt"), LOCAL, CPU, None)
