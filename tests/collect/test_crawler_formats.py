from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import (
    DISCOVERY,
    PEERSTORE,
    Node,
    armiarma,
    crawler_row,
    geodata,
    geth_entry,
    geth_nodes,
    ndjson,
    node_crawler_database,
    visit,
)

from concentra.collect.crawler_formats import HEAD_BYTES, CrawlerFormat, crawler_format

NODE = Node(7)
GETH = geth_nodes((NODE, geth_entry(NODE)))

KNOWN: list[tuple[str, bytes, CrawlerFormat]] = [
    ("geth", GETH, CrawlerFormat.GETH_NODES),
    ("geth-on-one-line", json.dumps(json.loads(GETH)).encode(), CrawlerFormat.GETH_NODES),
    ("geth-with-prefixed-keys", GETH.replace(b'"', b'"0x', 1), CrawlerFormat.GETH_NODES),
    ("nebula", ndjson([visit(NODE)]), CrawlerFormat.NEBULA_VISITS),
    ("nebula-two", ndjson([visit(NODE), visit(NODE)]), CrawlerFormat.NEBULA_VISITS),
    ("nebula-sorted", json.dumps(visit(NODE), sort_keys=True).encode(), CrawlerFormat.NEBULA_VISITS),
    ("nebula-with-mark", b"\xef\xbb\xbf\n" + ndjson([visit(NODE)]), CrawlerFormat.NEBULA_VISITS),
    ("peerstore", PEERSTORE.encode(), CrawlerFormat.PEERSTORE),
    ("discovery", DISCOVERY.encode() + b"\r\n", CrawlerFormat.PEERSTORE),
    ("armiarma", armiarma("192.0.2.1"), CrawlerFormat.ARMIARMA),
    ("edi", geodata("192.0.2.1"), CrawlerFormat.EDI_GEODATA),
    ("edi-quoted", b'{"\'2001:db8::1": null}', CrawlerFormat.EDI_GEODATA),
    ("edi-bracketed", b'{"[2001:db8::1]": {}}', CrawlerFormat.EDI_GEODATA),
]


@pytest.mark.parametrize(("head", "found"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN])
def test_a_format_is_told_by_the_head_of_the_file(head: bytes, found: CrawlerFormat) -> None:
    assert crawler_format(head[:HEAD_BYTES]) is found


def test_a_database_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    path = node_crawler_database(tmp_path / "crawler.db", crawler_row(NODE))
    assert crawler_format(path.read_bytes()[:100]) is CrawlerFormat.NODE_CRAWLER


OTHERS: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("addresses", b"192.0.2.1\n192.0.2.2\n"),
    ("csv", b"ip,country\n192.0.2.1,XX\n"),
    ("csv-with-a-column-called-enr", b"node_id,enr\n"),
    ("enode", b"enode://00@192.0.2.1:1\n"),
    ("empty-object", b"{}"),
    ("object", b'{"a": {"record": "enr:"}}'),
    ("crawl-of-nebula", b'{"state": "succeeded", "started_at": "2025-11-22T12:00:00Z"}'),
    ("neighbours-of-nebula", b'{"PeerID":"16U","NeighborIDs":[],"ErrorBits":"0000000000000000"}'),
    ("node-id-of-a-number", b'{"' + b"ab" * 32 + b'": 7}'),
    ("address-of-a-number", b'{"192.0.2.1": 7}'),
    ("array", b'[{"PeerID": "x", "VisitEndedAt": "y"}]'),
    ("deep", b'{"a":' * 10_000),
    ("open-string", b'{"' + b"a" * 10_000),
    ("not-utf-8", b'{"\xff\xfe": {'),
    ("binary", bytes(range(256))),
    ("gzip", b"\x1f\x8b\x08\0"),
]


@pytest.mark.parametrize("head", [row[1] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_whatever_else_is_no_crawlers(head: bytes) -> None:
    assert crawler_format(head) is None


@given(st.binary(max_size=200) | st.binary(max_size=40).map(lambda tail: GETH[:30] + tail))
def test_any_head_has_a_format_or_none(head: bytes) -> None:
    assert crawler_format(head) in {None, *CrawlerFormat}


def test_every_format_says_what_it_can_tell() -> None:
    assert len({one.value.title for one in CrawlerFormat}) == len(CrawlerFormat)
    assert {one for one in CrawlerFormat if not one.value.by_node} == {
        CrawlerFormat.ARMIARMA,
        CrawlerFormat.EDI_GEODATA,
    }
