"""Templates to pages that ask no network, run no script, and show text of users as text."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_ENVIRONMENT = Environment(
    loader=PackageLoader("pipeline.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(template: str, **context: Any) -> str:
    """A page with its style inside.

    The policy of the page allows that style by its digest, and pictures that are part of the page; nothing else.

    Parameters
    ----------
    template
        Name of a file in ``templates``.
    context
        What it shows; every text is escaped.
    """
    style = _ENVIRONMENT.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    # the style is our own, and its quotes must stay
    return _ENVIRONMENT.get_template(template).render(style=Markup(style), policy=policy, **context)  # noqa: S704
