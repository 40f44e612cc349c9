"""Arithmetic on graphs of imports: each node with the nodes that it imports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

Graph = Mapping[str, frozenset[str]]


def reachable(graph: Graph) -> dict[str, frozenset[str]]:
    """Per node, every node that a chain of imports leads to; the node itself where the chain is a circle."""
    return {node: _from(graph, node) for node in graph}


def _from(graph: Graph, node: str) -> frozenset[str]:
    visited: set[str] = set()
    queue = list(graph[node])
    while queue:
        current = queue.pop()
        if current not in visited:
            visited.add(current)
            queue += graph[current]
    return frozenset(visited)


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """Sets of nodes that import each other in a circle, each sorted."""
    reach = reachable(graph)
    return sorted(
        {tuple(sorted(other for other in reach[node] if node in reach[other])) for node in graph if node in reach[node]}
    )


def longest_chain(graph: Graph) -> int:
    """Nodes on the longest chain of imports; the nodes of a circle count as one."""
    members = {node: circle for circle in circles(graph) for node in circle}

    @cache
    def height(circle: tuple[str, ...]) -> int:
        below = {members.get(target, (target,)) for node in circle for target in graph[node]} - {circle}
        return 1 + max((height(lower) for lower in below), default=0)

    return max((height(members.get(node, (node,))) for node in graph), default=0)


def without_detours(graph: Graph) -> dict[str, frozenset[str]]:
    """The graph without arrows that a longer chain of arrows implies; circles keep all of theirs."""
    reach = reachable(graph)
    return {
        node: frozenset(target for target in graph[node] if not _has_detour(graph, reach, node, target))
        for node in graph
    }


def _has_detour(graph: Graph, reach: Graph, node: str, target: str) -> bool:
    return any(
        target in reach[via] and node not in reach[via] and via not in reach[target] for via in graph[node] - {target}
    )
