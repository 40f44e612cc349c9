from pipeline.engines.dask.retry_queue import MISSED, SUSPECT, Backlog


def test_new_items_come_in_their_order_and_are_taken_one_at_a_time() -> None:
    taken: list[int] = []
    backlog = Backlog(taken.append(k) or k for k in range(3))
    assert backlog.next(company=False).value == 0
    assert taken == [0]
    assert [backlog.next(company=True).value for _ in range(2)] == [1, 2]
    assert backlog.next(company=True) is None


def test_what_came_back_goes_out_before_anything_new() -> None:
    backlog = Backlog(range(3))
    first = backlog.next(company=False)
    backlog.back(first)
    assert backlog.next(company=True) is first
    assert backlog.next(company=True).value == 1


def test_an_item_that_workers_died_with_is_tried_again_and_then_alone_when_all_others_are_done() -> None:
    backlog = Backlog(range(2))
    first = backlog.next(company=False)
    for _ in range(SUSPECT - 1):
        assert not backlog.died(first)
        assert backlog.next(company=True) is first
    assert not backlog.died(first)
    assert backlog.next(company=False).value == 1
    assert backlog.next(company=True) is None
    assert backlog.next(company=False) is first
    assert first.alone
    assert backlog.died(first)
    assert backlog.next(company=False) is None


def test_several_deaths_count_at_once() -> None:
    backlog = Backlog(range(1))
    item = backlog.next(company=False)
    assert not backlog.died(item, deaths=4)
    assert backlog.next(company=True) is None
    assert backlog.next(company=False) is item


def test_an_item_that_came_back_from_its_trial_alone_was_not_tried() -> None:
    backlog = Backlog(range(1))
    item = backlog.next(company=False)
    backlog.died(item, deaths=SUSPECT)
    backlog.back(backlog.next(company=False))
    assert not backlog.died(backlog.next(company=False))


def test_an_item_that_may_never_have_reached_its_worker_is_not_blamed_for_the_first_time() -> None:
    backlog = Backlog(range(1))
    item = backlog.next(company=False)
    assert not backlog.died(item, deaths=SUSPECT)
    for _ in range(MISSED - 1):
        assert backlog.next(company=False).alone
        assert not backlog.missed(item)
        assert not item.alone
    assert backlog.next(company=False).alone
    assert backlog.missed(item)
