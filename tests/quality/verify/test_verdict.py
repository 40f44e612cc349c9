"""What is said of a promise."""

import pytest

from pipeline.quality.verify.logit_differences import WindowErrors
from pipeline.quality.verify.verdict import SeamLimit, verdict_text


@pytest.mark.parametrize("what", ["logits", "probabilities"])
def test_what_was_compared_is_called_by_its_name(what: str) -> None:
    said = verdict_text(SeamLimit(kind="none", limit=None), WindowErrors(windows=3), WindowErrors(windows=2), what)
    assert f"at 3 seams the {what} are at most 0.0e+00 standard deviations of the {what} from the reference" in said
    assert what == "logits" or "logits" not in said
