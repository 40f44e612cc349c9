import pickle
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.locations import Remote, parse_place


def test_a_remote_place_is_named_as_a_path_is() -> None:
    place, path = parse_place("s3://bucket/a//b/scene.v2.zarr/"), Path("/bucket/a/b/scene.v2.zarr")
    assert place == Remote("s3://bucket/a/b/scene.v2.zarr")
    for name in ("name", "stem", "suffix"):
        assert getattr(place, name) == getattr(path, name)
    for ending in (".report.json", ".vrt"):
        assert str(place.with_suffix(ending)) == f"s3:/{path.with_suffix(ending)}"
    assert str(place.with_name("x")) == "s3://bucket/a/b/x"
    assert str(place / "0" / "mask") == "s3://bucket/a/b/scene.v2.zarr/0/mask"
    assert (place.scheme, place.bucket, place.key) == ("s3", "bucket", "a/b/scene.v2.zarr")
    assert place.parent.parent.parent == place.parent.parent.parent.parent == Remote("s3://bucket")
    assert pickle.loads(pickle.dumps({place: 1})) == {place: 1}


@pytest.mark.parametrize("said", ["out/a.zarr", "/out/a.zarr", Path("a.zarr")])
def test_a_path_stays_a_path(said: str | Path) -> None:
    assert parse_place(said) == Path(said)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("https://host/a.zarr", "s3://…"),
        ("s3://bucket", "a bucket and a name"),
        ("s3://bucket/", "a bucket and a name"),
        ("s3://b/../a.zarr", "a bucket"),
        ("s3://key:secret@bucket/a.zarr", "environment"),
        ("s3://bucket/a.zarr?sig=1", "environment"),
        (7, "give a path"),
    ],
)
def test_what_is_no_place_for_a_store_is_refused_without_repeating_it(said: object, why: str) -> None:
    with pytest.raises(ValueError, match=why) as told:
        parse_place(said)
    assert "secret" not in str(told.value)


def test_the_config_keeps_urls_and_paths_apart() -> None:
    def config(path: str) -> Config:
        return Config.model_validate(
            {"source": {"path": "a.tif"}, "model": {"kind": "torchscript"}, "output": {"path": path}}
        )

    assert config("s3://bucket/a.zarr").output.path == Remote("s3://bucket/a.zarr")
    assert config("a.zarr").output.path == Path("a.zarr")
    for said in ("s3://bucket/a.zarr", "a.zarr"):
        assert config(said).model_dump(mode="json")["output"]["path"] == said
        assert Config.model_validate(config(said).model_dump(mode="json")) == config(said)
    assert Config.model_json_schema()["$defs"]["OutputConfig"]["properties"]["path"]["type"] == "string"
