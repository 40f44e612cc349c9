"""Addresses in an item: which are taken, and what a catalogue must not make a machine open."""

from __future__ import annotations

import pytest

from pipeline.errors import SourceError
from pipeline.sources.stac_items.hrefs import resolved_href

REMOTE, LOCAL = "https://catalogue.example/a/b/item.json", "/data/a/item.json"


@pytest.mark.parametrize(
    ("href", "place", "resolved"),
    [
        ("./B04.tif", REMOTE, "https://catalogue.example/a/b/B04.tif"),
        ("img/B04.tif?v=1", REMOTE, "https://catalogue.example/a/b/img/B04.tif?v=1"),
        ("B04.tif", "s3://bucket/a/item.json", "s3://bucket/a/B04.tif"),
        ("https://other.example/x.tif", REMOTE, "https://other.example/x.tif"),
        ("s3://bucket/x.tif", REMOTE, "s3://bucket/x.tif"),
        ("gs://bucket/x.tif", LOCAL, "gs://bucket/x.tif"),
        ("az://container/x.tif", LOCAL, "az://container/x.tif"),
        ("./B04.tif", LOCAL, "/data/a/B04.tif"),
        ("../b/B04.tif", LOCAL, "/data/b/B04.tif"),
        ("/other/B04.tif", LOCAL, "/other/B04.tif"),
        ("file:///other/B%2004.tif", LOCAL, "/other/B 04.tif"),
    ],
)
def test_addresses_are_relative_to_the_item_or_of_a_server(href: str, place: str, resolved: str) -> None:
    assert resolved_href(href, place) == resolved


ANYWHERE = (
    "/vsicurl/https://a/x.tif",
    "/vsis3/bucket/x.tif",
    "<VRTDataset rasterXSize='1' rasterYSize='1'/>",
    'NETCDF:"/etc/passwd":x',
    "GTIFF_DIR:1:x.tif",
    "vrt:///etc/passwd",
    "ftp://a/x.tif",
    "https:/x.tif",
    "zip+https://a/x.zip!x.tif",
    "",
)
FROM_A_SERVER = (
    "file:///etc/passwd",
    "/etc/passwd",
    "//other/x.tif",
    "../x.tif",
    "a/../../x.tif",
    "..%2f..%2fetc%2fpasswd",
    "%252e%252e/x.tif",
    "a\\..\\..\\x.tif",
)


@pytest.mark.parametrize(
    ("href", "place"),
    [*((href, place) for href in ANYWHERE for place in (REMOTE, LOCAL)), *((href, REMOTE) for href in FROM_A_SERVER)],
)
def test_whatever_leads_to_files_of_this_machine_is_refused(href: str, place: str) -> None:
    with pytest.raises(SourceError, match=r"item\.json names the file .*Do not use this item"):
        resolved_href(href, place)
