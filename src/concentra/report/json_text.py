"""Documents as JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_text(document: Mapping[str, Any]) -> str:
    """Return `document` as readable JSON with a final line end; NaN and infinities are refused."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
