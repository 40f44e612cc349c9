from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.grid import Grid


def test_an_overview_keeps_the_corner_and_doubles_the_pixel() -> None:
    grid = Grid(height=101, width=64, transform=(10, 0, 500, 0, -10, 900)).level(1)
    assert (grid.height, grid.width, grid.transform) == (51, 32, (20, 0, 500, 0, -20, 900))


@given(st.integers(1, 4000), st.integers(0, 6))
def test_levels_compose(size: int, k: int) -> None:
    grid = Grid(height=size, width=2 * size)
    assert grid.level(k).level(1) == grid.level(k + 1)


def test_bounds_of_a_rotated_grid_hold_all_corners() -> None:
    assert Grid(height=2, width=3, transform=(0, 1, 10, -1, 0, 20)).bounds == (10, 17, 12, 20)
    assert not Grid(height=2, width=3, transform=(0, 1, 10, -1, 0, 20)).axis_aligned
