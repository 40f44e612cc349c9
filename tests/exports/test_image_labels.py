"""A mask as a label image in the OME-Zarr of its image: pixels, place, what is left of one cut short, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr
from pydantic import ValidationError
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.exports import ExportConfig
from pipeline.errors import ConfigError, PlanError, Unfinished
from pipeline.exports.image_labels import writing
from pipeline.exports.task import ExportRequest
from pipeline.geometry.grid import Grid, slide_px
from pipeline.locations import Place, Remote
from pipeline.running.export import export_store
from pipeline.store import image_labels as label
from pipeline.store.files.objects import zarr_path
from pipeline.store.lease.lease import acquire_image
from pipeline.store.lifecycle import clear_open_arrays, open_layer, read_store_meta, restate
from pipeline.store.spec import StoreSpec
from tests import runs, scenes
from tests.exports.test_zarr_labels import ignore, make
from tests.sources.test_zarr import upload
from tests.storage import BUCKET, Storage, contents
from tests.store import specs

SIZE, ORIGIN = 0.25, (10.0, 20.0)
"""µm: a pixel of level 0, and the centre of the first one."""


def image(path: Path, shape: tuple[int, int] = (100, 130), axes: str = "cyx", zarr_format: Any = 3) -> Path:
    """Levels of whole squares, as most programs make them, each placed to the last bit."""
    lengths = {"t": 2, "c": 3, "z": 4}
    rows = [
        {"name": name, "type": {"c": "channel", "t": "time"}.get(name, "space")}
        | ({"unit": "micrometer"} if name in "yx" else {})
        for name in axes
    ]
    datasets: list[dict[str, Any]] = []
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    key = {"name": "v2", "separator": "/"} if zarr_format == 2 else None
    for k in range(3):
        size = SIZE * 2**k
        scale = [{"y": size, "x": size, "z": 2.0}.get(name, 1.0) for name in axes]
        first = {name: start + (size - SIZE) / 2 for name, start in zip("yx", ORIGIN, strict=True)}
        moved = {"type": "translation", "translation": [first.get(name, 0.0) for name in axes]}
        datasets.append({"path": f"s{k}", "coordinateTransformations": [{"type": "scale", "scale": scale}, moved]})
        sides = [lengths.get(name) or dict(zip("yx", shape, strict=True))[name] >> k for name in axes]
        array = group.create_array(
            f"s{k}",
            shape=sides,
            chunks=[1] * (len(sides) - 2) + [64, 64],
            dtype="uint8",
            chunk_key_encoding=key,
            **({"dimension_names": list(axes)} if zarr_format == 3 else {}),
        )
        array[:] = np.arange(np.prod(sides)).reshape(sides) % 251
    multiscale = {"name": "slide", "axes": rows, "datasets": datasets}
    version = {"multiscales": [{"version": "0.4", **multiscale}]}
    group.attrs.put(version if zarr_format == 2 else {"ome": {"version": "0.5", "multiscales": [multiscale]}})
    return path


def grid(shape: tuple[int, int] = (100, 130), step: float = 1.0, corner: float = 0.0, origin: Any = ORIGIN) -> Grid:
    """Of a mask with pixels of so many px of the image."""
    top, left = (start + corner * SIZE for start in origin)
    transform = (SIZE * step, 0.0, left, 0.0, SIZE * step, top)
    return Grid(
        height=shape[0],
        width=shape[1],
        transform=transform,
        unit="um",
        image_px=slide_px((step, step), (corner, corner)),
    )


def store(path: Place, into: Place | None, spec: StoreSpec, **fingerprint: Any) -> Place:
    """A store whose config and fingerprint name an image."""
    make(path, spec)
    meta = read_store_meta(path)
    across, _, left, _, down, top = spec.grid.image_px
    source = {"kind": "zarr", "path": str(into)} if into is not None else {"kind": "slide", "path": "a.svs"}
    own = {"config": {**meta["config"], "source": source}, "levels": spec.levels}
    restate(path, {**meta, **own, "fingerprint": {"source.level_0_px": [down, across, top, left], **fingerprint}})
    return path


def export(path: Place, overwrite: bool = False, layer: str | None = None, **more: Any) -> Place:
    clear_open_arrays()
    options, memory = {"name": more["name"]} if "name" in more else {}, more.get("memory", 2**30)
    request = ExportRequest(to="image-labels", layer=layer, out=more.get("into"), options=options, memory=memory)
    return export_store(path, request, overwrite, ignore)


def mask(path: Place, level: int = 0) -> np.ndarray:
    clear_open_arrays()
    return np.asarray(open_layer(path, level, "mask")[:])


def ome(group: zarr.Group) -> dict[str, Any]:
    attributes: dict[str, Any] = group.attrs.asdict()
    return attributes.get("ome", attributes)


FORMS: dict[str, dict[str, Any]] = {"v3": {}, "v2": {"zarr_format": 2}, "planes": {"axes": "tczyx"}}


@pytest.mark.parametrize("form", FORMS)
def test_each_level_has_the_pixels_and_the_place_of_that_of_the_image(tmp_path: Path, form: str) -> None:
    picture = image(tmp_path / "a.zarr", **FORMS[form])
    before = contents(picture)
    bands = {"source.bands": ["s0[1, 0, 3, y, x]", "s0[1, 1, 3, y, x]"] if form == "planes" else ["s0[0, y, x]"]}
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid(), shard=64), **bands)
    assert export(path) == picture / "labels" / "mask"
    after = contents(picture)
    assert {key: after[key] for key in before} == before
    assert all(key.startswith("labels/") for key in after.keys() - before.keys())
    yaozarrs.validate_zarr_store(picture)
    whole = zarr.open_group(picture, mode="r")
    labels: Any = whole["labels"]
    assert ome(labels)["labels"] == ["mask"]
    own, theirs = ome(labels["mask"])["multiscales"][0], ome(whole)["multiscales"][0]
    kept = [k for k, axis in enumerate(theirs["axes"]) if axis["name"] != "c"]
    assert own["axes"] == [theirs["axes"][k] for k in kept]
    for level, (dataset, other) in enumerate(zip(own["datasets"], theirs["datasets"], strict=True)):
        array = labels["mask"][dataset["path"]]
        assert array.shape[-2:] == whole[other["path"]].shape[-2:]  # type: ignore[union-attr]
        assert (array[...].reshape(array.shape[-2:]) == mask(path, level)[: array.shape[-2], : array.shape[-1]]).all()
        assert array.fill_value == 255
        scale, moved = dataset["coordinateTransformations"]
        assert scale["scale"] == [other["coordinateTransformations"][0]["scale"][k] for k in kept]
        place = {"t": 1.0, "z": 3 * 2.0} if form == "planes" else {}
        stated = other["coordinateTransformations"][1]["translation"]
        assert moved["translation"] == [stated[k] + place.get(theirs["axes"][k]["name"], 0.0) for k in kept]
    if form == "v3":
        assert labels["mask/0"].shards == (64, 64)
    if form == "v2":
        assert (picture / "labels" / "mask" / "0" / "1" / "2").is_file()  # OME 0.4 has chunks in folders


def test_names_and_colours_are_those_of_the_classes_and_the_background_is_clear(tmp_path: Path) -> None:
    picture = image(tmp_path / "a.zarr")
    export(store(tmp_path / "mask.zarr", picture, specs.spec(grid())), name="two words")
    entry = ome(zarr.open_group(picture / "labels" / "two words", mode="r"))["image-label"]
    assert entry["source"] == {"image": "../../"}
    assert {row["label-value"]: row["class"] for row in entry["properties"]} == {
        0: "open water",
        3: "<fields & co>",
        7: "forest",
    }
    assert {row["label-value"]: row["rgba"] for row in entry["colors"]} == {
        0: [0x11, 0x22, 0x33, 255],
        3: [0x44, 0x55, 0x66, 255],
        7: [0x77, 0x88, 0x99, 0],
    }


def nearest(pixels: np.ndarray, shape: tuple[int, int], step: float, corner: float) -> np.ndarray:
    """The pixel of a mask at the centre of each pixel of an image's level 0; 255 where there is none."""
    result = np.full(shape, 255, pixels.dtype)
    for row, col in np.ndindex(shape):
        y, x = ((place + 0.5 - corner) / step for place in (row, col))
        if 0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1]:
            result[row, col] = pixels[int(y), int(x)]
    return result


@pytest.mark.parametrize(("step", "corner"), [(2.0, 0.0), (2.0, -0.5), (2.3, 0.0)])
def test_a_mask_below_the_full_resolution_lies_under_the_centres_of_pixels(
    tmp_path: Path, step: float, corner: float
) -> None:
    picture = image(tmp_path / "a.zarr")
    shape = (int(100 / step + 0.5), int(130 / step + 0.5))
    spec = specs.spec(grid(shape, step, corner), chunk=16)
    path = store(tmp_path / "mask.zarr", picture, spec)
    export(path)
    labels = zarr.open_group(picture / "labels" / "mask", mode="r")
    assert (labels["0"][:] == nearest(mask(path), (100, 130), step, corner)).all()
    if (step, corner) == (2.0, 0.0):
        assert (labels["1"][:] == mask(path)).all()
        assert (labels["2"][:] == mask(path, 1)[:25, :32]).all()


def test_a_slide_in_another_format_and_its_ome_zarr_meet_in_um(tmp_path: Path) -> None:
    """The slide has its first corner at 0; OME counts from the centre of the first pixel, and its image from there."""
    picture = image(tmp_path / "a.zarr")
    attributes = zarr.open_group(picture, mode="r+").attrs
    document: dict[str, Any] = attributes.asdict()["ome"]
    for k, dataset in enumerate(document["multiscales"][0]["datasets"]):
        dataset["coordinateTransformations"][1]["translation"][1:] = [SIZE * (2**k - 1) / 2] * 2
    attributes.put({"ome": document})
    path = store(tmp_path / "mask.zarr", None, specs.spec(grid((50, 65), 2.0, origin=(0.0, 0.0))))
    with pytest.raises(ConfigError, match="Give --into"):
        export(path)
    export(path, into=picture)
    assert (zarr.open_array(picture / "labels" / "mask" / "1", mode="r")[:] == mask(path)).all()


def test_flipped_rows_lie_where_they_lie_in_the_array(tmp_path: Path) -> None:
    picture = image(tmp_path / "a.zarr")
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid()), **{"source.axes": [1, 2, True, False]})
    export(path)
    labels = zarr.open_group(picture / "labels" / "mask", mode="r")
    assert (labels["0"][:] == mask(path)[::-1]).all()


def test_flipped_rows_of_an_odd_number_lie_right_at_every_level(tmp_path: Path) -> None:
    """The last row of an overview is a quarter of a pixel, and the first one of the image."""
    picture = image(tmp_path / "a.zarr", (101, 130))
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid((101, 130))), **{"source.axes": [1, 2, True, False]})
    export(path)
    centres = 101 - 4 * (np.arange(25) + 0.5)
    labels = zarr.open_group(picture / "labels" / "mask", mode="r")
    assert (labels["2"][:] == mask(path, 2)[np.floor(centres / 4).astype(int), :32]).all()


def test_an_image_with_more_levels_than_its_store_takes_single_pixels(tmp_path: Path) -> None:
    picture = image(tmp_path / "a.zarr")
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid(), levels=1))
    export(path)
    labels = zarr.open_group(picture / "labels" / "mask", mode="r")
    assert (labels["2"][:] == mask(path)[2::4, 2::4][:25, :32]).all()


class Killed(BaseException):
    """What ends a process."""


def killed_at(module: Any, name: str, call: int) -> Callable[..., Any]:
    """A function that ends the process at one of its calls, before it does anything."""
    function, left = getattr(module, name), [call]

    def killed(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return function(*args, **options)

    return killed


STEPS = [
    (3, label, "write_label_names", 0),
    (3, writing, "_tile", 3),
    (2, label, "_sync_below", 0),
    (3, label, "write_label_names", 1),
]


@pytest.mark.parametrize(("zarr_format", "module", "name", "call"), STEPS)
def test_one_that_is_killed_is_named_to_nobody_and_a_rerun_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zarr_format: int, module: Any, name: str, call: int
) -> None:
    picture = image(tmp_path / "a.zarr", (50, 65), zarr_format=zarr_format)
    zarr.consolidate_metadata(picture)
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid((50, 65))))
    export(path)
    whole = contents(picture)
    assert names(picture) == names(picture, consolidated=True) == ["mask"]
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed_at(module, name, call))
        with pytest.raises(Killed):
            export(path)
    begun = (name, call) != STEPS[0][2:]  # killed before that, the one of before still stands
    assert names(picture) == names(picture, consolidated=True) == ([] if begun else ["mask"])
    export(path)
    assert contents(picture) == whole
    assert not (picture / ".wholecloth").exists()


def names(picture: Path, consolidated: bool = False) -> list[str]:
    group = zarr.open_group(picture, mode="r", use_consolidated=consolidated)
    return list(ome(group["labels"]).get("labels", []))


def test_labels_of_others_stay_and_are_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    picture = image(tmp_path / "a.zarr")
    attributes = {"ome": {"version": "0.5", "labels": ["cells", "mask"], "more": 1}}
    labels = zarr.open_group(picture / "labels", mode="a", attributes=attributes)
    cells = labels.create_group("mask", attributes={"by": "somebody else"}).create_array("old", shape=(4,), dtype="u1")
    cells[:] = 1
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid()))
    before = contents(picture)
    with pytest.raises(ConfigError, match=r"was not written for mask\.zarr"):
        export(path)
    assert contents(picture) == before
    export(path, overwrite=True)
    assert names(picture) == ["cells", "mask"]
    assert ome(zarr.open_group(picture / "labels", mode="r"))["more"] == 1
    assert sorted(zarr.open_group(picture / "labels" / "mask", mode="r").array_keys()) == ["0", "1", "2"]
    other = store(tmp_path / "other.zarr", picture, specs.spec(grid()))
    with pytest.raises(ConfigError, match=r"was not written for other\.zarr"):
        export(other, name="mask")
    labels.create_array("array", shape=(4,), dtype="u1")[:] = 1
    with pytest.raises(ConfigError, match="was left as it is"):
        export(path, name="array")
    assert export(path, overwrite=True, name="array") == picture / "labels" / "array"
    (picture / "labels" / "other").mkdir()
    (picture / "labels" / "other" / "notes.txt").write_text("of a person")
    with pytest.raises(ConfigError, match="was left as it is"):
        export(other)


def test_what_it_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    picture = image(tmp_path / "a.zarr")
    before = contents(picture)
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid(), layers=("mask", "confidence")))
    meta = read_store_meta(path)
    meta["config"]["output"]["layers"] = ["mask", "confidence"]
    restate(path, meta)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("layer confidence .* has no classes", {"layer": "confidence"}),
        ("--name is '../x'", {"name": "../x"}),
        ("is a store of a run and no image", {"into": path}),
        ("is no image in OME-Zarr", {"into": tmp_path / "nothing.zarr"}),
        ("spans 100 × 130 px .* has 90 × 130", {"into": image(tmp_path / "small.zarr", (90, 130))}),
        ("has 4 planes along z", {"into": image(tmp_path / "planes.zarr", axes="czyx")}),
    ]
    for words, options in cases:
        with pytest.raises(ConfigError, match=words):
            export(path, **options)
    with pytest.raises(PlanError, match=r"Give --memory 1\d\dMiB"):
        export(path, memory=2**20)
    with acquire_image(picture, "another", ignore), pytest.raises(Unfinished, match="is in use"):
        export(path)
    document: dict[str, Any] = zarr.open_group(picture, mode="r").attrs.asdict()["ome"]
    old = image(tmp_path / "old.zarr")
    zarr.open_group(old, mode="r+").attrs.put({"ome": {**document, "version": "0.6"}})
    with pytest.raises(ConfigError, match=r"OME-Zarr 0\.6 in Zarr v3"):
        export(path, into=old)
    warped = store(tmp_path / "warped.zarr", picture, specs.spec(grid()), **{"source.warp": {"crs": "EPSG:3857"}})
    with pytest.raises(ConfigError, match="lies on another grid"):
        export(warped)
    assert contents(picture) == before


def test_an_unchanged_one_is_left_and_one_with_another_colour_is_not(tmp_path: Path) -> None:
    from pipeline.exports import write_exports
    from pipeline.store.respec import read_spec

    picture = image(tmp_path / "a.zarr")
    path = store(tmp_path / "mask.zarr", picture, specs.spec(grid()))
    meta = read_store_meta(path)
    meta["config"]["output"]["exports"] = [{"to": "image-labels", "name": "tissue"}]
    spec = read_spec(path)
    files = write_exports(path, spec, meta)
    assert files["image-labels"] == picture / "labels" / "tissue"
    chunk = picture / "labels" / "tissue" / "0" / "c" / "2" / "2"
    written = chunk.stat().st_mtime_ns
    write_exports(path, spec, meta, unchanged=True)
    assert chunk.stat().st_mtime_ns == written
    red = replace(spec, classes=(replace(spec.classes[0], color="#ff0000"), *spec.classes[1:]))
    write_exports(path, red, meta, unchanged=True)
    assert chunk.stat().st_mtime_ns != written


@pytest.mark.slow
@pytest.mark.nightly("storage")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_it_lies_on_object_storage_as_on_disk(s3: Storage, tmp_path: Path, zarr_format: int) -> None:
    spec = specs.spec(grid())
    places: list[Place] = [Remote(f"s3://{BUCKET}/{tmp_path.name}/a.zarr"), tmp_path / "a.zarr"]
    upload(image(tmp_path / "a.zarr", zarr_format=zarr_format), f"{tmp_path.name}/a.zarr")
    for place in places:
        zarr.consolidate_metadata(zarr_path(place))
    before = contents(Remote(f"s3://{BUCKET}"))
    for place in places:
        path = store(tmp_path / str(isinstance(place, Remote)) / "mask.zarr", place, spec)
        export(path)
        export(path)
    remote, local = (contents(place) for place in places)
    assert remote.keys() == local.keys()
    assert [key for key in local if local[key] != remote[key]] == []
    added = contents(Remote(f"s3://{BUCKET}")).keys() - before.keys()
    assert all(f"{tmp_path.name}/a.zarr/labels/" in key for key in added)  # no group above the image


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_job_on_a_level_leaves_its_mask_in_the_image(tmp_path: Path, zarr_format: int) -> None:
    picture = image(tmp_path / "a.zarr", axes="cyx", zarr_format=zarr_format)
    source = {"kind": "zarr", "path": str(picture), "variable": "s1"}
    runs.go(scenes.config(tmp_path, source=source, output={"exports": [{"to": "image-labels", "name": "cells"}]}))
    pixels = mask(tmp_path / "job.zarr")
    assert pixels.shape == (50, 65)
    labels = zarr.open_group(picture / "labels" / "cells", mode="r")
    assert (labels["1"][:] == pixels).all()  # type: ignore[index]
    assert (labels["0"][:] == np.kron(pixels, np.ones((2, 2), pixels.dtype))).all()  # type: ignore[index]
    root = zarr.open_group(tmp_path / "job.zarr", mode="r")
    scale, moved = ome(root)["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert (scale["scale"], moved["translation"]) == ([0.5, 0.5], [10.125, 20.125])


def test_options_of_files_and_of_images_do_not_mix() -> None:
    for arguments, words in (
        (["--to", "image-labels", "--out", "a.zarr"], "Give --into IMAGE.zarr"),
        (["--to", "cog", "--into", "a.zarr"], "--into is of --to image-labels alone"),
        (["--to", "cog", "--name", "cells"], "--name is of --to image-labels alone"),
    ):
        done = CliRunner().invoke(app, ["export", "a.zarr", *arguments])
        assert words in str(done.exception)
    with pytest.raises(ValidationError, match="name is of image-labels alone"):
        ExportConfig.model_validate({"to": "cog", "name": "cells"})
