"""Rows and manifests of crawls that never were."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from concentra.model.crawl import TIME_TO_LIVE, CrawlManifest, CrawlSource, CrawlState, NodeRow, Outcome
from concentra.model.crawl_table import FORMAT

START = datetime(2026, 11, 23, 1, 45, tzinfo=UTC)
ENDED = START + timedelta(minutes=44)
OURS = bytes([0xAA]) * 32


def node_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def row(number: int, **changes: Any) -> NodeRow:
    """Return a node that answered at 8.8.8.8 and said nothing of its chain."""
    fields: dict[str, Any] = {
        "source": CrawlSource.DISCV4,
        "node_id": node_id(number),
        "public_key": None,
        "address": "8.8.8.8",
        "udp": 30303,
        "tcp": 30303,
        "record": None,
        "seq": None,
        "first_seen": START,
        "last_seen": START,
        "asked_at": START,
        "outcome": Outcome.ANSWERED,
        "announcers": 1,
        "told": 0,
        "rtt_ms": None,
        "dialled": None,
        "client": None,
        "capabilities": None,
        "network_id": None,
        "genesis": None,
        "fork_hash": None,
        "fork_next": None,
        "head": None,
    }
    return NodeRow(**{**fields, **changes})


def manifest(**changes: Any) -> CrawlManifest:
    """Return the manifest of a crawl that began; it expires after the default time."""
    begun = CrawlManifest(
        format=FORMAT,
        network="ethereum",
        title="Ethereum, execution layer",
        state=CrawlState.RUNNING,
        started=START,
        ended=None,
        expires=changes.get("started", START) + TIME_TO_LIVE,
        tool="concentra 0",
        command="concentra crawl ethereum",
        identities=(OURS.hex(),),
        settings={"rate": 50.0, "in_flight": 1024, "discovery": "discv4"},
        counts={},
    )
    return msgspec.structs.replace(begun, **changes)
