from __future__ import annotations

import pytest

from pipeline.errors import ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models.ensemble.constraints import joint_constraints


def test_a_tile_suits_all_networks() -> None:
    joint = joint_constraints(
        [InputConstraints(minimum=64, multiple=4, batch=8), InputConstraints(maximum=500, multiple=6, batch=2)],
        ["a", "b"],
    )
    assert joint == InputConstraints(minimum=64, maximum=500, multiple=12, batch=2)
    assert joint_constraints([InputConstraints()] * 2, ["a", "b"]) == InputConstraints()


def test_networks_of_unlike_sizes_are_named() -> None:
    fixed = [InputConstraints(minimum=size, maximum=size) for size in (256, 512)]
    with pytest.raises(ModelError, match="a takes at most 256 px, b at least 512 px"):
        joint_constraints(fixed, ["a", "b"])
    with pytest.raises(ModelError, match="multiples of 7 px"):
        joint_constraints([fixed[0], InputConstraints(multiple=7)], ["a", "b"])
