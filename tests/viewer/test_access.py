import pytest

from pipeline.viewer.access import Access, is_loopback_host


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8000"]
)
def test_this_machine_is_answered_under_each_of_its_names(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "127.0.0.2",
        "10.0.0.1",
        "::1",
        "localhost:80:80",
        "localhost:",
        "evil@localhost",
        "localhost/",
        "localhost\n",
        "0.0.0.0",
    ],
)
def test_no_other_name_is_answered(host: str) -> None:
    assert not is_loopback_host(host)


def test_a_token_opens_one_session_and_is_then_used() -> None:
    access = Access()
    token = access.token
    session = access.exchange(token)
    assert session is not None
    assert access.is_session(session)
    assert access.exchange(token) is None
    assert access.is_used(token)
    assert access.token != token


def test_no_other_word_is_a_session_or_a_token() -> None:
    access = Access()
    assert access.exchange("") is None
    assert access.exchange(access.token[:-1]) is None
    assert not access.is_session("")
    assert not access.is_session(access.token)
    assert not access.is_used(access.token)


def test_a_second_browser_comes_in_by_the_next_token() -> None:
    access = Access()
    first = access.exchange(access.token)
    second = access.exchange(access.token)
    assert first != second
    assert all(access.is_session(value) for value in (str(first), str(second)))


def test_servers_side_by_side_have_cookies_of_different_names() -> None:
    assert Access().cookie != Access().cookie
