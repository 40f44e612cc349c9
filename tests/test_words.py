"""Names of the package are nouns and verbs of the field, each with one home.

Tests/house/words.py and families.py list the words and what is allowed.

Each ceiling is what was counted when its test was written. It goes down with every renaming and never up, until it
stands at the aim.
"""

from __future__ import annotations

from tests.house import families, figures, names, words
from tests.house.modules import modules

DEFINITIONS = 0
"""Public classes, functions and constants that are pro-words; the aim is 0."""
METHODS = 0
"""Public methods that are pro-words; the aim is 0."""
FILES = 0
"""Files and rooms that are pro-words; the aim is 0."""
SHARED_DEFINITIONS = 0
"""Public classes and functions that several modules define, beside the protocols of families; the aim is 0."""
SHARED_CONSTANTS = 0
"""Public constants that several modules define, beside those of families; the aim is 0."""
VARIABLES = 0.02
"""Share of bound variables that are pro-words; the aim is 0.02."""


def test_no_public_name_is_a_pro_word() -> None:
    offenders = figures.pro_word_definitions(modules())
    assert len(offenders) <= DEFINITIONS, f"name these by what they are: {', '.join(offenders)}"


def test_no_public_method_is_a_pro_word() -> None:
    offenders = figures.pro_word_methods(modules())
    assert len(offenders) <= METHODS, f"name these by what they do: {', '.join(offenders)}"


def test_no_file_and_no_room_is_a_pro_word() -> None:
    offenders = figures.pro_word_files(modules())
    assert len(offenders) <= FILES, f"name these by what they hold: {', '.join(offenders)}"


def test_a_public_class_or_function_has_one_home() -> None:
    check_homes(constants=False, ceiling=SHARED_DEFINITIONS)


def test_a_public_constant_has_one_home() -> None:
    check_homes(constants=True, ceiling=SHARED_CONSTANTS)


def check_homes(constants: bool, ceiling: int) -> None:
    shared = families.duplicates(names.homes(modules(), constants))
    listed = (f"{name} ({', '.join(module.name for module in homes)})" for name, homes in sorted(shared.items()))
    assert len(shared) <= ceiling, (
        f"several modules define these, and tests/house/families.py allows none of them: {'; '.join(listed)}"
    )


def test_few_variables_are_pro_words() -> None:
    share = figures.pro_word_share(modules())
    frequent = ", ".join(f"{name} {count}" for name, count in figures.pro_words(modules()).most_common(20))
    assert share <= VARIABLES, (
        f"{share:.2%} of the bound variables are pro-words, and {VARIABLES:.1%} may be: {frequent}"
    )


def test_every_allowed_word_has_a_reason_and_is_in_the_lists() -> None:
    listed = set(" ".join((words.PRONOUNS, words.PARTICIPLES, words.ADVERBS, words.DIALECT)).split())
    for allowed in (words.EXCEPTIONS, words.METHODS):
        assert allowed.keys() <= listed
        assert all(reason.count(" ") > 3 for reason in allowed.values())
