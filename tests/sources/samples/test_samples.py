from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.errors import SourceError
from pipeline.runtime.resources import cache_folder
from pipeline.sources import samples


def test_a_sample_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = samples.sample_raster("sample://ihc?size=256")
    monkeypatch.setitem(samples.KINDS, "ihc", replace(samples.KINDS["ihc"], make=lambda *_: pytest.fail("made again")))
    assert samples.sample_raster("sample://ihc?size=256") == first


def test_two_that_make_it_at_once_get_the_same_whole_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(2, timeout=60)

    def make(raster: Path, labels: Path, seed: int, size: int) -> None:
        together.wait()
        raster.write_text(f"{seed} {size}")
        labels.write_text("labels")
        together.wait()

    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path))
    monkeypatch.setitem(samples.KINDS, "ihc", replace(samples.KINDS["ihc"], make=make))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(samples.sample_raster, ["sample://ihc?seed=7"] * 2)
    assert first == second
    assert first.read_text() == "7 512"
    assert [path.name for path in (tmp_path / "samples").iterdir()] == [first.parent.name]


def test_what_could_not_be_made_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(raster: Path, labels: Path, seed: int, size: int) -> None:
        raster.write_text("half")
        raise OSError("no space left")

    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path))
    monkeypatch.setitem(samples.KINDS, "ihc", replace(samples.KINDS["ihc"], make=make))
    with pytest.raises(SourceError, match=r"no space left.*WHOLECLOTH_CACHE"):
        samples.sample_raster("sample://ihc")
    assert list((tmp_path / "samples").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SourceError, match="WHOLECLOTH_CACHE"):
        samples.sample_raster("sample://ihc")


def test_both_files_are_copied_on_request(tmp_path: Path) -> None:
    cached, copied = samples.materialise("ihc?size=64"), samples.materialise("ihc?size=64", tmp_path / "new")
    assert cached.raster.is_relative_to(cache_folder())
    assert copied.raster.read_bytes() == cached.raster.read_bytes()
    assert copied.labels.read_bytes() == cached.labels.read_bytes()
    assert copied.classes == ("background", "nuclei", "stained")


def test_a_seed_may_be_given_beside_the_name() -> None:
    given = samples.materialise("satellite?seed=1&size=64", seed=5)
    assert given.raster == samples.sample_raster("sample://satellite?seed=5&size=64")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="cannot be written"):
        samples.materialise("ihc?size=64", tmp_path / "file" / "new")


@pytest.mark.parametrize(
    "uri",
    [
        "sample://moon",
        "sample://ihc?colour=1",
        "sample://ihc?size=big",
        "sample://ihc?size=²",
        "sample://ihc?size=10",
        "sample://ihc/left",
        "sample://ihc?seed=1&seed=2",
        "sample://ihc?seed=-1",
        "sample://ihc?seed=1#2",
        f"sample://ihc?seed={'9' * 5000}",
    ],
)
def test_what_is_no_sample_is_told(uri: str) -> None:
    with pytest.raises(SourceError, match="sample"):
        samples.sample_raster(uri)
