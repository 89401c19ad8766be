"""An audit as pandas frames, for users of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concentra.report.audit_document import conflict_rows, funnel_rows, score_rows, share_rows

if TYPE_CHECKING:
    import pandas as pd

    from concentra.model.audit import Audit


def shares_frame(audit: Audit) -> pd.DataFrame:
    """Return one row for each entity of each cell; small cells are merged as in every export.

    Examples
    --------
    >>> from concentra.workflows.audit import audit
    >>> from concentra.workflows.subjects import load_population
    >>> frame = shares_frame(audit(load_population("ethereum"), replicates=0))
    >>> frame.query("axis == 'provider' and denominator == 'all'").entity.head(3).tolist()
    ['aws', 'hetzner', 'ovh']
    """
    return _frame(share_rows(audit))


def scores_frame(audit: Audit) -> pd.DataFrame:
    """Return one row for each score of each cell."""
    return _frame(score_rows(audit))


def funnel_frame(audit: Audit) -> pd.DataFrame:
    """Return one row for each step of the funnel."""
    return _frame(funnel_rows(audit))


def conflicts_frame(audit: Audit) -> pd.DataFrame:
    """Return one row for each disagreement between two sources."""
    return _frame(conflict_rows(audit))


def _frame(rows: object) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
