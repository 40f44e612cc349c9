from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.errors import ReadError
from pipeline.interfaces import Pixels
from pipeline.sources.wrappers.decoded_cache import Held, Need, Place, Unit

A, B, C = (0, 0), (0, 1), (0, 2)
SIZE = 3 * 8
LAST = (1, 9, 9)


def pixels(value: int = 0) -> Pixels:
    return Pixels(data=np.full((1, 2, 4), value, "uint16"), valid=np.ones((2, 4), bool))


def needs(*units: Unit, left: int = 9, following: Place = (0, 1, 0)) -> dict[Unit, Need]:
    return dict.fromkeys(units, Need(left, following, LAST))


def put(held: Held, unit: Unit, following: Place, now: Place = (0, 0, 0)) -> None:
    assert held.claim(needs(unit)).mine == [unit]
    with held.reading(now):
        held.deliver(unit, pixels(), Need(9, following, LAST))


def test_what_was_delivered_is_found_until_its_last_reader_took_it() -> None:
    held = Held(1000)
    assert held.claim(needs(A, B)).mine == [A, B]
    held.deliver(A, pixels(7), Need(2, (0, 1, 0), LAST))
    held.deliver(B, pixels(8), Need(0, (0, 1, 0), LAST))
    assert held.size == SIZE
    for left in (SIZE, 0):
        assert held.claim(needs(A)).found[A].data[0, 0, 0] == 7
        assert held.size == left
    assert held.claim(needs(A, B)).mine == [A, B]


def test_a_second_reader_waits_for_the_first() -> None:
    held = Held(1000)
    held.claim(needs(A))
    second = held.claim(needs(A, B))
    assert (second.mine, list(second.others)) == ([B], [A])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.others[A].result)
        held.deliver(A, pixels(5), Need(1, (0, 1, 0), LAST))
        assert waiting.result().data[0, 0, 0] == 5
    held.used(A, Need(1, (0, 1, 0), LAST))
    assert held.size == 0
    held.used(A, Need(1, (0, 1, 0), LAST))


def test_whoever_waits_for_what_cannot_be_read_may_try_by_himself() -> None:
    held = Held(1000)
    held.claim(needs(A))
    second = held.claim(needs(A))
    held.abandon([A])
    with pytest.raises(ReadError):
        second.others[A].result()
    assert held.claim(needs(A)).mine == [A]
    held.abandon([A, B])


def test_where_there_is_no_more_room_what_is_needed_last_goes() -> None:
    held = Held(2 * SIZE)
    put(held, A, (0, 1, 0))
    put(held, B, (0, 1, 4))
    put(held, C, (0, 1, 2))
    assert held.size == 2 * SIZE
    assert list(held.claim(needs(A, C)).found) == [A, C]
    assert held.claim(needs(B)).mine == [B]


def test_before_that_goes_what_was_needed_by_readers_that_did_not_come() -> None:
    held = Held(2 * SIZE)
    put(held, A, (0, 1, 0))
    put(held, B, (0, 9, 4), now=(0, 8, 4))
    put(held, C, (0, 9, 2), now=(0, 8, 2))
    assert list(held.claim(needs(B, C)).found) == [B, C]
    put(held, A, (1, 1, 0), now=(1, 0, 0))
    assert list(held.claim(needs(A)).found) == [A]


def test_what_comes_back_after_it_was_dropped_knows_who_has_read_it() -> None:
    held = Held(SIZE)
    with held.reading((0, 0, 0)):
        held.claim(needs(A, B))
        held.deliver(A, pixels(), Need(2, (0, 1, 0), LAST))
        held.claim(needs(A))
        held.deliver(B, pixels(), Need(9, (0, 0, 1), LAST))
        assert held.claim(needs(A)).mine == [A]
        held.deliver(A, pixels(), Need(2, (0, 0, 0), LAST))
        assert list(held.claim(needs(B)).found) == [B]


def test_what_nobody_will_read_any_more_is_let_go() -> None:
    held = Held(1000)
    put(held, A, (0, 1, 0))
    with held.reading((2, 1, 0)):
        held.claim({})
        assert held.size == SIZE
    with held.reading((2, 3, 0)):
        held.claim({})
        assert held.size == 0


def test_what_is_larger_than_the_room_is_not_held() -> None:
    held = Held(SIZE - 1)
    put(held, A, (0, 1, 0))
    assert held.size == 0
