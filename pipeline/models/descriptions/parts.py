"""Parts of a document with checked values, and what is wrong with one in a paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ModelError


class DocumentPart(BaseModel):
    """A part of a document; keys that do not decide how a network is run are not read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what pydantic does not like into one paragraph about the description ``name``."""
    try:
        yield
    except ValidationError as error:
        first, *others = error.errors()
        where = ".".join(str(part) for part in first["loc"] if not str(part).endswith("Part"))
        more = f" ({len(others)} more places are wrong)" if others else ""
        raise ModelError(
            f"{name} is no description that can be used: {where or 'it'}: {first['msg']}{more}. Mend it, or download "
            f"the package again."
        ) from error
