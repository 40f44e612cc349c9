from pipeline.engines.dask.retry_queue import DEATHS_UNTIL_ISOLATED, LOSSES_UNTIL_BLAMED, RetryQueue


def test_new_items_come_in_their_order_and_are_taken_one_at_a_time() -> None:
    taken: list[int] = []
    backlog = RetryQueue(taken.append(k) or k for k in range(3))
    assert backlog.next(others_in_flight=False).value == 0
    assert taken == [0]
    assert [backlog.next(others_in_flight=True).value for _ in range(2)] == [1, 2]
    assert backlog.next(others_in_flight=True) is None


def test_what_came_back_goes_out_before_anything_new() -> None:
    backlog = RetryQueue(range(3))
    first = backlog.next(others_in_flight=False)
    backlog.requeue(first)
    assert backlog.next(others_in_flight=True) is first
    assert backlog.next(others_in_flight=True).value == 1


def test_an_item_that_workers_died_with_is_tried_again_and_then_alone_when_all_others_are_done() -> None:
    backlog = RetryQueue(range(2))
    first = backlog.next(others_in_flight=False)
    for _ in range(DEATHS_UNTIL_ISOLATED - 1):
        assert not backlog.died(first)
        assert backlog.next(others_in_flight=True) is first
    assert not backlog.died(first)
    assert backlog.next(others_in_flight=False).value == 1
    assert backlog.next(others_in_flight=True) is None
    assert backlog.next(others_in_flight=False) is first
    assert first.is_isolated
    assert backlog.died(first)
    assert backlog.next(others_in_flight=False) is None


def test_several_deaths_count_at_once() -> None:
    backlog = RetryQueue(range(1))
    item = backlog.next(others_in_flight=False)
    assert not backlog.died(item, deaths=4)
    assert backlog.next(others_in_flight=True) is None
    assert backlog.next(others_in_flight=False) is item


def test_an_item_that_came_back_from_its_trial_alone_was_not_tried() -> None:
    backlog = RetryQueue(range(1))
    item = backlog.next(others_in_flight=False)
    backlog.died(item, deaths=DEATHS_UNTIL_ISOLATED)
    backlog.requeue(backlog.next(others_in_flight=False))
    assert not backlog.died(backlog.next(others_in_flight=False))


def test_an_item_that_may_never_have_reached_its_worker_is_not_blamed_for_the_first_time() -> None:
    backlog = RetryQueue(range(1))
    item = backlog.next(others_in_flight=False)
    assert not backlog.died(item, deaths=DEATHS_UNTIL_ISOLATED)
    for _ in range(LOSSES_UNTIL_BLAMED - 1):
        assert backlog.next(others_in_flight=False).is_isolated
        assert not backlog.worker_vanished(item)
        assert not item.is_isolated
    assert backlog.next(others_in_flight=False).is_isolated
    assert backlog.worker_vanished(item)
