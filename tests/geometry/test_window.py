import numpy as np

from pipeline.geometry.window import Window


def test_a_window_within_another_picks_the_same_pixels() -> None:
    raster = np.arange(30 * 40).reshape(30, 40)
    outer, inner = Window(row=3, col=5, height=20, width=25), Window(row=7, col=11, height=6, width=9)
    assert (raster[outer.slices][inner.index_in(outer)] == raster[inner.slices]).all()


def test_clip_cuts_at_the_raster() -> None:
    assert Window(row=-3, col=5, height=10, width=50).clip(5, 20) == Window(row=0, col=5, height=5, width=15)
