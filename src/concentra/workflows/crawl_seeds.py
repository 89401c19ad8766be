"""Nodes to begin with: ENRs and enode URLs, as the engine takes them, and what if none may be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from concentra.collect.crawl.announcements import Neighbour, neighbour_of_enode, neighbour_of_record
from concentra.collect.crawl.engine import Engine
from concentra.errors import ConcentraError, UsageProblem
from concentra.model.crawl import CrawlSource
from concentra.wire import enode, enr
from concentra.wire.errors import WireError

BEYOND_LIMIT = "beyond --max-nodes"
NO_RECORD = "enode URL without a record"
SHOWN = 24


class NotABootNode(UsageProblem):
    """A text that should name a node to begin with does not."""

    def __init__(self, text: str, reason: str) -> None:
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        super().__init__(f"{shown} is no boot node: {reason}")
        self.hint = "wanted an ENR (enr:…) or an enode URL (enode://…@address:port)"


class NobodyToAsk(ConcentraError):
    """Every node to begin with was asked less than an hour ago, or may not be asked."""

    def __init__(
        self,
        network: str,
        reasons: Mapping[str, int],
        again_at: datetime | None,
        *,
        protocol: CrawlSource | None = None,
    ) -> None:
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        over = "" if protocol is None else f" over {protocol.value}"
        why = f"of its boot nodes {told}" if told else "it has no boot nodes"
        super().__init__(f"nobody to ask on {network}{over}: {why}")
        self.reasons = dict(reasons)
        if again_at is not None:
            full = again_at.replace(second=0, microsecond=0)
            minute = full if full == again_at else full + timedelta(minutes=1)
            self.hint = f"nodes rest for an hour; they may be asked again at {minute:%H:%M} UTC"
        elif NO_RECORD in reasons:
            self.hint = "discv5 asks by signed record: --boot-node enr:…, or --discovery discv4"
        else:
            self.hint = "--boot-node names nodes to begin with"


def boot_neighbour(text: str, source: CrawlSource) -> Neighbour | None:
    """Return the node that `text` names; None if `source` cannot begin with it.

    discv5 has no use for an enode URL: there, whoever asks must know the record of who is asked.

    Raises
    ------
    NotABootNode
        If it is neither an ENR nor an enode URL, or a damaged one.
    """
    try:
        if text.startswith(enr.PREFIX):
            return neighbour_of_record(enr.from_text(text))
        known = neighbour_of_enode(enode.from_url(text))
    except WireError as error:
        raise NotABootNode(text, str(error)) from error
    return None if source is CrawlSource.DISCV5 else known


def sow(engine: Engine, texts: Iterable[str], now: float) -> Counter[str]:
    """Have a walk begin at the nodes that `texts` name, and return how many may not be asked, by reason.

    Raises
    ------
    NotABootNode
    """
    reasons: Counter[str] = Counter()
    for text in texts:
        known = boot_neighbour(text, engine.source)
        if known is None:
            reasons[NO_RECORD] += 1
            continue
        engine.seed(known, engine.source, now)
        taken = engine.nodes.get(known.node_id)
        reasons[BEYOND_LIMIT if taken is None else taken.outcome.value] += 1
    return reasons
