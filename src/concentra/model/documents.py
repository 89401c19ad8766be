"""Frozen values → plain documents, for the formats that files are written in."""

from __future__ import annotations

from datetime import date

import msgspec
import tomli_w


def toml_text(value: object) -> str:
    """Return a frozen value as TOML; fields that are None are left out, for which TOML has no word."""
    document = _without_none(msgspec.to_builtins(value, builtin_types=(date,)))
    if not isinstance(document, dict):
        raise TypeError(f"TOML holds tables, got {type(value).__name__}")
    return tomli_w.dumps(document)


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_none(entry) for entry in value]
    return value
