"""References are followed within the document; what would have to be executed is left as it is."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import ModelError
from pipeline.models.descriptions.monai.references import BundleConfig, Unresolved


def value(content: dict[str, Any], part: str = "a") -> Any:
    return BundleConfig(content, "inference.json").value(part)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": "@b", "b": 3}, 3),
        ({"a": ["@b::c", "@b#d#1"], "b": {"c": "x", "d": [5, 6]}}, ["x", 6]),
        ({"a": "%b", "b": {"c": "@d"}, "d": None}, {"c": None}),
        ({"a": {"b": "@#c", "c": "@##d", "e": ["@##c"]}, "d": 4}, {"b": 4, "c": 4, "e": [4]}),
        ({"a": "@b::c", "b": "@d", "d": {"c": 1}}, 1),
        ({"a": "$@b", "b": [1]}, [1]),
        ({"a": ["$None", "$True", "$(1, 2)", "$-0.5", "$'x'"]}, [None, True, [1, 2], -0.5, "x"]),
        ({"a": ["$monai.utils.CommonKeys.IMAGE", "$torch.float32", "$np.uint8"]}, ["image", "float32", "uint8"]),
        ({"a": "user@host, 100 %"}, "user@host, 100 %"),
    ],
)
def test_what_stands_in_the_document_is_put_in_place(content: dict[str, Any], expected: object) -> None:
    assert value(content) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": "$__import__('os').system('true')"}, "which is an expression of Python"),
        ({"a": "$@b + 1", "b": 1}, "which is an expression of Python"),
        ({"a": "@b", "b": "$[x for x in ()]"}, "which is an expression of Python"),
        ({"a": "%/etc/passwd.json"}, "which is a part of another file"),
        ({"a": "%train.yaml#b"}, "which is a part of another file"),
        ({"a": "@b"}, "which is nowhere in the document"),
        ({"a": "@b::1", "b": [0]}, "which is nowhere in the document"),
        ({"a": "@b", "b": "@a"}, "which leads to itself"),
        ({"a": "@a::b"}, "which leads to itself"),
        ({"a": "$" + "(" * 5000}, "which is an expression of Python"),
    ],
)
def test_what_is_not_there_is_not_known(content: dict[str, Any], reason: str) -> None:
    found = value(content)
    assert isinstance(found, Unresolved)
    assert found.reason == reason


def test_references_that_would_fill_the_memory_are_refused() -> None:
    laughs = {f"a{k}": [f"@a{k - 1}"] * 10 for k in range(1, 10)} | {"a0": "x"}
    with pytest.raises(ModelError, match="refers to parts of itself in a way that could fill the memory"):
        value(laughs, "a9")
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ModelError, match="refers to parts of itself"):
        value({"a": deep})
