"""The reference looks further than the run, as far as it may."""

from pathlib import Path

import pytest

from pipeline.geometry.window import Window
from pipeline.interfaces import Locality, Radius
from pipeline.quality.verify import wide_halo_reference
from tests.quality.verify import made


def known(radius: int | None, verdict: str) -> Locality:
    reach = None if radius is None else Radius(top=radius, bottom=radius, left=1, right=1)
    return Locality(verdict=verdict, stride=8, radius=reach, bands=3, classes=4, minimum=8)


@pytest.mark.parametrize(
    ("locality", "halo", "size", "expected"),
    [
        (known(30, "local"), 32, 256, 72),
        (known(30, "local"), 0, 256, 40),
        (known(30, "local"), None, 256, 40),
        (known(30, "unproven"), 32, 256, 72),
        (known(7, "not local"), None, 256, 256),
        (known(None, "not local"), 200, 256, 400),
    ],
)
def test_the_halo_is_beyond_the_radius_or_as_wide_as_a_tile(
    locality: Locality, halo: int | None, size: int, expected: int
) -> None:
    assert wide_halo_reference.target_halo(locality, halo, size, 8) == expected


@pytest.mark.slow
def test_a_tile_is_aligned_and_clipped_at_the_padded_edge(tmp_path: Path) -> None:
    job = made.job_of(made.store(tmp_path, tile={"size": 96}), [])
    around = wide_halo_reference.reference_halo(job)
    assert (around.side, around.halo) == (128, around.target)
    tile = around.tile(job, Window(row=171, col=101, height=128, width=128))
    assert tile.read.row == 168 - around.halo
    assert tile.read.rows.stop == 300
    assert tile.read.col == 100 - around.halo
    assert tile.read.cols.stop == 232 + around.halo


@pytest.mark.slow
def test_memory_keeps_the_reference_as_narrow_as_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = made.job_of(made.store(tmp_path, **made.blended(tmp_path)), [])
    assert wide_halo_reference.reference_halo(job).halo == 96
    monkeypatch.setattr(wide_halo_reference, "_room", lambda plan: 200 * 200)
    narrow = wide_halo_reference.reference_halo(job)
    assert narrow.side == 100
    assert 0 < narrow.halo < narrow.target
    assert narrow.tile(job, Window(row=100, col=100, height=100, width=100)).read.pixels <= 200 * 200
