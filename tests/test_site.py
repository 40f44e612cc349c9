"""The README, the pages and the navigation of the site agree with each other and with the files that they name.

No test needs mkdocs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.main import get_command

from pipeline.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *PAGES]
FOLDERS = ("benchmarks", "configs", "docs", "pipeline", "tests", "workflows")


def by_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```$|^    .*?$", "", page.read_text())


def links(page: Path) -> list[str]:
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The places within a page that a link can name, as GitHub and as mkdocs count them.

    A heading on which the two differ has none.
    """
    titles = [
        re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", title).strip().lower()
        for title in re.findall(r"(?m)^#+ (.*)$", prose(page))
    ]
    return frozenset(github for github, site in map(slugs, titles) if github == site)


def slugs(title: str) -> tuple[str, str]:
    ascii_ = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w\s-]", "", title).replace(" ", "-"), re.sub(
        r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_).strip()
    )


def entries(nav: Any) -> Iterator[str]:
    """The pages of a navigation, in its order."""
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from entries(entry)


@pytest.mark.parametrize("page", TEXTS, ids=by_name)
def test_links_lead_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{by_name(page)} links to {link}"
        assert not anchor or anchor in anchors(target), (
            f"{by_name(page)} links to {link}: {by_name(target.resolve())} has no such heading"
        )


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_pages_link_within_the_site(page: Path) -> None:
    assert [link for link in links(page) if link.startswith("..")] == []


@pytest.mark.parametrize("page", TEXTS, ids=by_name)
def test_pictures_of_a_page_open_and_say_what_they_show(page: Path) -> None:
    for words, path in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page.read_text()):
        with Image.open(page.parent / path) as image:
            assert min(image.size) > 200
        assert len(words) > 20
        assert (page.parent / path).stat().st_size < 300_000


@pytest.mark.parametrize("page", TEXTS, ids=by_name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", page.read_text())
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_a_page_opens_with_one_title_and_a_paragraph_about_what_it_is_for(page: Path) -> None:
    title, blank, opening = page.read_text().split("\n")[:3]
    assert title.startswith("# ")
    assert not blank
    assert re.match(r"[A-Z`]", opening), f"{by_name(page)} opens with {opening!r}"


def test_the_navigation_lists_every_page_once_and_nothing_else() -> None:
    listed = list(entries(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(listed) == [str(page.relative_to(DOCS)) for page in PAGES]


def test_the_overview_has_the_pages_and_the_order_of_the_navigation() -> None:
    listed = list(entries(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    rows = re.findall(r"(?m)^\|.*?\]\((\w+\.md)\)", (DOCS / "index.md").read_text())
    assert ["index.md", *rows] == listed


def test_the_readme_is_short_and_opens_with_a_picture_two_commands_and_a_config() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    marks = ["](docs/images/satellite.png)", "make run", "make test", "```yaml", "## How it compares"]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    config = text.split("```yaml\n")[1].split("```")[0]
    assert len(config.splitlines()) <= 10


def test_the_figures_of_the_readme_are_those_of_the_performance_page() -> None:
    compared = (ROOT / "README.md").read_text().split("## How it compares")[1]
    shown = re.findall(r"\| ([\d.]+) Mpx/s \| ([\d.]+) GiB \|", compared)
    measured = (DOCS / "performance.md").read_text().split(": 4096 × 4096 px")[1].split("### unet")[1].split("### ")[0]
    rows = [line.split(" | ") for line in measured.splitlines() if re.match(r"\| (wholecloth|dask|MONAI)", line)]
    assert shown == [(row[1], row[8]) for row in rows]


def test_every_command_has_a_row_on_the_page_of_commands() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)[^`]*` \|", (DOCS / "commands.md").read_text())
    assert sorted(rows) == sorted(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    headings = re.findall(r"(?m)^(#{2,3}) (.*)$", (ROOT / "CHANGELOG.md").read_text())
    assert headings[0] == ("##", "[Unreleased]")
    kinds = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    assert [title for mark, title in headings if mark == "###" and title not in kinds] == []
    versions = [title for mark, title in headings[1:] if mark == "##"]
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", title) for title in versions)
