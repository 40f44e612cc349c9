from dataclasses import replace

import pytest

from pipeline.errors import ConfigError
from pipeline.interfaces import Locality, Radius, Tolerated
from pipeline.planning.halo import by_tolerance, choose_halo


def locality(verdict: str = "local", radius: int | None = 79) -> Locality:
    reach = None if radius is None else Radius(top=radius, bottom=radius, left=radius, right=radius)
    return Locality(
        verdict=verdict,
        stride=16,
        radius=reach,
        bands=4,
        classes=5,
        minimum=16,
        blame=("layer1",) if verdict != "local" else (),
    )


def test_auto_is_the_radius_rounded_up_to_the_stride() -> None:
    made = choose_halo(locality(), "auto", "auto", 16)
    assert (made.halo, made.exact) == (80, True)


def test_a_halo_below_the_radius_is_taken_and_called_inexact() -> None:
    made = choose_halo(locality(), 60, "auto", 16)
    assert (made.halo, made.exact) == (64, False)
    assert "79" in made.reason


def test_exact_is_refused_for_a_network_that_is_not_local_and_the_layer_is_named() -> None:
    with pytest.raises(ConfigError, match="layer1"):
        choose_halo(locality("not local", None), "exact", "auto", 16)


def test_a_network_that_is_not_local_is_blended() -> None:
    made = choose_halo(locality("not local", None), "auto", "auto", 16)
    assert (made.halo, made.exact) == (None, False)


@pytest.mark.parametrize(
    ("layers", "words"), [(3, "l0, l1, l2; overlapping"), (32, "l0, l1, l2 and 29 more; overlapping")]
)
def test_of_many_layers_to_blame_the_first_are_named(layers: int, words: str) -> None:
    network = replace(locality("not local", None), blame=tuple(f"l{k}" for k in range(layers)))
    assert words in choose_halo(network, "auto", "auto", 16).reason


def test_an_unproven_network_keeps_its_halo_and_is_not_called_exact() -> None:
    made = choose_halo(locality("unproven"), "auto", "auto", 16)
    assert (made.halo, made.exact) == (80, False)


def test_overlap_means_blending_even_for_a_local_network() -> None:
    assert choose_halo(locality(), "auto", 0.25, 16).halo is None


FOUND = Tolerated(tolerance=1e-3, halo=48, error=4e-4, places=6, valid=0.9, seed=2)


def test_a_tolerance_takes_the_halo_that_was_measured_and_says_on_what() -> None:
    made = by_tolerance(locality(), FOUND, 16)
    assert (made.halo, made.exact, made.tolerated) == (48, False, FOUND)
    for said in ("0.001", "48 px", "4.0e-04", "6 places", "90% valid", "seed 2", "exact one is 80 px"):
        assert said in made.reason


def test_a_tolerance_that_needs_the_radius_is_exact() -> None:
    made = by_tolerance(locality(), Tolerated(tolerance=1e-9, halo=96, error=0.0, places=6, valid=1.0, seed=0), 16)
    assert (made.halo, made.exact) == (80, True)
    assert made.tolerated is not None
    assert made.tolerated.halo == 80


def test_a_tolerance_calls_nothing_exact_where_nothing_is() -> None:
    made = by_tolerance(locality("not local", None), FOUND, 16)
    assert not made.exact
    assert "not local" in made.reason
