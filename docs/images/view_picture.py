"""Photograph the page of a store: the pictures of docs/view.md, and one of docs/slides.md.

    python -m pipeline run configs/satellite.yaml
    python docs/images/view_picture.py out/satellite.zarr docs/images
    python -m pipeline run configs/slide.yaml
    python docs/images/view_picture.py out/slide.zarr docs/images

The page is the real one, in the system's chromium, driven as a person would.
"""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

COLORS = 40
"""Colours of a picture: more make it larger, and no clearer."""
Sight = tuple[tuple[int, int], str, str]
"""Size of the window, brightness and address."""
SATELLITE: dict[str, Sight] = {
    "view.png": ((980, 640), "light", "#at=2150,1850&scale=3&layer=mask&opacity=0.6&lines=blocks"),
    "view_narrow.png": ((390, 844), "dark", "#at=2150,1850&scale=0.5&layer=mask&opacity=0.3&lines=outlines"),
}
SLIDE: dict[str, Sight] = {
    "view_slide.png": ((980, 640), "light", "#at=2500,2500&scale=11&layer=mask&opacity=0.45&lines=outlines")
}
"""By the name of each picture."""


def photograph(store: Path, folder: Path) -> None:
    """Write the pictures of a store into a folder."""
    sights, unit = (SLIDE, "mm²") if store.stem == "slide" else (SATELLITE, "km²")
    words = [sys.executable, "-m", "pipeline", "view", str(store), "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context()
        context.new_page().goto(link)
        for name, ((width, height), scheme, address) in sights.items():
            page = context.new_page()
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(link.partition("?")[0] + address)
            save(page, folder / name, unit)
        browser.close()
        server.send_signal(signal.SIGINT)


def save(page: Page, picture: Path, unit: str) -> None:
    """Read the pixel in the middle, and photograph the page."""
    page.locator("#classes .area").filter(has_text=unit).first.wait_for()
    page.wait_for_load_state("networkidle")
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.locator("#map").click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    page.locator("#pixel dd").first.wait_for()
    page.wait_for_timeout(1500)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(COLORS, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
