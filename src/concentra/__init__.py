"""Measure how concentrated the infrastructure of Web3 is.

The stages are packages, and data flows one way through them::

    collect → attribute → measure → judge → report

``concentra.workflows`` puts them together; ``docs/architecture.md`` explains the layers.
"""

__version__ = "0.1.0"
