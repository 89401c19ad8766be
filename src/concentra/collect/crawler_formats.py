"""Which crawler wrote a file, told by its content."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

import msgspec

from concentra.collect.address_forms import bare_address
from concentra.collect.armiarma_csv import is_armiarma
from concentra.collect.imports import MAX_LINE_BYTES
from concentra.collect.peerstore_csv import is_peerstore

HEAD_BYTES = 64 * 1024
"""How much of a file has to be seen to tell its format; the first visit of a Nebula file has to end in it."""

SQLITE = b"SQLite format 3\0"

_FIRST_KEY = re.compile(rb'\s*\{\s*"((?:[^"\\]|\\.){0,100})"\s*:\s*(.)', re.DOTALL)
_NODE_ID = re.compile(rb"(?:0x)?[0-9a-fA-F]{64}")


class Facts(NamedTuple):
    """What a format can tell, and what it cannot."""

    title: str
    """For people."""
    by_node: bool
    """Whether it names nodes, and not only addresses."""
    dated: bool
    """Whether its rows say when they were made."""
    limits: tuple[str, ...]
    """What a reader of figures must know of the crawler, a sentence each."""


class CrawlerFormat(Enum):
    """A file format of another crawler, with what it can tell."""

    GETH_NODES = Facts("geth nodes.json", by_node=True, dated=True, limits=())
    NEBULA_VISITS = Facts(
        "Nebula visits",
        by_node=True,
        dated=True,
        limits=(
            "Nebula listens on IPv4 only, and keeps the first address that it heard of a node",
            "a crawl of one discovery protocol meets nodes of every network that uses it",
        ),
    )
    PEERSTORE = Facts(
        "FastEthereumCrawler peerstore",
        by_node=True,
        dated=False,
        limits=(
            "each node was asked once: one whose packet was lost is missing",
            "a crawl of one discovery protocol meets nodes of every network that uses it",
        ),
    )
    NODE_CRAWLER = Facts(
        "ethereum/node-crawler database",
        by_node=True,
        dated=True,
        limits=("of a node with an eth2 entry in its record the client is not stored",),
    )
    ARMIARMA = Facts("Armiarma ips", by_node=False, dated=False, limits=())
    EDI_GEODATA = Facts(
        "EDI geodata",
        by_node=False,
        dated=False,
        limits=(
            "addresses are kept for good: of which crawl each is, is not recorded",
            "layers are told apart by a part of the record's text; other networks may be among them",
        ),
    )


def crawler_format(head: bytes) -> CrawlerFormat | None:
    """Return the format of a file that begins with `head`; None if no crawler is known to write such.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` of the file, decompressed.

    Examples
    --------
    >>> crawler_format(b'{"192.0.2.1": {"country": "Nowhere"}}').name
    'EDI_GEODATA'
    """
    if head.startswith(SQLITE):
        return CrawlerFormat.NODE_CRAWLER
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return _of_json(text)
    header = text.split(b"\n", 1)[0][:4096].decode("utf-8", "replace")
    if is_peerstore(header):
        return CrawlerFormat.PEERSTORE
    return CrawlerFormat.ARMIARMA if is_armiarma(header) else None


def _of_json(text: bytes) -> CrawlerFormat | None:
    if _is_visit(text.split(b"\n", 1)[0]):
        return CrawlerFormat.NEBULA_VISITS
    first = _FIRST_KEY.match(text)
    if first is None:
        return None
    key, value = first.groups()
    if _NODE_ID.fullmatch(key):
        return CrawlerFormat.GETH_NODES if value == b"{" else None
    name = key.decode("utf-8", "replace").strip(" '\"\\").removeprefix("[").removesuffix("]")
    return CrawlerFormat.EDI_GEODATA if bare_address(name) is not None and value in b"{n" else None


def _is_visit(line: bytes) -> bool:
    """Tell whether the first line is a visit of Nebula, and not, say, the neighbours of a peer."""
    if len(line) > MAX_LINE_BYTES:
        return False
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(entry, dict) and "PeerID" in entry and "VisitEndedAt" in entry
