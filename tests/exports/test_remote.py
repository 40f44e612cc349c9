"""Exports to object storage: whole or absent, and nothing left of uploads that were killed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import boto3
import pytest

from pipeline.exports import export
from pipeline.exports.mark import is_foreign
from pipeline.exports.task import ExportRequest, ExportTask
from pipeline.exports.write import scratch_place
from pipeline.locations import Remote
from pipeline.store.files import files_at, object_storage, uploads
from tests.exports.test_pictures import META, task
from tests.storage import BUCKET, Storage
from tests.store import specs


def remote(folder: Path) -> Remote:
    return Remote(f"s3://{BUCKET}/{folder.name}/a.mask.tif")


def request(folder: Path, out: Remote) -> ExportTask:
    local = task(folder, specs.spec(), "cog")
    return ExportTask(local.store, local.spec, META, ExportRequest(to="cog", out=out))


@pytest.mark.slow
@pytest.mark.parametrize("large", [False, True])
def test_a_file_on_object_storage_is_the_one_on_disk(
    s3: Storage, tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_storage, "LARGE_BYTES", 0 if large else object_storage.LARGE_BYTES)
    out = remote(tmp_path)
    assert export(request(tmp_path, out)) == out
    assert not is_foreign(out, "a.zarr")
    local = export(task(tmp_path, specs.spec(), "cog"))
    assert files_at(out.parent).get(out.name) == local.read_bytes()
    assert any("uploadId" in path or "uploads" in path for _, path, _ in s3.asked) == large


@pytest.mark.slow
def test_parts_of_a_killed_upload_are_found_and_aborted(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_storage, "LARGE_BYTES", 0)
    client = boto3.client("s3", endpoint_url=s3.url)
    out, other = remote(tmp_path), f"{tmp_path.name}/a.mask.tif.other"
    for key in (out.key, other):
        client.create_multipart_upload(Bucket=BUCKET, Key=key)
    export(request(tmp_path, out))
    pending = client.list_multipart_uploads(Bucket=BUCKET, Prefix=tmp_path.name).get("Uploads", [])
    assert [upload["Key"] for upload in pending] == [other]


@pytest.mark.slow
def test_what_a_killed_export_left_in_the_temporary_folder_is_swept(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = remote(tmp_path)
    own, other = (
        tmp_path / f".{scratch_place(place).name}.{'0' * 32}.partial" for place in (out, out.parent / "b" / out.name)
    )
    for folder in (own, other):
        folder.mkdir()
        os.utime(folder, (1_000_000_000, 1_000_000_000))
    export(request(tmp_path, out))
    assert (own.exists(), other.exists()) == (False, True)
    assert [path.name for path in tmp_path.glob("*.partial")] == [other.name]


@pytest.mark.slow
@pytest.mark.parametrize("remote_", [False, True])
def test_a_mark_is_seen_at_either_end_of_a_file(s3: Storage, tmp_path: Path, remote_: bool) -> None:
    """Parquet says all of itself at its end."""
    folder = remote(tmp_path).parent if remote_ else tmp_path
    mark, noise = b"wholecloth-export store=a.zarr id=1 state=2.", b"x" * 200_000
    for name, content in (("first", mark + noise), ("last", noise + mark), ("none", noise), ("small", mark)):
        files_at(folder).put(name, content)
        assert is_foreign(folder / name, "a.zarr") == (name == "none")


def test_other_storage_drops_parts_by_itself() -> None:
    assert uploads.abort_uploads("gs", "bucket", "key") == 0
