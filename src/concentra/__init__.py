"""Measure how concentrated the infrastructure of Web3 is.

The stages are packages, and data flows one way through them::

    collect → attribute → measure → judge → report

``concentra.workflows`` puts them together; ``docs/architecture.md`` explains the layers. The public
interface of the library is `attribute` and `concentration`, beside the workflows.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concentra.workflows.frames import attribute, concentration

__version__ = "0.1.0"
__all__ = ["__version__", "attribute", "concentration"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Return `attribute` or `concentration`; they import pandas, which the command line does without."""
    if name in {"attribute", "concentration"}:
        return getattr(import_module("concentra.workflows.frames"), name)
    raise AttributeError(f"module 'concentra' has no attribute {name!r}")
