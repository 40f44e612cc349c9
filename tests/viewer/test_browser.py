"""The page in a real browser: what a person sees, clicks, types and hears."""

from __future__ import annotations

import io
import operator
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import numpy as np
import pytest
from PIL import Image

from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import read_store_meta, restate
from pipeline.store.made_here import note_made_here
from tests import scenes
from tests.browsing import browser, serious
from tests.commands import Command
from tests.store import specs
from tests.viewer import stores

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["browser"]
pytestmark = [pytest.mark.nightly("view"), pytest.mark.xdist_group("view")]
MARKUP = '<img src=x onerror="document.title=1">&amp;'
"""What a stranger may have put into a name."""
DEADLINE_MS = 20_000


@dataclass
class Visit:
    """A page, and what it did that it should not do."""

    page: Page
    home: str
    faults: list[str] = field(default_factory=list)

    def watch(self) -> Visit:
        page = self.page
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", lambda message: self.note(f"console: {message.text}", message.type in ("error", "warning")))
        page.on("pageerror", lambda error: self.note(f"error: {error}", True))
        page.on("request", lambda asked: self.note(f"asked {asked.url}", not asked.url.startswith(f"{self.home}/")))
        page.on("response", lambda answer: self.note(f"{answer.status} {answer.url}", answer.status >= 400))
        return self

    def note(self, text: str, wrong: bool) -> None:
        if wrong:
            self.faults.append(text)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def wait_for_text(self, selector: str, text: str) -> None:
        self.page.locator(selector).filter(has_text=text).first.wait_for()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait here: the page's own policy lets no text be run in it."""
        deadline = time.monotonic() + DEADLINE_MS / 1000
        while not condition():
            assert time.monotonic() < deadline, self.page.url
            self.page.wait_for_timeout(50)

    def shows(
        self, color: tuple[int, int, int], condition: Callable[[float], bool] = lambda share: share > 0.05
    ) -> float:
        """Wait until the share of the map that has a colour is as it should be."""
        shares: list[float] = []

        def is_met() -> bool:
            shares.append(self.share_of(color))
            return condition(shares[-1])

        self.wait_until(is_met)
        return shares[-1]

    def facts(self) -> dict[str, str]:
        """What the panel says of a pixel."""
        self.page.locator("#pixel dd").first.wait_for()
        names, texts = (self.page.locator(f"#pixel {tag}").all_inner_texts() for tag in ("dt", "dd"))
        return dict(zip(names, texts, strict=True))

    def at(self) -> tuple[float, float]:
        """Row and column in the middle, by the address."""
        row, col = self.address()["at"].split(",")
        return float(row), float(col)

    def address(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.page.url.partition("#")[2]).items()}

    def share_of(self, color: tuple[int, int, int]) -> float:
        """Share of the map that has a colour."""
        picture = np.asarray(Image.open(io.BytesIO(self.page.locator("#map").screenshot())).convert("RGB"))
        return float((np.abs(picture.astype(int) - color).max(axis=-1) <= 2).mean())


@pytest.fixture
def view() -> Iterator[Callable[[Path], str]]:
    """Starts the command on a store; the link that it prints. Ctrl-C ends each at the end."""
    commands: list[Command] = []

    def start(path: Path) -> str:
        words = [sys.executable, "-m", "pipeline", "view", str(path), "--no-browser"]
        commands.append(Command(words, stdout=subprocess.PIPE, text=True))
        return str(commands[-1].stdout.readline()).strip()  # type: ignore[union-attr]

    yield start
    for command in commands:
        command.send_signal(signal.SIGINT)
        assert command.wait(10) == 0


def is_none(share: float) -> bool:
    return share == 0


def visit(context: Browser | BrowserContext, link: str) -> Visit:
    opened = Visit(context.new_page(), link.partition("/?")[0].partition("/#")[0]).watch()
    opened.page.goto(link)
    opened.page.locator("#layers input").first.wait_for()
    return opened


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A complete store of this user's over a raster, with names that hold markup."""
    classes = (replace(specs.CLASSES[0], name=MARKUP), *specs.CLASSES[1:])
    raster = scenes.write(tmp_path / "scene.tif", scenes.position(600, 900))
    path = stores.whole(tmp_path / "<b>a&amp;.zarr", stores.spec(classes=classes), {"path": str(raster)})
    note_made_here(read_store_meta(path))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_page_works_at_each_width_and_brightness(
    browser: Browser, view: Callable[[Path], str], scene: Path, size: tuple[int, int], scheme: str
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    seen = visit(context, view(scene))
    page = seen.page
    assert "token" not in page.url
    assert page.title() == "<b>a&amp;.zarr – Wholecloth"
    seen.wait_for_text("#classes .area", "km²")
    page.locator("#layer-opacity").fill("1")
    seen.shows(specs.CLASSES[1].rgb)
    box = page.locator("#map").bounding_box()
    page.locator("#map").click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    facts = seen.facts()
    row, col = map(int, facts["Row, column"].split(", "))
    assert np.hypot(row - 300, col - 450) <= 4
    code = int(stores.pixels(stores.spec())[row, col])
    names = {each.code: each.name for each in specs.CLASSES} | {0: MARKUP}
    assert facts["mask"] == f"{names[code]} ({code})"
    assert facts["band 1"] == str(1 + row)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert serious(page) == []
    assert seen.faults == []


def test_names_with_markup_are_text(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    seen = visit(browser.new_context(), view(scene))
    assert seen.text("h1") == "<b>a&amp;.zarr"
    assert seen.text("#classes li:first-child .name") == MARKUP
    assert seen.page.locator("img, h1 b").count() == 0
    assert seen.faults == []


def test_keys_move_zoom_and_read(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    seen = visit(browser.new_context(), view(scene))
    page = seen.page
    page.wait_for_url("**#at=**")
    before = seen.address()
    page.locator("#map").focus()
    assert page.locator("#cross").is_visible()
    page.keyboard.press("+")
    seen.wait_until(lambda: float(seen.address()["scale"]) < float(before["scale"]))
    page.keyboard.press("ArrowRight")
    seen.wait_until(lambda: seen.at()[1] > 451)
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    row, col = (int(part) for part in seen.facts()["Row, column"].split(", "))
    assert np.allclose((row, col), np.floor(seen.at()), atol=1)
    page.locator("#place").fill("120, 480")
    page.keyboard.press("Enter")
    seen.wait_for_text("#pixel dd", "120, 480")
    assert seen.faults == []


def test_every_control_is_reached_by_the_tab_key(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    page = visit(browser.new_context(), view(scene)).page
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert {"map", "place", "layer", "layer-opacity", "all", "image", "mode", "band-0", "blocks"} <= reached


def test_a_class_is_taken_off_and_put_back(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    seen = visit(browser.new_context(), view(scene))
    seen.page.locator("#layer-opacity").fill("1")
    color, other = specs.CLASSES[1].rgb, specs.CLASSES[2].rgb
    seen.shows(color)
    seen.page.locator("#classes input").nth(1).uncheck()
    seen.shows(color, is_none)
    seen.shows(other)
    seen.page.locator("#none").click()
    seen.shows(other, is_none)
    seen.page.locator("#all").click()
    seen.shows(color)
    assert seen.faults == []


def test_a_link_restores_what_was_seen(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    context = browser.new_context()
    seen = visit(context, view(scene))
    page = seen.page
    page.locator("#layers input[value=confidence]").check()
    page.locator("#layer-opacity").fill("0.4")
    page.locator("#classes input").nth(2).uncheck()
    page.locator("#mode").select_option("1")
    page.locator("#band-0").select_option("2")
    page.locator("#seams").check()
    page.locator(".ol-zoom-in").click()
    page.wait_for_timeout(800)
    again = visit(context, page.url)
    assert again.page.locator("#layers input[value=confidence]").is_checked()
    assert again.page.locator("#layer-opacity").input_value() == "0.4"
    assert not again.page.locator("#classes input").nth(2).is_checked()
    assert again.page.locator("#band-0").input_value() == "2"
    assert again.page.locator("#seams").is_checked()
    again.page.wait_for_timeout(500)
    assert again.address() == seen.address()
    assert again.faults == []


def test_lines_are_drawn_over_the_scene(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    seen = visit(browser.new_context(), view(scene))
    seen.page.locator("#layers input[value=none]").check()
    seen.page.locator("#image").uncheck()
    dark, red = (28, 33, 38), (179, 0, 94)
    share = seen.shows(dark, lambda share: share < 0.001)  # of the signs on the buttons
    for name in ("blocks", "outlines"):
        seen.page.locator(f"#{name}").check()
        share = seen.shows(dark, partial(operator.lt, 1.2 * share))
    seen.page.locator("#seams").check()
    seen.shows(red, partial(operator.lt, 0.001))
    assert seen.faults == []


def test_a_store_that_grows_is_followed(browser: Browser, view: Callable[[Path], str], tmp_path: Path) -> None:
    of = stores.spec()
    path = stores.begin(tmp_path / "a.zarr", of)
    seen = visit(browser.new_context(), view(path))
    color = specs.CLASSES[1].rgb
    assert seen.text("#progress") == "The run is at 0 of 12 blocks"
    seen.shows(color, is_none)
    stores.fill(path, of, [(0, 0), (0, 1), (1, 0)])
    seen.wait_for_text("#progress", "3 of 12 blocks")
    some = seen.shows(color, partial(operator.lt, 0.02))
    stores.fill(path, of)
    seen.wait_for_text("#progress", "12 of 12 blocks")
    stores.complete(path, of)
    seen.wait_for_text("#progress", "Complete")
    seen.wait_for_text("#classes .area", "km²")
    seen.shows(color, partial(operator.lt, 2 * some))
    assert "made elsewhere" in seen.text("#image-note")
    assert seen.faults == []


def test_a_place_of_the_certificate_is_gone_to(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    faults = [{"level": 0, "block": [1, 2], "why": f"changed {MARKUP}"}]
    meta = read_store_meta(scene)
    restate(scene, {**meta, "certificate": {"passed": False, "why": "it is damaged", "faults": faults}})
    seen = visit(browser.new_context(), view(scene))
    assert seen.text("#certificate") == "Failed: it is damaged."
    button = seen.page.locator("#places button")
    assert button.inner_text() == f"Row 256, column 512: changed {MARKUP}"
    button.click()
    seen.page.wait_for_timeout(500)
    assert seen.at() == (384.0, 640.0)
    assert seen.faults == []


def test_a_failed_block_is_a_place(browser: Browser, view: Callable[[Path], str], tmp_path: Path) -> None:
    path = stores.begin(tmp_path / "a.zarr", stores.spec())
    Ledger(path).fail((0, 0), "no memory")
    seen = visit(browser.new_context(), view(path))
    assert "no memory" in seen.text("#places")


def test_servers_side_by_side_do_not_disturb_each_other(
    browser: Browser, view: Callable[[Path], str], scene: Path, tmp_path: Path
) -> None:
    context, other = browser.new_context(), stores.whole(tmp_path / "other.zarr")
    first, second = (visit(context, view(path)) for path in (scene, other))
    assert first.home != second.home
    for seen, name in ((first, "<b>a&amp;.zarr"), (second, "other.zarr")):
        seen.page.reload()
        seen.page.locator("#layers input").first.wait_for()
        assert seen.text("h1") == name
        assert seen.faults == []


def test_a_second_browser_is_told_of_the_new_link(browser: Browser, view: Callable[[Path], str], scene: Path) -> None:
    link = view(scene)
    visit(browser.new_context(), link)
    late = browser.new_context().new_page()
    assert late.goto(link).status == 403
    assert "used before" in late.inner_text("body")
