import json
from pathlib import Path

import pytest

from pipeline.config import AreaConfig, Config, parse_bytes, parse_seconds
from pipeline.config.load import load_config, schema
from pipeline.errors import ConfigError

GOOD = "source: {path: a.tif}\nmodel: {kind: torchscript, path: net.pt}\noutput: {path: out/a.zarr}\n"


def config(folder: Path, text: str = GOOD) -> Path:
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def message(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(config(folder, text), overrides)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_paths_are_relative_to_the_file_and_in_overrides_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = load_config(config(tmp_path), ["output.path=b.zarr"])
    assert said.source.path == str(tmp_path / "a.tif")
    assert said.model.path == tmp_path / "net.pt"
    assert said.output.path == tmp_path / "elsewhere" / "b.zarr"


@pytest.mark.parametrize(
    "override",
    ["source.aoi={path: a.gpkg, layer: fields}", "source={path: b.tif, aoi: {path: a.gpkg}}", "source.aoi.path=a.gpkg"],
)
def test_paths_within_a_section_that_is_set_are_relative_to_the_working_directory_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    aoi = load_config(config(tmp_path), [override]).source.aoi
    assert isinstance(aoi, AreaConfig)
    assert aoi.path == str(tmp_path / "elsewhere" / "a.gpkg")


def test_urls_samples_and_vsi_names_are_left_alone(tmp_path: Path) -> None:
    for path in ("https://a.example/b.tif", "/vsis3/bucket/b.tif", "sample://satellite?seed=3"):
        assert load_config(config(tmp_path), [f"source.path={path}"]).source.path == path


def test_a_factory_in_a_file_is_relative_to_the_config_and_one_in_a_module_is_not(tmp_path: Path) -> None:
    text = GOOD.replace("kind: torchscript", "kind: python, factory: 'nets/a.py:make'")
    assert load_config(config(tmp_path, text)).model.factory == f"{tmp_path}/nets/a.py:make"
    assert load_config(config(tmp_path, text.replace("nets/a.py:make", "nets.a:make"))).model.factory == "nets.a:make"


def test_variables_are_expanded_and_a_missing_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENES", "/data/scenes")
    assert load_config(config(tmp_path, GOOD.replace("a.tif", "'${SCENES}/a.tif'"))).source.path == "/data/scenes/a.tif"
    assert "NO_SUCH_VARIABLE" in message(tmp_path, GOOD.replace("a.tif", "'${NO_SUCH_VARIABLE}/a.tif'"))


def test_yaml_is_1_2_where_1e_4_is_a_number_and_no_is_a_word(tmp_path: Path) -> None:
    said = load_config(
        config(
            tmp_path,
            GOOD.replace("path: net.pt", "path: net.pt, input: {scale: 1e-4}, classes: [{name: no}, {name: yes}]"),
        )
    )
    assert said.model.input is not None
    assert said.model.input.scale == 1e-4
    assert said.model.classes is not None
    assert [row.name for row in said.model.classes] == ["no", "yes"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tile.halos=3", "tile.halos is not a key of the config (did you mean halo?)"),
        ("tile.patch_size=512", "tile.size"),
        ("tile.halo=-5", "tile.halo is -5"),
        ("model.kind=fcn9s", "did you mean fcn8s?"),
        ("source.tissue={pens: false}", "only is None; give only: tissue, or leave tissue out"),
        ("execution.memory=lots", "execution.memory is 'lots'"),
        ("output.layers=[confidence]", "must name mask"),
        ("output.layers=[mask, entropi]", "did you mean entropy?"),
        ("output.min_confidence=60", "output.min_confidence is 60"),
        ("output.probabilities_dtype=float32", "output.probabilities_dtype is 'float32'"),
        ("model.output.threshold=1.5", "model.output.threshold is 1.5: a threshold is a probability"),
        ("model.output.threshold=[0.2, 1]", "a threshold is a probability, above 0 and below 1"),
        ("model.output.threshold=[]", "model.output.threshold is []"),
        ("model.classes=[{name: a, color: null, colour: x}]", "did you mean color?"),
        ("model.classes=[{name: a, color: blue}]", "model.classes.0.color is 'blue'"),
        ("execution.stop_after=soon", "execution.stop_after is 'soon': give a time above 0: 23h30m"),
        ("execution.read_timeout=0", "execution.read_timeout is 0: give a time above 0"),
        ("locked.levels=3", "what is locked is not set"),
        ("tile", "key.path=value"),
        ("source.path.more=1", "no section"),
    ],
)
def test_what_is_wrong_is_said_in_one_paragraph_that_names_the_key(tmp_path: Path, override: str, words: str) -> None:
    assert words in message(tmp_path, GOOD, override)


def test_several_problems_are_told_at_once(tmp_path: Path) -> None:
    said = message(tmp_path, GOOD, "tile.halos=3", "execution.retries=-1")
    assert "tile.halos" in said
    assert "execution.retries" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: [unclosed", "line 1"),
        ("- a\n", "list"),
        ("", "nothing"),
        ("source: {path: a.tif}\n", "model is missing"),
    ],
)
def test_broken_files_are_told_apart(tmp_path: Path, text: str, words: str) -> None:
    said = message(tmp_path, text)
    assert words in said
    assert "job.yaml" in said


def test_an_unquoted_colour_is_explained(tmp_path: Path) -> None:
    bad = (
        "source: {path: a.tif}\noutput: {path: b.zarr}\nmodel:\n  path: net.pt\n  classes:\n    - name: "
        "water\n      color: #2b83ba\n"
    )
    assert "quotes" in message(tmp_path, bad)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_config(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    ("said", "size"),
    [("3072MiB", 3072 * 2**20), ("8GiB", 2**33), ("1.5 GB", 1_500_000_000), (4096, 4096), ("2g", 2**31)],
)
def test_amounts_of_memory(said: str | int, size: int) -> None:
    assert parse_bytes(said) == size


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("23h30m", 84600),
        ("1d2h", 93600),
        ("90m", 5400),
        ("3600s", 3600),
        ("90", 90),
        (90, 90),
        (1.5, 1.5),
        ("1D 2H 3M 4.5S", 93784.5),
        (84600.0, 84600),
    ],
)
def test_times(said: str | float, seconds: float) -> None:
    assert parse_seconds(said) == seconds


@pytest.mark.parametrize(
    "said", ["", "1h30", "30m1h", "1h1h", "-5", "0", "0h", "1w", "1-02:00:00", "h", "1.2.3", True, 1e300]
)
def test_what_is_no_time_is_refused(said: str | float) -> None:
    with pytest.raises(ValueError, match=r"time above 0|could not convert"):
        parse_seconds(said)


def test_times_may_be_left_out(tmp_path: Path) -> None:
    said = load_config(config(tmp_path), ["execution.stop_after=23h30m", "execution.read_timeout=null"]).execution
    assert (said.stop_after, said.read_timeout) == (84600, None)


def test_an_overlap_in_px_stays_one_when_a_store_remembers_it(tmp_path: Path) -> None:
    said = load_config(config(tmp_path), ["tile.overlap=64"])
    again = Config.model_validate(json.loads(said.model_dump_json(exclude_unset=True)))
    assert again.tile.overlap == 64
    assert Config.model_validate({**said.model_dump(), "tile": {"overlap": 64.0}}).tile.overlap == 64


def test_the_schema_names_every_section() -> None:
    assert set(schema()["properties"]) == {"source", "model", "tile", "output", "execution", "training", "locked"}


def test_a_halo_may_be_a_word_a_number_or_a_tolerance(tmp_path: Path) -> None:
    for wrong, said in (
        ("{tolerance: 0}", "tile.halo.tolerance is 0"),
        ("{tol: 1}", "did you mean tolerance"),
        ("fast", "or {tolerance: 1.0e-3}"),
        ("-5", "tile.halo is -5"),
    ):
        assert said in message(tmp_path, GOOD, f"tile.halo={wrong}")
    for right in ("auto", "exact", "64", "{tolerance: 1e-3, places: 4}"):
        load_config(config(tmp_path), [f"tile.halo={right}"])


def test_a_number_is_told_of_numbers_and_a_list_is_not_guessed_at(tmp_path: Path) -> None:
    for wrong in ("-1", "1.0", "1.5", "half"):
        assert "a fraction below 1 such as 0.5, or a whole number of px" in message(
            tmp_path, GOOD, f"tile.overlap={wrong}"
        )
    assert "greater than or equal to 1" in message(tmp_path, GOOD, "tile.batch=0")
    assert "it may be" not in message(tmp_path, GOOD, "output.layers=[mask, mask]")
    for right in ("0", "0.5", "64", "0.99"):
        load_config(config(tmp_path), [f"tile.overlap={right}"])


def test_an_engine_without_its_section_is_told_what_it_needs(tmp_path: Path) -> None:
    assert "execution.slurm: {cores: 8, memory: 32GiB}" in message(tmp_path, GOOD, "execution.engine=slurm")
    assert "execution.address: {scheduler: tcp://…}" in message(tmp_path, GOOD, "execution.engine=address")


def test_what_slurm_cannot_be_asked_for_is_refused(tmp_path: Path) -> None:
    asked = "execution={engine: slurm, slurm: {cores: 2, memory: 4GiB, %s}}"
    assert "more than the 2 cores" in message(tmp_path, GOOD, asked % "processes: 4")
    assert "in quotes: '04:00:00'" in message(tmp_path, GOOD, asked % "walltime: 04.5")
    assert "execution.slurm.partition is not a key of the config" in message(tmp_path, GOOD, asked % "partition: gpu")
    assert "no amount of memory" in message(
        tmp_path, GOOD, "execution={engine: slurm, slurm: {cores: 2, memory: lots}}"
    )


def test_certificates_are_relative_to_the_file_and_needed_where_a_scheduler_is_encrypted(tmp_path: Path) -> None:
    where = (
        GOOD + "execution: {engine: address, address: {scheduler: 'tls://10.0.0.5:8786', tls: {ca: a.pem, cert: "
        "b.pem, key: c.pem}}}\n"
    )
    said = load_config(config(tmp_path, where)).execution.address
    assert said is not None
    assert said.tls is not None
    assert said.tls.cert == tmp_path / "b.pem"
    assert "needs tls: {ca: …" in message(
        tmp_path, GOOD, "execution={engine: address, address: {scheduler: 'tls://10.0.0.5:8786'}}"
    )
    assert "write tcp://" in message(
        tmp_path, GOOD, "execution={engine: address, address: {scheduler: '10.0.0.5:8786'}}"
    )


def test_a_dollar_in_a_name_is_a_variable_only_where_no_file_has_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENE", "other")
    monkeypatch.chdir(tmp_path)
    text = GOOD.replace("a.tif", "'${SCENE}.tif'")
    assert load_config(config(tmp_path, text)).source.path.endswith("/other.tif")
    (tmp_path / "${SCENE}.tif").touch()
    assert load_config(config(tmp_path, text)).source.path == f"{tmp_path}/${{SCENE}}.tif"
    assert load_config(config(tmp_path, GOOD), ["source.path=${SCENE}.tif"]).source.path == f"{tmp_path}/${{SCENE}}.tif"


def test_several_files_are_told_how_to_become_one_raster(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"source.path is \[.*a.tif', .*b.tif'\].*kind: mosaic reads them as one raster, with a list such as "
        r"\[.*a.tif, .*b.tif\].*kind: bands does",
    ):
        load_config(config(tmp_path, GOOD), ["source.path=[a.tif, b.tif]"])


def test_files_per_band_have_names_and_paths_beside_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENES", "2024")
    text = GOOD.replace("path: a.tif", "kind: bands, path: {red: '${SCENES}/B4.tif', 8: /data/B8.tif}")
    assert load_config(config(tmp_path, text)).source.path == {"red": f"{tmp_path}/2024/B4.tif", "8": "/data/B8.tif"}
    template = load_config(config(tmp_path, GOOD), ["source={kind: bands, path: 'B{band}.tif', bands: [4, 8A]}"]).source
    assert (template.path, template.bands) == (f"{Path.cwd()}/B{{band}}.tif", [4, "8A"])


def test_keys_of_files_per_band_are_refused_of_one_raster(tmp_path: Path) -> None:
    for override, message in (
        ("source.path={red: B4.tif}", r"source.path is .*: a file for each name is a source of kind: bands"),
        (
            "source.bands=[B04]",
            r"source.bands is .*: 'B04' is no number; bands of a raster count from 1, and kind: bands",
        ),
        ("source.resolution=20", r"resolution is a key of kind: bands"),
        ("source.radiometry=raw", r"radiometry is a key of kind: bands"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_config(config(tmp_path, GOOD), [override])


def test_a_factory_in_a_module_beside_the_config_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "a.py").touch()
    text = GOOD.replace("kind: torchscript", "kind: python, factory: 'nets.a:make'")
    assert load_config(config(tmp_path, text)).model.factory == f"{tmp_path}/nets.a:make"
    assert (
        load_config(config(tmp_path, text.replace("nets.a", "./repo/nets.a"))).model.factory
        == f"{tmp_path}/repo/nets.a:make"
    )
    (tmp_path / "configs").mkdir()
    assert load_config(config(tmp_path / "configs", text)).model.factory == f"{tmp_path}/nets.a:make"
    ours = text.replace("nets.a:make", "pipeline.models.architectures.classifiers:vgg16")
    assert load_config(config(tmp_path, ours)).model.factory == "pipeline.models.architectures.classifiers:vgg16"
