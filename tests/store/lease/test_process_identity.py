from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.store.lease import process_identity
from pipeline.store.lease.process_identity import Holder, is_alive, parse_holder, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the heartbeat tells")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which sleeps."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def of(pid: int) -> Holder:
    found = process_identity._process(pid)
    assert found is not None
    return replace(this_process("a run", 30), pid=pid, started=found[1])


def becomes(one: Holder, fate: bool | None) -> None:
    deadline = time.monotonic() + 60
    while is_alive(one) is not fate and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_alive(one) is fate


def test_a_process_knows_itself_and_each_lease_has_a_token_of_its_own() -> None:
    one, two = this_process("a run", 30), this_process("a run", 30)
    assert is_alive(one) is True
    assert (one.pid, one.token == two.token) == (os.getpid(), False)
    assert parse_holder(one.dump(), "key", 5) == one


def test_a_process_that_ended_is_dead_even_while_nobody_has_asked_for_its_exit_code(
    other: subprocess.Popen[bytes],
) -> None:
    one = of(other.pid)
    assert is_alive(one) is True
    other.send_signal(signal.SIGKILL)
    becomes(one, False)
    other.wait()
    assert is_alive(one) is False


def test_another_process_with_the_same_number_is_not_taken_for_the_holder(other: subprocess.Popen[bytes]) -> None:
    assert is_alive(replace(of(other.pid), started=of(other.pid).started - 1)) is False


def test_of_a_frozen_process_only_the_heartbeat_tells(other: subprocess.Popen[bytes]) -> None:
    one = of(other.pid)
    other.send_signal(signal.SIGSTOP)
    becomes(one, None)
    other.send_signal(signal.SIGCONT)
    becomes(one, True)


@pytest.mark.parametrize(
    "change", [{"host": "elsewhere"}, {"boot": "another"}, {"namespace": "pid:[1]"}, {"boot": ""}, {"namespace": ""}]
)
def test_nothing_is_concluded_from_the_number_of_a_process_of_another_machine_boot_or_container(
    change: dict[str, str],
) -> None:
    assert is_alive(replace(this_process("a run", 30), pid=2**22 - 1, **change)) is None
    assert is_alive(replace(this_process("a run", 30), pid=2**22 - 1)) is False


def test_where_no_boot_and_no_namespace_is_known_two_machines_are_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_identity, "_boot", str)
    monkeypatch.setattr(process_identity, "_namespace", str)
    assert is_alive(replace(this_process("a run", 30), pid=2**22 - 1)) is None


def test_a_process_that_is_hidden_from_us_may_be_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_identity, "_process", lambda pid: None)
    assert is_alive(this_process("a run", 30)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"token": "a"}'])
def test_a_claim_that_cannot_be_read_is_somebody_to_wait_for(data: bytes) -> None:
    found = parse_holder(data, "lease/all.000001.json", 7)
    assert (found.token, found.patience, is_alive(found)) == ("lease/all.000001.json", 7, None)
    assert "all.000001.json" in str(found)
