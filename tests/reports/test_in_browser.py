"""Pages of runs, evaluations and previews in a real browser: they fit a phone, ask nothing, and keep nobody out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browsing import browser, serious
from tests.reports.test_evaluation import judged
from tests.reports.test_page import config, go

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]
pytestmark = [pytest.mark.nightly("view"), pytest.mark.xdist_group("view")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A page of each kind."""
    from pipeline.config.load import load_config
    from pipeline.preview.preview import PreviewRequest, make_preview

    folder = tmp_path_factory.mktemp("pages")
    path = config(folder, output={"certificate": True})
    go(path)
    make_preview(load_config(path), PreviewRequest(folder=folder / "look"))
    page, _ = judged(folder)
    return [folder / "job.report.html", page, folder / "look" / "preview.html"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_pages_fit_ask_nothing_and_are_readable(browser: Browser, pages: list[Path], width: int, scheme: str) -> None:
    """What axe runs, the policy of a page would not allow: it is off for that."""
    for path in pages:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            bypass_csp=True,
        )
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda message, faults=faults: faults.append(message.text))
        page.on("request", lambda request, faults=faults: faults.append(request.url))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path.name
        assert serious(page) == [], path.name
        assert [fault for fault in faults if not fault.startswith(("file:", "data:"))] == []
        context.close()
