from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import StoreError, Unfinished
from pipeline.geometry.shards import Shard
from pipeline.store.files.local import Disk
from pipeline.store.lease.claim_files import Claim, Claims, conflicts, read_store_id
from pipeline.store.lease.process_identity import this_process
from tests.store import leases

ALL, FIRST, SECOND, OTHER = None, Shard(index=1, count=3), Shard(index=2, count=3), Shard(index=1, count=4)


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations_with_replacement([ALL, FIRST, SECOND, OTHER], 2)))
def test_only_shards_of_the_same_number_of_shards_go_side_by_side(one: Shard | None, two: Shard | None) -> None:
    assert conflicts(one, two) == conflicts(two, one) == ({str(one), str(two)} != {"1/3", "2/3"})


def test_who_is_silent_is_dead_after_a_while_by_our_own_clock_and_it_is_said_that_we_wait(tmp_path: Path) -> None:
    claims, claim = leases.elsewhere(leases.store(tmp_path))
    said: list[str] = []
    began = time.monotonic()
    assert claims.wait_for_dead_holders([claim], said.append) == {claim.holder.token: None}
    assert time.monotonic() - began >= 0.3
    assert len(said) == 1
    assert "node7" in said[0]


@pytest.mark.slow
def test_the_longer_patience_counts_ours_or_the_holders(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    _, claim = leases.elsewhere(path, patience=0.4)
    for patience in (0.01, 0.4):
        began = time.monotonic()
        Claims.on(path, patience).wait_for_dead_holders([claim], lambda line: None)
        assert time.monotonic() - began >= 0.4


@pytest.mark.slow
def test_who_beats_is_alive_however_slowly(tmp_path: Path) -> None:
    claims, claim = leases.elsewhere(leases.store(tmp_path), patience=20)
    later = threading.Timer(0.2, lambda: claims.renew(claim, 1))
    later.start()
    with pytest.raises(Unfinished, match=r"a run \(process 7 on node7, since 2099-01-01 00:00:00 UTC"):
        claims.wait_for_dead_holders([claim], lambda line: None)
    later.join()


@pytest.mark.slow
def test_who_gives_its_claim_back_while_we_wait_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    claims, claim = leases.elsewhere(leases.store(tmp_path), patience=600)
    claims.renew(claim, 1)
    later = threading.Timer(0.2, lambda: claims.drop(claim))
    later.start()
    claims.wait_for_dead_holders([claim], lambda line: None)
    later.join()


def test_of_many_that_find_a_holder_dead_one_gets_the_claim(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    claims, dead = leases.elsewhere(path)
    made: list[Claim | None] = []
    start = threading.Barrier(12)

    def take() -> None:
        start.wait()
        made.append(claims.try_create(None, [dead], this_process("a run", 1)))

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [claim for claim in made if claim is not None]
    assert len(winners) == 1
    assert claims.still_exists(winners[0])
    assert winners[0].number == dead.number + 1


def test_a_claim_that_was_made_is_ours_even_where_the_storage_denies_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = leases.store(tmp_path), Disk.create
    monkeypatch.setattr(Disk, "create", lambda *args: real(*args) and False)
    _, claim = leases.elsewhere(path)
    assert leases.keys(path) == [claim.key.rpartition("/")[2]]


def test_who_comes_late_with_a_number_of_its_own_finds_the_one_who_came_first(tmp_path: Path) -> None:
    """It looked while number 4 was dead, froze, and goes on when that is buried and somebody else has begun to count
    anew."""
    path = leases.store(tmp_path)
    claims, quick = leases.elsewhere(path)
    holder = this_process("late", 1)
    late = Claim(key=f"{claims.folder}/all.000005.json", shard=None, number=5, holder=holder)
    assert claims._files.create(late.key, holder.dump())
    with pytest.raises(Unfinished, match="node7"):
        claims.resolve_race(late, [], {"of number 4": None})
    assert claims.still_exists(quick)


@pytest.mark.parametrize("shard", [ALL, FIRST, OTHER])
def test_a_claim_that_forbids_ours_is_seen_under_whatever_name_it_was_made(tmp_path: Path, shard: Shard | None) -> None:
    path = leases.store(tmp_path)
    claims, mine = leases.elsewhere(path, FIRST)
    leases.elsewhere(path, shard, host="node8")
    with pytest.raises(Unfinished, match="node8"):
        claims.resolve_race(mine, [], {})


def test_the_claims_of_the_dead_are_deleted_and_those_of_the_living_beside_us_are_not(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    _, dead = leases.elsewhere(path, FIRST)
    claims, beside = leases.elsewhere(path, SECOND)
    claims.renew(dead, 4)
    there = claims.conflicting(FIRST)
    assert there == [dead]
    mine = claims.try_create(FIRST, there, this_process("a run", 1))
    assert mine is not None
    claims.resolve_race(mine, there, {dead.holder.token: b"4"})
    assert leases.keys(path) == ["shard-001-of-003.000002.json", "shard-002-of-003.000001.json"]
    assert (claims.still_exists(dead), claims.still_exists(mine), claims.still_exists(beside)) == (False, True, True)
    assert not claims.renew(dead, 5)
    assert leases.keys(path) == ["shard-001-of-003.000002.json", "shard-002-of-003.000001.json"]


def test_who_takes_everything_leaves_nothing_of_the_dead(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    claims, _ = leases.elsewhere(path, FIRST)
    leases.elsewhere(path, SECOND)
    claims._files.put("0/mask/lease/of another store/all.000003.json", b"{}")
    claims._files.put(f"{claims.folder}/forgotten.beat", b"8")
    there = claims.conflicting(None)
    mine = claims.try_create(None, there, this_process("a run", 1))
    assert mine is not None
    claims.resolve_race(mine, there, {claim.holder.token: None for claim in there})
    assert leases.keys(path) == ["all.000001.json"]


def test_whoever_comes_back_to_life_while_it_is_taken_over_stops_the_one_who_takes_over(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    claims, dead = leases.elsewhere(path)
    mine = claims.try_create(None, [dead], this_process("a run", 1))
    assert mine is not None
    assert claims.renew(dead, 1)
    with pytest.raises(Unfinished, match="has come back"):
        claims.resolve_race(mine, [dead], {dead.holder.token: None})
    assert not claims.renew(dead, 2)


def test_who_is_taken_over_while_it_beats_knows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = leases.store(tmp_path), Disk.put
    claims, claim = leases.elsewhere(path)

    def slow(self: Disk, key: str, data: bytes) -> None:
        self.delete(claim.key)
        real(self, key, data)

    monkeypatch.setattr(Disk, "put", slow)
    assert not claims.renew(claim, 1)


def test_a_claim_under_our_key_by_somebody_else_is_neither_ours_nor_deleted(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    claims, first = leases.elsewhere(path)
    claims.drop(first)
    _, second = leases.elsewhere(path)
    assert first.key == second.key
    assert not claims.renew(first, 3)
    claims.drop(first)
    assert claims.still_exists(second)


def test_a_claim_that_cannot_be_read_is_waited_for_and_taken_over(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    claims = Claims.on(path, 0.1)
    claims._files.put(f"{claims.folder}/all.000004.json", b"{cut sh")
    there = claims.conflicting(None)
    seen = claims.wait_for_dead_holders(there, lambda line: None)
    mine = claims.try_create(None, there, this_process("a run", 1))
    assert mine is not None
    assert mine.number == 5
    claims.resolve_race(mine, there, seen)
    assert leases.keys(path) == ["all.000005.json"]


def test_leases_of_a_store_that_was_made_anew_are_those_of_another_one(tmp_path: Path) -> None:
    path = leases.store(tmp_path)
    claims, old = leases.elsewhere(path)
    (path / "zarr.json").write_text((path / "zarr.json").read_text().replace('"id": "one"', '"id": "two"'))
    assert read_store_id(path) == "two"
    assert Claims.on(path, 1).conflicting(None) == []
    assert claims.still_exists(old)


def test_a_store_of_before_there_were_ids_can_be_held(tmp_path: Path) -> None:
    path = leases.store(tmp_path, made="")
    claims, claim = leases.elsewhere(path)
    assert (read_store_id(path), claims.conflicting(None)) == ("", [claim])


def test_where_there_is_no_store_none_is_held_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a store of ours"):
        Claims.on(tmp_path / "a.zarr", 1)
    path = leases.store(tmp_path)
    claims, claim = leases.elsewhere(path)
    path.rename(tmp_path / "away.zarr")
    assert not claims.renew(claim, 1)
    claims.drop(claim)
    assert not path.exists()
