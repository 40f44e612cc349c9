"""What is measured, piece by piece: windows, references, networks, and processes watched from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.windows import Window

from benchmarks.performance import networks, reference
from benchmarks.performance.ceilings.reading import aligned
from benchmarks.performance.watch import Limits, environment_for, watch
from pipeline.sources.samples import sample_raster

CALM = Limits(memory=2**40, seconds=60)


@pytest.mark.parametrize(
    ("height", "width", "block"),
    [(2048, 3000, (512, 512)), (700, 5000, (1, 5000)), (50, 60, (512, 512)), (3000, 1000, (256, 128))],
)
def test_windows_cover_the_raster_once_and_cut_no_block(height: int, width: int, block: tuple[int, int]) -> None:
    seen = np.zeros((height, width), np.uint8)
    for window in aligned(height, width, block):
        assert window.row_off % block[0] == 0
        assert window.col_off % block[1] == 0
        seen[window.toslices()] += 1
    assert (seen == 1).all()


def test_what_fits_is_its_own_reference() -> None:
    assert reference.parts(900, 1000, side=1000, multiple=16, radius=20) == (
        Window(0, 0, 1000, 900),
        Window(0, 0, 1000, 900),
    )


def test_what_does_not_fit_keeps_what_no_cut_reaches() -> None:
    seen, kept = reference.parts(9000, 8000, side=1000, multiple=16, radius=20)
    assert (seen.row_off % 16, seen.col_off % 16, seen.height, seen.width) == (0, 0, 992, 992)
    assert kept == Window(seen.col_off + 21, seen.row_off + 21, 992 - 42, 992 - 42)


@pytest.mark.parametrize(("side", "radius"), [(1000, None), (1000, 600)])
def test_a_part_says_nothing_where_the_network_looks_beyond_it(side: int, radius: int | None) -> None:
    assert reference.parts(9000, 8000, side, 16, radius)[1] is None


def test_ties_are_those_of_the_two_best() -> None:
    logits = torch.tensor([[8.0, 5.0, -1.0], [8.0 - 1e-5, 1.0, -1.0], [1.0, 1.0, -9.0]])[:, None]
    labels, ties = reference.decoded(logits)
    assert labels[0, :2].tolist() == [0, 0]
    assert ties.tolist() == [[True, False, True]]


@pytest.mark.nightly("scale")
@pytest.mark.parametrize("kind", networks.NETWORKS)
def test_networks_know_every_class_and_look_around(kind: str, tmp_path: Path) -> None:
    raster = sample_raster("sample://satellite?seed=7&size=512")
    networks.make({"kind": kind, "raster": str(raster), "network": str(tmp_path / "network.pt"), "narrower": 4})
    with rasterio.open(raster) as src:
        x = torch.from_numpy(src.read(window=Window(128, 128, 256, 384)).astype("float32"))[None]
    logits = torch.jit.load(tmp_path / "network.pt")(x)
    shares = torch.bincount(logits.argmax(1).flatten(), minlength=networks.CLASSES) / logits[0, 0].numel()
    assert logits.shape == (1, networks.CLASSES, 384, 256)
    assert shares.min() > 0.01, "a network whose signal has died hides every seam"


@pytest.mark.slow
def test_a_process_answers_and_its_memory_is_seen(tmp_path: Path) -> None:
    code = (
        "import sys, time; held = bytearray(200 * 2**20); time.sleep(0.3); del held; open(sys.argv[1], "
        "'w').write('{\"a\": 1}'); time.sleep(0.2)"
    )
    found = watch([sys.executable, "-c", code, str(tmp_path / "answer.json")], tmp_path / "answer.json", {}, CALM)
    assert (found.status, found.answer) == ("ok", {"a": 1})
    assert 200 * 2**20 < found.peak < 400 * 2**20


@pytest.mark.slow
def test_memory_of_children_counts(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; held = "
        "bytearray(200 * 2**20); time.sleep(1.5)'])"
    )
    found = watch([sys.executable, "-c", code], tmp_path / "answer.json", {}, CALM)
    assert found.peak > 200 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(memory=2**40, seconds=0.5), "stopped after 0.5 s"),
        (Limits(memory=100 * 2**20, seconds=60), "stopped at 0.0977 GiB"),
    ],
)
def test_a_process_beyond_a_limit_is_stopped(limits: Limits, said: str, tmp_path: Path) -> None:
    code = "import time; held = bytearray(200 * 2**20); time.sleep(60)"
    found = watch([sys.executable, "-c", code], tmp_path / "answer.json", {}, limits)
    assert found.status == said
    assert found.wall < 30


def test_a_process_that_fails_is_told_by_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"of": "an earlier run"}')
    found = watch([sys.executable, "-c", "raise ValueError('no such tile')"], tmp_path / "answer.json", {}, CALM)
    assert (found.status, found.answer) == ("failed: ValueError: no such tile", {})


def test_settings_of_the_one_who_measures_reach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = environment_for({"MALLOC_TOP_PAD_": "5"})
    assert not {"MALLOC_ARENA_MAX", "OMP_NUM_THREADS"} & set(found)
    assert found["MALLOC_TOP_PAD_"] == "5"
