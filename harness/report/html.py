"""What every HTML page of kmatrix has in common: guest text that cannot become markup, and a policy's hash."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report.sanitize import visible


def environment(package: str, folder: str, shown: int) -> Environment:
    """Templates of a package. Text that is not the template's own passes `visible`, cut to `shown` characters, and then
    HTML's escaping."""

    def finalize(value: Any) -> Any:  # noqa: ANN401  whatever a template's expression gives
        if isinstance(value, str) and not isinstance(value, Markup):
            return visible(value, shown)
        return "" if value is None else value

    return Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy_hash(text: str) -> str:
    """The source in a Content-Security-Policy that allows exactly this inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
