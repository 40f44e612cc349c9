from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError, LabelsError
from pipeline.train.class_counts import ClassCounts, complete, count_classes, part
from pipeline.train.scenes import Scene, index_table
from tests import scenes
from tests.train.conftest import ROWS, opened

TABLE = index_table(ROWS, [0, 1])


def test_every_labelled_pixel_is_counted_once_in_its_block(scene: Scene) -> None:
    atlas = count_classes([scene], TABLE, 2)
    label = scenes.read(Path(scene.name).with_name("labels.tif"))[0]
    assert atlas.total.tolist() == [(label == 0).sum(), (label == 1).sum()]
    for (_, (row, col)), counts in zip(atlas.places, atlas.counts, strict=True):
        block = label[row * 32 : row * 32 + 32, col * 32 : col * 32 + 32]
        assert counts.tolist() == [(block == 0).sum(), (block == 1).sum()]


def test_what_teaches_and_what_judges_part_the_blocks_and_hide_nothing_else(scene: Scene) -> None:
    atlas = count_classes([scene], TABLE, 2)
    taught, judged = part(atlas, 0.25, seed=3)
    assert set(taught.places) | set(judged.places) == set(atlas.places)
    assert not set(taught.places) & set(judged.places)
    assert len(judged.places) == round(0.25 * len(atlas.places))
    assert taught.scenes[0].validation_cells == {cell for _, cell in judged.places}
    assert judged.scenes[0].validation_cells == frozenset()
    # what is hidden is what judges
    assert count_classes(taught.scenes, TABLE, 2).total.tolist() == taught.total.tolist()


def test_every_class_is_held_out_by_about_the_share_that_was_asked_for(scene: Scene) -> None:
    atlas = count_classes([scene], TABLE, 2)
    rare = replace(atlas, counts=np.column_stack([atlas.counts, np.arange(len(atlas.counts)) % 7 == 0]))
    for seed in range(5):
        _, judged = part(rare, 0.3, seed)
        np.testing.assert_allclose(judged.total / rare.total, 0.3, atol=0.2)


def test_the_parting_is_that_of_its_seed(scene: Scene) -> None:
    atlas = count_classes([scene], TABLE, 2)
    assert part(atlas, 0.25, 1)[1].places == part(atlas, 0.25, 1)[1].places
    assert len({part(atlas, 0.25, seed)[1].places for seed in range(4)}) > 1


def test_scenes_of_one_ground_hold_out_the_same_blocks(pair: tuple[Path, Path], tmp_path: Path) -> None:
    later = scenes.write(tmp_path / "later.tif", scenes.position(160, 200)[::-1].copy())
    taught, judged = part(count_classes([opened(pair), opened((later, pair[1]))], TABLE, 2), 0.25, 0)
    assert taught.scenes[0].validation_cells == taught.scenes[1].validation_cells == {cell for _, cell in judged.places}
    assert {cell for _, cell in taught.places}.isdisjoint(cell for _, cell in judged.places)
    assert {scene for scene, _ in judged.places} == {0, 1}


def test_one_block_cannot_both_teach_and_judge(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"validation\.block smaller"):
        part(count_classes([opened(pair, block=512)], TABLE, 2), 0.2, 0)


def test_a_class_that_is_never_labelled_is_told_by_name(pair: tuple[Path, Path]) -> None:
    atlas = count_classes([opened(pair, area=[0, 0, 60, 200])], TABLE, 2)
    with pytest.raises(LabelsError, match="labelled high"):
        complete(atlas, ROWS)
    complete(count_classes([opened(pair)], TABLE, 2), ROWS)


def test_a_scene_of_which_nothing_is_known_is_told_by_name(pair: tuple[Path, Path], tmp_path: Path) -> None:
    nothing = scenes.write(tmp_path / "nothing.tif", np.full((1, 160, 200), 255, dtype="uint8"), nodata=255)
    with pytest.raises(LabelsError, match=r"image\.tif know nothing of it"):
        count_classes([opened(pair), opened((pair[0], nothing))], TABLE, 2)


def test_a_code_that_is_no_class_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    seven = scenes.write(tmp_path / "seven.tif", np.full((1, 160, 200), 7, dtype="uint8"))
    with pytest.raises(LabelsError, match="holds 7, which is no class"):
        count_classes([opened((pair[0], seven))], TABLE, 2)


def test_an_atlas_has_no_place_without_a_label(pair: tuple[Path, Path], tmp_path: Path) -> None:
    label = np.full((1, 160, 200), 255, dtype="uint8")
    label[0, 70:75, 100:110] = 1
    atlas: ClassCounts = count_classes(
        [opened((pair[0], scenes.write(tmp_path / "few.tif", label, nodata=255)))], TABLE, 2
    )
    assert atlas.places == ((0, (2, 3)),)
    assert atlas.counts.tolist() == [[0, 50]]
