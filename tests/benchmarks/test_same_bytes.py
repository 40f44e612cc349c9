"""What the comparison of two revisions covers, what it passes over, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.same_bytes.checksums import checksums, differences, explained
from benchmarks.same_bytes.jobs import jobs
from pipeline.models import KINDS


def test_every_kind_of_network_has_a_job(tmp_path: Path) -> None:
    assert {job.kind for job in jobs(tmp_path)} == set(KINDS)


def test_jobs_cover_every_form_of_a_store_and_of_a_run(tmp_path: Path) -> None:
    configs = [job.config for job in jobs(tmp_path)]
    assert {config["execution"]["engine"] for config in configs} == {"serial", "threads", "processes"}
    assert {config["output"].get("zarr_format", 3) for config in configs} == {2, 3}
    assert {layer for config in configs for layer in config["output"].get("layers", ["mask"])} == {
        "mask",
        "confidence",
        "probabilities",
        "entropy",
    }
    for section, key in (("source", "aoi"), ("output", "shard"), ("tile", "overlap"), ("tile", "augment")):
        assert any(key in config.get(section, {}) for config in configs), key
    assert any(job.shards for job in jobs(tmp_path))
    assert any(job.is_remote for job in jobs(tmp_path))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two stores of a chunk and a root, made at different times."""
    for name in ("before", "after"):
        write(
            tmp_path / name,
            {
                "fingerprint": {"tile.size": 96},
                "id": name,
                "versions": {"torch": name},
                "costs": {"libraries": len(name), "code": 1},
            },
        )
    return tmp_path / "before", tmp_path / "after"


def write(folder: Path, attribute: dict[str, Any]) -> None:
    (folder / "a.zarr" / "c").mkdir(parents=True, exist_ok=True)
    (folder / "a.zarr" / "c" / "0").write_bytes(b"chunk")
    (folder / "a.zarr" / "zarr.json").write_text(json.dumps({"attributes": {"wholecloth": attribute}}))


def test_ids_releases_and_measured_memory_are_no_difference(folders: tuple[Path, Path]) -> None:
    before, after = folders
    assert differences(checksums(before), checksums(after)) == []


def test_a_byte_of_a_chunk_and_a_missing_file_are_differences(folders: tuple[Path, Path]) -> None:
    before, after = folders
    (after / "a.zarr" / "c" / "0").write_bytes(b"Chunk")
    (after / "a.zarr" / "zarr.json").unlink()
    assert differences(checksums(before), checksums(after)) == [
        "a.zarr/zarr.json is missing after",
        "a.zarr/c/0 differs",
    ]


def test_a_key_of_metadata_is_named_with_both_values(folders: tuple[Path, Path]) -> None:
    before, after = folders
    write(after, {"fingerprint": {"tile.size": 97}, "costs": {"code": 1}})
    assert differences(checksums(before), checksums(after)) == ["a.zarr/zarr.json differs"]
    (sentence,) = explained("a.zarr/zarr.json", before, after)
    assert sentence.split() == ["/attributes/wholecloth/fingerprint/tile.size:", "96", "before,", "97", "after"]
