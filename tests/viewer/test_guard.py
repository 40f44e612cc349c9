"""Every request is refused that does not come from this machine by the printed link."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.viewer.access import Access
from pipeline.viewer.app import build_app
from pipeline.viewer.view import StoreView
from tests.viewer import stores
from tests.viewer.client import HOME


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stores.whole(tmp_path_factory.mktemp("guard") / "a.zarr")


@pytest.fixture
def access() -> Access:
    return Access()


@pytest.fixture
def links() -> list[str]:
    """A note for each time that a used link came."""
    return []


@pytest.fixture
def client(store: Path, access: Access, links: list[str]) -> TestClient:
    return TestClient(build_app(StoreView(store), access, lambda: links.append("used")), base_url=HOME)


PATHS = ["/", "/assets/view.js", "/api/scene", "/api/at?row=0&col=0", "/tiles/mask/0/0/0.png", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_answered_without_the_link(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 403
    assert client.get(path, headers={"cookie": f"{Access().cookie}=x"}).status_code == 403


def test_the_link_leads_to_a_clean_address_with_a_cookie(client: TestClient, access: Access) -> None:
    answer = client.get(f"/?token={access.token}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{access.cookie}=")
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert all(client.get(path).status_code == 200 for path in PATHS[:-1])
    assert client.get(PATHS[-1]).status_code == 404


def test_who_only_looks_ahead_does_not_use_the_link_up(client: TestClient, access: Access) -> None:
    token = access.token
    assert client.head(f"/?token={token}").status_code == 403
    assert access.token == token


def test_a_wrong_token_gets_nothing(client: TestClient, access: Access, links: list[str]) -> None:
    assert client.get(f"/?token={access.token}x").status_code == 403
    assert client.get("/api/scene", params={"token": access.token}).status_code == 403
    assert not links


def test_a_used_link_gets_nothing_and_is_noted(client: TestClient, access: Access, links: list[str]) -> None:
    url = f"/?token={access.token}"
    assert client.get(url).status_code == 200
    assert client.get(url, follow_redirects=False).status_code == 303, "the browser that came by it"
    client.cookies.clear()
    answer = client.get(url)
    assert answer.status_code == 403
    assert "used before" in answer.text
    assert links == ["used"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
def test_a_foreign_host_is_refused_with_link_and_cookie(client: TestClient, access: Access, host: str) -> None:
    token = access.token
    assert client.get(f"/?token={token}", headers={"host": host}).status_code == 403
    assert access.token == token, "it is not used up"
    client.get(f"/?token={token}")
    assert client.get("/api/scene").status_code == 200
    assert client.get("/api/scene", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000"])
def test_other_names_of_this_machine_are_answered(client: TestClient, access: Access, host: str) -> None:
    client.get(f"/?token={access.token}")
    assert client.get("/api/scene", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_changed(client: TestClient, access: Access, method: str) -> None:
    client.get(f"/?token={access.token}")
    answer = client.request(method, "/api/scene", headers={"origin": "http://evil.example"})
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/assets/view.js", "/tiles/mask/0/0/0.png", "/nothing"])
def test_every_answer_carries_the_headers_of_safety(client: TestClient, access: Access, path: str) -> None:
    for entered in (False, True):
        if entered:
            client.get(f"/?token={access.token}")
        headers = client.get(path, headers={"origin": "http://evil.example"}).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../app.py",
        "/assets/%2e%2e%2fapp.py",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/__init__.py",
        "/assets/source/main.js",
        "/assets/index.html",
        "/tiles/..%2f..%2fmask/0/0/0.png",
        "/tiles/%2e%2e/0/0/0.png",
        "/tiles/0%2fmask/0/0/0.png",
    ],
)
def test_no_path_leads_out_of_the_page(client: TestClient, access: Access, path: str) -> None:
    client.get(f"/?token={access.token}")
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/mask/0/99/0.png",
        "/tiles/mask/40/0/0.png",
        "/tiles/confidence2/0/0/0.png",
        "/tiles/mask/-1/0/0.png",
        "/tiles/image/0/0/0.png?bands=0",
        "/tiles/mask/0/0/0.png?hide=x",
        "/api/at?row=-1&col=0",
        "/api/at?row=600&col=0",
        "/api/at",
        "/api/limits?layer=x",
        "/api/seams?row=0&col=0&height=-5&width=5",
        "/api/outlines?row=0",
    ],
)
def test_what_is_not_there_is_refused_in_words(client: TestClient, access: Access, path: str) -> None:
    client.get(f"/?token={access.token}")
    answer = client.get(path)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]


def test_the_page_asks_no_other_server(client: TestClient, access: Access) -> None:
    page = client.get(f"/?token={access.token}").text
    sheet, icon = (client.get(f"/assets/{name}").text for name in ("view.css", "icon.svg"))
    assert "http" not in page
    assert "http" not in sheet
    assert icon.count("http") == 1, "the name of a namespace"
