import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import AugmentConfig, TrainingConfig
from pipeline.errors import LabelsError
from pipeline.train.class_counts import count_classes, part
from pipeline.train.dataset import WindowSampler, measure_normalisation
from pipeline.train.scenes import UNKNOWN_INDEX, Scene, index_table
from tests import scenes
from tests.train.conftest import ROWS, opened

TABLE = index_table(ROWS, [0, 1])
STILL = AugmentConfig(flip=False, turn=False, gain=0)


def drawing(scene: Scene, augment: AugmentConfig = STILL, **how: Any) -> WindowSampler:
    said = TrainingConfig(scenes=[{"path": "a", "labels": {"path": "b"}}], **{"window": 24, **how}).model_copy(
        update={"augment": augment}
    )
    return WindowSampler(class_counts=count_classes([scene], TABLE, 2), table=TABLE, training=said, retries=0)


def test_a_window_is_that_of_its_number_in_whatever_order_and_process(scene: Scene) -> None:
    draw = drawing(scene, AugmentConfig(rotate=30, zoom=0.3))
    first = [draw(number).pixels.data for number in (0, 1, 2)]
    again = [pickle.loads(pickle.dumps(draw))(number).pixels.data for number in (2, 1, 0)]
    for one, other in zip(first, reversed(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], first[1])
    other = replace(draw, training=draw.training.model_copy(update={"seed": 5}))
    assert not np.array_equal(other(0).pixels.data, first[0])


def test_pixels_and_labels_belong_together_and_nodata_teaches_nothing(scene: Scene) -> None:
    for number in range(20):
        drawn = drawing(scene, AugmentConfig(gain=0))(number)
        valid = drawn.pixels.valid
        np.testing.assert_array_equal(drawn.label[valid], drawn.pixels.data[0][valid] > 80)
        assert (drawn.label[~valid] == UNKNOWN_INDEX).all()


@pytest.mark.slow
def test_a_balance_of_one_shows_each_class_in_every_other_window(pair: tuple[Path, Path], tmp_path: Path) -> None:
    rare = np.zeros((1, 160, 200), dtype="uint8")
    rare[0, 100:103, 100:103] = 1
    scene = opened((pair[0], scenes.write(tmp_path / "rare.tif", rare)))
    shown = [(drawing(scene, balance=1.0)(number).label == 1).any() for number in range(60)]
    left = [(drawing(scene, balance=0.0)(number).label == 1).any() for number in range(60)]
    assert 15 < sum(shown) < 50
    assert sum(left) < 10


def test_a_drawn_pixel_is_in_the_window_however_it_is_turned_and_stretched(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = np.full((1, 160, 200), 255, dtype="uint8")
    label[0, 100:103, 100:103] = 1
    scene = opened((pair[0], scenes.write(tmp_path / "only.tif", label, nodata=255)))
    monkeypatch.setattr("pipeline.train.dataset.MAX_EMPTY_WINDOWS", 1)  # a window without it is an error
    draw = drawing(scene, AugmentConfig(rotate=180, zoom=0.9), window=12)
    sizes = [int((draw(number).label == 1).sum()) for number in range(200)]
    assert min(sizes) >= 1
    assert max(sizes) > 9  # zoomed into


def test_windows_stay_within_the_area_and_the_held_out_blocks_say_nothing(pair: tuple[Path, Path]) -> None:
    atlas = count_classes([opened(pair, area=[40, 40, 100, 100])], TABLE, 2)
    taught, judged = part(atlas, 0.3, 0)
    draw = replace(drawing(opened(pair)), class_counts=taught)
    seen = np.zeros((160, 200), dtype=bool)
    for number in range(150):
        drawn = draw(number)
        row, col = int(drawn.pixels.data[0].min()) - 1, int(drawn.pixels.data[1].min()) - 1  # pixels say where they are
        assert (row >= 40, col >= 40, row + 24 <= 140, col + 24 <= 140) == (True,) * 4
        seen[row : row + 24, col : col + 24] |= drawn.label != UNKNOWN_INDEX
    for _, cell in judged.places:
        assert not seen[judged.scenes[0].window(cell).slices].any()
    assert seen.sum() > 0.9 * taught.total.sum()


def test_a_scene_smaller_than_the_window_is_padded_with_what_teaches_nothing(pair: tuple[Path, Path]) -> None:
    drawn = drawing(opened(pair, area=[60, 60, 10, 10]))(0)
    assert drawn.label.shape == (24, 24)
    assert (drawn.label != UNKNOWN_INDEX).sum() == 100


def test_labels_where_the_image_is_nodata_are_told_instead_of_drawn_for_ever(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    label = np.full((1, 160, 200), 255, dtype="uint8")
    label[0, :10, :10] = 1  # the corner without data
    scene = opened((pair[0], scenes.write(tmp_path / "corner.tif", label, nodata=255)))
    with pytest.raises(LabelsError, match="50 windows in a row hold no pixel that is both valid and labelled"):
        drawing(scene, window=8)(0)


def test_a_normalisation_far_from_zero_keeps_its_digits(pair: tuple[Path, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    far = scenes.write(tmp_path / "far.tif", (50013 + rng.normal(0, 2, (3, 160, 200))).astype("float32"))
    said = measure_normalisation(drawing(opened((far, pair[1]))))
    np.testing.assert_allclose(said["mean"], 50013, atol=0.05)
    np.testing.assert_allclose(said["std"], 2, rtol=0.05)


def test_a_normalisation_nobody_gave_is_that_of_the_valid_pixels(scene: Scene) -> None:
    said = measure_normalisation(drawing(scene))
    pixels = scenes.read(Path(scene.name))
    known = pixels[:, (pixels != 0).any(0)]
    np.testing.assert_allclose(said["mean"], known.mean(1), rtol=0.25)
    np.testing.assert_allclose(said["std"], known.std(1), rtol=0.25)
