from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.errors import ReadError
from pipeline.interfaces import Pixels
from pipeline.sources.wrappers.decoded_cache import DecodedCache, RemainingReaders, SweepPosition, Unit

A, B, C = (0, 0), (0, 1), (0, 2)
SIZE = 3 * 8
LAST = (1, 9, 9)


def pixels(value: int = 0) -> Pixels:
    return Pixels(data=np.full((1, 2, 4), value, "uint16"), valid=np.ones((2, 4), bool))


def needs(*units: Unit, left: int = 9, following: SweepPosition = (0, 1, 0)) -> dict[Unit, RemainingReaders]:
    return dict.fromkeys(units, RemainingReaders(left, following, LAST))


def put(held: DecodedCache, unit: Unit, following: SweepPosition, now: SweepPosition = (0, 0, 0)) -> None:
    assert held.lookup(needs(unit)).to_decode == [unit]
    with held.reading(now):
        held.put(unit, pixels(), RemainingReaders(9, following, LAST))


def test_what_was_delivered_is_found_until_its_last_reader_took_it() -> None:
    held = DecodedCache(1000)
    assert held.lookup(needs(A, B)).to_decode == [A, B]
    held.put(A, pixels(7), RemainingReaders(2, (0, 1, 0), LAST))
    held.put(B, pixels(8), RemainingReaders(0, (0, 1, 0), LAST))
    assert held.size == SIZE
    for left in (SIZE, 0):
        assert held.lookup(needs(A)).hits[A].data[0, 0, 0] == 7
        assert held.size == left
    assert held.lookup(needs(A, B)).to_decode == [A, B]


def test_a_second_reader_waits_for_the_first() -> None:
    held = DecodedCache(1000)
    held.lookup(needs(A))
    second = held.lookup(needs(A, B))
    assert (second.to_decode, list(second.pending)) == ([B], [A])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.pending[A].result)
        held.put(A, pixels(5), RemainingReaders(1, (0, 1, 0), LAST))
        assert waiting.result().data[0, 0, 0] == 5
    held.release(A, RemainingReaders(1, (0, 1, 0), LAST))
    assert held.size == 0
    held.release(A, RemainingReaders(1, (0, 1, 0), LAST))


def test_whoever_waits_for_what_cannot_be_read_may_try_by_himself() -> None:
    held = DecodedCache(1000)
    held.lookup(needs(A))
    second = held.lookup(needs(A))
    held.give_up([A])
    with pytest.raises(ReadError):
        second.pending[A].result()
    assert held.lookup(needs(A)).to_decode == [A]
    held.give_up([A, B])


def test_where_there_is_no_more_room_what_is_needed_last_goes() -> None:
    held = DecodedCache(2 * SIZE)
    put(held, A, (0, 1, 0))
    put(held, B, (0, 1, 4))
    put(held, C, (0, 1, 2))
    assert held.size == 2 * SIZE
    assert list(held.lookup(needs(A, C)).hits) == [A, C]
    assert held.lookup(needs(B)).to_decode == [B]


def test_before_that_goes_what_was_needed_by_readers_that_did_not_come() -> None:
    held = DecodedCache(2 * SIZE)
    put(held, A, (0, 1, 0))
    put(held, B, (0, 9, 4), now=(0, 8, 4))
    put(held, C, (0, 9, 2), now=(0, 8, 2))
    assert list(held.lookup(needs(B, C)).hits) == [B, C]
    put(held, A, (1, 1, 0), now=(1, 0, 0))
    assert list(held.lookup(needs(A)).hits) == [A]


def test_what_comes_back_after_it_was_dropped_knows_who_has_read_it() -> None:
    held = DecodedCache(SIZE)
    with held.reading((0, 0, 0)):
        held.lookup(needs(A, B))
        held.put(A, pixels(), RemainingReaders(2, (0, 1, 0), LAST))
        held.lookup(needs(A))
        held.put(B, pixels(), RemainingReaders(9, (0, 0, 1), LAST))
        assert held.lookup(needs(A)).to_decode == [A]
        held.put(A, pixels(), RemainingReaders(2, (0, 0, 0), LAST))
        assert list(held.lookup(needs(B)).hits) == [B]


def test_what_nobody_will_read_any_more_is_let_go() -> None:
    held = DecodedCache(1000)
    put(held, A, (0, 1, 0))
    with held.reading((2, 1, 0)):
        held.lookup({})
        assert held.size == SIZE
    with held.reading((2, 3, 0)):
        held.lookup({})
        assert held.size == 0


def test_what_is_larger_than_the_room_is_not_held() -> None:
    held = DecodedCache(SIZE - 1)
    put(held, A, (0, 1, 0))
    assert held.size == 0
