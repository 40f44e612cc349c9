"""Names are met whole, wherever they stand in a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.privacy.concealed import conceal, conceal_opened, concealed, safe_document, safe_text
from pipeline.privacy.stand_in import stand_in

PATH = "/data/Meier Anna/slide.svs"


def test_a_path_is_concealed_with_all_that_hangs_on_it() -> None:
    conceal([PATH], shown=["/out/job.zarr"])
    token = stand_in(PATH)
    assert concealed(f"source.path is {PATH}, which is gone.") == f"source.path is {token}, which is gone."
    assert concealed(f'GTIFF_DIR:2:"{PATH}"') == f'GTIFF_DIR:2:"{token}"'
    assert concealed(f"{PATH}/inner/B04.jp2: no tile") == f"{token}: no tile"
    assert concealed("convert it to '/data/Meier Anna/slide.jpeg.tif'") == f"convert it to '{token}'"
    assert concealed("slide.svs: strip 3; aslide.svs") == f"{token}: strip 3; aslide.svs"


def test_the_place_of_an_output_is_shown_though_it_begins_as_the_source_does() -> None:
    conceal(["/data/p1/slide.tif", "/data/scene"], shown=["/data/p1/slide.zarr", "/data/scene/out.zarr"])
    for text in ("/data/p1/slide.zarr", "/data/p1/slide.report.html", "/data/scene/out.zarr/0/mask", "/data/scenery"):
        assert concealed(text) == text


def test_files_of_a_template_and_files_that_are_opened_are_concealed() -> None:
    conceal_opened(["/data/first.tif"])
    assert concealed("/data/first.tif") == "/data/first.tif"  # nothing is concealed in this process so far
    conceal(["/data/p_{band}.tif"])
    conceal_opened(["/mosaic/part.tif"])
    assert (
        concealed("/data/p_B04.tif and part.tif")
        == f"{stand_in('/data/p_{band}.tif')} and {stand_in('/mosaic/part.tif')}"
    )


def test_documents_lose_names_in_texts_and_paths_and_urls_their_secrets() -> None:
    conceal(["https://u:secret@host/p1/scene.tif?token=abc"])
    document = {"a": ["https://host/p1/scene.tif", Path("https://host"), 3, None]}
    assert safe_document(document)["a"][0].startswith("redacted://")
    assert safe_document(document)["a"][2:] == [3, None]
    assert safe_text("https://u:secret@host/p1/scene.tif?token=abc fails").startswith("redacted://")


@pytest.mark.parametrize("name", ["sample://satellite", stand_in.__name__, ""])
def test_what_tells_nothing_of_anybody_stays(name: str) -> None:
    conceal([name] if name.startswith("sample") else [])
    assert concealed(f"{name} is read") == f"{name} is read"
