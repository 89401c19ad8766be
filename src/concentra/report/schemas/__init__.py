"""JSON Schemas of the documents, one file a document and version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

VERSIONS: Mapping[str, int] = {
    "audit": 1,
    "check": 1,
    "claim": 1,
    "compare": 1,
    "crawl": 1,
    "coverage": 1,
    "locate": 1,
}
"""The version that this release writes."""


def load_schema(document: str) -> Mapping[str, Any]:
    """Return the schema of one of the documents in `VERSIONS`, in the version that this release writes."""
    text = files(__name__).joinpath(f"{document}-{VERSIONS[document]}.json").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema
