from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.dask.teams import TEAM_SIZE, Team, Teams


@dataclass
class Out:
    addresses: frozenset[str]
    team: Team | None = None


def workers(count: int, threads: int = 1) -> dict[str, int]:
    return {f"w{k}": threads for k in range(count)}


@given(st.integers(0, 300))
def test_every_worker_is_in_one_team_and_teams_are_even(count: int) -> None:
    teams = Teams(items_per_thread=2)
    teams.update(workers(count), [])
    members = [address for team in teams.teams for address in team.threads]
    sizes = [len(team.threads) for team in teams.teams]
    assert sorted(members) == sorted(workers(count))
    assert len(sizes) == -(-count // TEAM_SIZE)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_a_team_may_have_so_many_items_per_thread_and_the_emptiest_is_next() -> None:
    teams = Teams(items_per_thread=2)
    teams.update(workers(TEAM_SIZE) | {f"big{k}": 3 for k in range(TEAM_SIZE)}, [])
    given_out: list[Team] = []
    while (team := teams.roomiest()) is not None:
        team.items += 1
        given_out.append(team)
    assert len(given_out) == 2 * (TEAM_SIZE + 3 * TEAM_SIZE)
    assert {team.items for team in teams.teams} == {2 * TEAM_SIZE, 6 * TEAM_SIZE}
    assert {id(team) for team in given_out[:2]} == {id(team) for team in teams.teams}


def test_items_that_are_out_count_for_the_team_that_has_a_worker_of_theirs() -> None:
    teams = Teams(items_per_thread=2)
    there = workers(2 * TEAM_SIZE)
    teams.update(there, [])
    out = [Out(frozenset(teams.teams[1].threads)), Out(frozenset({"w0", "gone"})), Out(frozenset({"gone"}))]
    teams.update(there | {"new": 1}, out)
    assert [team.items for team in teams.teams].count(0) == len(teams.teams) - 2
    assert out[0].team is not None
    assert out[0].team.threads.keys() & out[0].addresses
    assert out[1].team is teams.teams[0]
    assert out[2].team is None


def test_without_workers_nobody_has_room() -> None:
    teams = Teams(items_per_thread=2)
    assert teams.roomiest() is None
    teams.update(workers(1), [])
    assert teams.roomiest() is not None
    teams.update({}, [])
    assert teams.roomiest() is None


def test_a_team_that_lost_workers_is_given_nothing_until_it_has_room() -> None:
    teams = Teams(items_per_thread=2)
    teams.update(workers(2), [])
    out = [Out(frozenset(workers(2))) for _ in range(4)]
    teams.update(workers(1), out)
    assert (teams.teams[0].free, teams.roomiest()) == (-2, None)
