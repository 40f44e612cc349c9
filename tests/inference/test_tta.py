import numpy as np
import pytest
import torch

from pipeline.inference.tta import TTA_GROUPS

ALL = [turn for group in TTA_GROUPS.values() for turn in group]


@pytest.mark.parametrize("turn", ALL, ids=str)
def test_a_turn_is_undone(turn: object) -> None:
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    assert torch.equal(turn.invert(turn.apply(x)), x)


def test_the_flips_are_four_and_the_dihedral_group_is_all_eight() -> None:
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    turned = {name: {tuple(turn.apply(x).flatten().tolist()) for turn in group} for name, group in TTA_GROUPS.items()}
    square = np.arange(9.0).reshape(3, 3)
    every = {tuple(np.rot90(side, k).flatten()) for side in (square, square[:, ::-1]) for k in range(4)}
    assert turned["none"] == {tuple(square.flatten())}
    assert turned["flips"] == {
        tuple(part.flatten()) for part in (square, square[::-1], square[:, ::-1], square[::-1, ::-1])
    }
    assert turned["dihedral"] == every
