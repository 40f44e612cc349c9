import pytest

from pipeline.runtime.clock import Interval
from pipeline.runtime.device_time import DeviceAccount
from pipeline.runtime.devices import DeviceAccounts

WORK = [Interval("read", 0, 2), Interval("device", 2, 6), Interval("network", 2, 5), Interval("write", 6, 8)]


def test_one_process_is_accounted_as_its_device_is() -> None:
    alone, devices = DeviceAccount(0), DeviceAccounts(0)
    alone.add(WORK)
    devices.add(7, WORK)
    assert devices.so_far() == alone.so_far()
    assert devices.finish(10) == alone.finish(10)


def test_two_that_work_at_once_are_as_busy_as_one() -> None:
    devices = DeviceAccounts(0)
    for process in (7, 8):
        devices.add(process, WORK)
    found = devices.finish(10)
    assert found.busy == pytest.approx(0.4)
    assert found.work["network"] == pytest.approx(0.3)
    assert found.busy + sum(found.waits.values()) == pytest.approx(1)


def test_one_that_works_beside_one_that_waits_is_busy_for_half() -> None:
    devices = DeviceAccounts(0)
    devices.add(7, WORK)
    devices.add(8, [Interval("read", 0, 8), Interval("device", 8, 9)])
    found = devices.finish(10)
    assert found.busy == pytest.approx((4 + 1) / 2 / 10)
    assert found.waits["start"] == pytest.approx((2 + 8) / 2 / 10)


def test_what_was_gone_through_is_not_held() -> None:
    devices = DeviceAccounts(0)
    for process in (7, 8):
        devices.add(process, WORK)
    assert len(devices) > 0
    devices.until(9)
    assert len(devices) == 0


def test_without_any_block_nothing_was_done() -> None:
    assert DeviceAccounts(0).so_far()["busy"] == 0
    assert DeviceAccounts(0).finish(3).busy == 0


def test_streams_of_one_process_are_accounted_each_and_told_as_their_mean() -> None:
    devices = DeviceAccounts(0)
    devices.add(7, WORK, "device_0")
    devices.add(7, [Interval("read", 0, 6), Interval("device", 6, 10)], "device_1")
    found = devices.finish(10)
    assert found.busy == pytest.approx((4 + 4) / 2 / 10)
    assert found.waits["start"] == pytest.approx((2 + 6) / 2 / 10)


@pytest.mark.parametrize("late", [False, True])
def test_a_block_that_reached_no_stream_makes_none(late: bool) -> None:
    alone, devices = DeviceAccounts(0), DeviceAccounts(0)
    empty, rest = [Interval("read", 0, 1)], WORK
    for said in (alone, devices):
        for intervals in (rest, empty) if late else (empty, rest):
            said.add(7, intervals, "device_0" if said is devices and intervals is rest else "")
    assert devices.finish(10) == alone.finish(10)
