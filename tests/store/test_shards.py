from pathlib import Path

import pytest

from pipeline.geometry.shards import Shard
from pipeline.store import shards
from pipeline.store.shards import delete_shard_notes, shard_notes_folder, unreported_shards, write_shard_note


def shard(index: int, count: int) -> Shard:
    return Shard(index=index, count=count)


def test_shards_that_have_not_said_that_they_are_through_are_named(tmp_path: Path) -> None:
    assert unreported_shards(tmp_path) is None
    for index, whole in ((1, True), (2, False), (4, True)):
        write_shard_note(tmp_path, shard(index, 5), whole)
    assert unreported_shards(tmp_path) == (5, [2, 3, 5])
    write_shard_note(tmp_path, shard(2, 5), True)
    assert unreported_shards(tmp_path) == (5, [3, 5])


def test_the_youngest_note_says_how_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for when, one in ((20.0, shard(2, 3)), (10.0, shard(1, 9)), (15.0, shard(2, 9))):
        monkeypatch.setattr(shards.time, "time", lambda when=when: when)
        write_shard_note(tmp_path, one, True)
    assert unreported_shards(tmp_path) == (3, [1, 3])


@pytest.mark.parametrize("said", [b"", b"{cut sh", b"[]", b'{"whole": true}'])
def test_a_note_that_cannot_be_read_says_nothing(tmp_path: Path, said: bytes) -> None:
    write_shard_note(tmp_path, shard(1, 2), True)
    (tmp_path / shard_notes_folder(tmp_path) / f"{shard(2, 2).name}.json").write_bytes(said)
    (tmp_path / shard_notes_folder(tmp_path) / "something else").write_bytes(b"{}")
    assert unreported_shards(tmp_path) == (2, [2])


def test_notes_go_when_all_is_there(tmp_path: Path) -> None:
    write_shard_note(tmp_path, shard(1, 2), True)
    delete_shard_notes(tmp_path)
    assert unreported_shards(tmp_path) is None
    assert not list((tmp_path / shard_notes_folder(tmp_path)).iterdir())
