from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.raster.window import Window
from pipeline.training import judge
from pipeline.training.recipes import RECIPES
from tests import scenes

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def test_a_store_is_compared_in_the_judged_area_only_whatever_the_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "PIECE", 16)
    label = (scenes.position(50, 70, 1) // 3 % 2).astype("uint8")
    mask = label[0].copy()
    mask[:, :20] = 1 - mask[:, :20]
    mask[30:35, 40:44] = 255
    zarr.create_array(store=tmp_path / "a.zarr", name="0/mask", data=mask, chunks=(32, 32))
    labels = scenes.write(tmp_path / "labels.tif", label)
    area = Window(row=10, col=20, height=40, width=50)
    found = judge.compare(tmp_path / "a.zarr", labels, area, 2)
    assert found.counts.sum() == area.pixels
    assert found.counts[:, 2].sum() == 5 * 4
    assert np.diag(found.counts[:, :2]).sum() == area.pixels - 5 * 4
    whole = judge.compare(tmp_path / "a.zarr", labels, Window(row=0, col=0, height=50, width=70), 2)
    assert np.diag(whole.counts[:, :2]).sum() == 50 * 50 - 5 * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "name", "uri", "least"), [("satellite", "satellite", "sample://satellite?seed=104&size=1024", 0.9), ("medical", "ihc", "sample://ihc", 0.8)]
)
def test_the_weights_at_hand_do_well_where_they_never_learnt(config: str, name: str, uri: str, least: float) -> None:
    found = judge.judge(CONFIGS / f"{config}.yaml", uri, RECIPES[name])
    assert np.nanmean(found.iou()) > least
    assert found.counts[:, -1].sum() == 0
