from pathlib import Path

import pytest
import typer

from pipeline import samples
from pipeline.models.weights import load_into, read_meta
from pipeline.networks.fcn8s import FCN8s
from pipeline.training.recipes import RECIPES, known, train

WEIGHTS = Path(__file__).resolve().parents[2] / "configs" / "weights"


@pytest.mark.parametrize("name", RECIPES)
def test_judges_are_never_learnt_from(name: str) -> None:
    recipe = RECIPES[name]
    if recipe.learns is None or recipe.judged is None:
        assert not set(recipe.scenes) & set(recipe.judges)
        default = samples.KINDS[name].seed
        assert not any(f"seed={default}&" in f"{uri}&" for uri in recipe.scenes)
    else:
        assert recipe.learns.cols.stop <= recipe.judged.cols.start


@pytest.mark.parametrize("name", RECIPES)
def test_the_weights_at_hand_are_small_fit_their_network_and_say_what_their_recipe_says(name: str) -> None:
    path, recipe = WEIGHTS / f"{name}.safetensors", RECIPES[name]
    assert path.stat().st_size < 3 * 2**20
    assert read_meta(path) == recipe.meta
    assert tuple(row["name"] for row in recipe.meta.classes) == samples.KINDS[name].classes
    load_into(FCN8s(**recipe.meta.args), path)


@pytest.mark.slow
def test_a_recipe_writes_weights_that_say_all_that_run_needs(tmp_path: Path) -> None:
    out = tmp_path / "ihc.safetensors"
    train(RECIPES["ihc"], out, steps=2)
    meta = read_meta(out)
    assert meta == RECIPES["ihc"].meta
    assert FCN8s(**meta.args)


def test_a_recipe_that_is_not_there_is_told() -> None:
    with pytest.raises(typer.BadParameter, match="satellite, ihc"):
        known("moon")
