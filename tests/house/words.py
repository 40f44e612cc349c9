"""Pro-words: words that stand for another word, so that a reader must look elsewhere for what they mean.

``said`` may be a document, a message or a reply; the noun itself is the better name. The list comes from the review of
the package's names: the vocabulary that it found, and the left columns of its tables of renames. EXCEPTIONS says which
words of those tables stay allowed, and why.
"""

from __future__ import annotations

PRONOUNS = """
    anything are both each everything he here him his how it its itself many mine most no_one nobody none nothing of
    one ones other others ours own several some something that theirs them themselves there these they thing things
    this those us we what whatever when where which who whoever whole whom whose why yours
"""
"""Words that replace a noun, a place, a reason or an amount."""

PARTICIPLES = """
    answered arrived asked brought called came carried doubted drawn ended enrolled found gone got held kept known
    lacked lacks left left_over limited lost made meant missed muted named needed offered opened owed owned placed
    priced promised refused said seen sent settled shown staffed started taken taught told unheard unlike unsaid
    used vanished wanted
"""
"""Verbs that replace the noun that they were done to."""

ADVERBS = """
    afresh again ahead alive alone along anew apart around aside away back bare before beside beyond close cramped
    due elsewhere late lately later least near once over plain polite roomy still together within
"""
"""Words that tell the manner or the place, without the noun that they describe."""

DIALECT = """
    adopt arrives bring crew dismiss discharge doubt doubts emptier enrol examiner forget go_home hands keeper lay
    lesson meet mend nests outdate patient pays promise roll roomy roster see shift shifts sight stands stranger
    tally tell tiny unless_away wish words worth
"""
"""Words of the house whose usual noun or verb is another: a crew is a pool of workers, a roster is a registry, words
are text."""

EXCEPTIONS = {
    "are": "reads as a verb in a lambda of one line, and is bound nowhere else",
    "close": "the usual verb for handles and stores",
    "left": "the side of a window, beside right, top and bottom",
    "near": "the usual word for a small distance in pixels",
    "other": "Python's own name for the second operand of a method",
    "shift": "the usual word for a translation in pixels; shifts of workers are called shifts",
    "where": "the condition of numpy and of SQL, and the field of that name in a config",
    "whole": "the project's promise is that tiled equals whole",
}
"""Words of the review that stay allowed, each with its reason."""

METHODS = {"of": "``Kind.of(value)`` reads as the constructor that it is"}
"""Words that stay allowed as names of methods, each with its reason."""

PRO_WORDS = frozenset(" ".join((PRONOUNS, PARTICIPLES, ADVERBS, DIALECT)).split()) - EXCEPTIONS.keys()


def is_pro_word(name: str) -> bool:
    """Whether a name is a pro-word, whatever its case and its underscores at either end.

    ``said``, ``_found``, ``HELD``, ``Made``.
    """
    return name.strip("_").lower() in PRO_WORDS
