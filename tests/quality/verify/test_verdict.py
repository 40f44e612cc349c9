"""What is said of a promise."""

import pytest

from pipeline.quality.verify.logit_differences import Tally
from pipeline.quality.verify.verdict import Promise, why


@pytest.mark.parametrize("what", ["logits", "probabilities"])
def test_what_was_compared_is_called_by_its_name(what: str) -> None:
    said = why(Promise(kind="none", limit=None), Tally(windows=3), Tally(windows=2), what)
    assert f"at 3 seams the {what} are at most 0.0e+00 standard deviations of the {what} from the reference" in said
    assert what == "logits" or "logits" not in said
