from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.interop.signed_tree import made_records

from concentra.collect.crawl.admission import Admission, OptOut
from concentra.collect.crawl.engine import Engine, Limits
from concentra.model.crawl import CrawlSource
from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.workflows.crawl_seeds import NobodyToAsk, NotABootNode, boot_neighbour, sow

V4, V5 = CrawlSource.DISCV4, CrawlSource.DISCV5
RECORDS = list(made_records(3))
TEXTS = [enr.to_text(record) for record in RECORDS]


def url(number: int) -> str:
    record = RECORDS[number]
    assert record.ip is not None
    return enode.to_url(Enode(public_key=record.public_key, address=record.ip, tcp=30303, udp=30304))


def engine(source: CrawlSource = V4, *, recently: frozenset[bytes] = frozenset()) -> Engine:
    admission = Admission(opt_out=OptOut((), "none"), ourselves=set(), asked_recently=recently)
    return Engine(source, admission, Limits())


def test_a_record_begins_either_walk_and_an_enode_url_that_of_discv4() -> None:
    for source in (V4, V5):
        known = boot_neighbour(TEXTS[0], source)
        assert known is not None
        assert (known.node_id, known.record) == (RECORDS[0].node_id, enr.encode(RECORDS[0]))
    known = boot_neighbour(url(0), V4)
    assert known is not None
    assert (known.node_id, known.udp, known.tcp, known.record) == (RECORDS[0].node_id, 30304, 30303, None)
    assert boot_neighbour(url(0), V5) is None


@pytest.mark.parametrize("source", [V4, V5])
@pytest.mark.parametrize(
    "text",
    ["", "enr:", "enr:-damaged", "enode://", "192.0.2.1:30303", "x" * 100, "enode://\x1b[31m@192.0.2.1:1"],
)
def test_anything_else_is_no_boot_node_whichever_walk_it_is_for(text: str, source: CrawlSource) -> None:
    with pytest.raises(NotABootNode) as error:
        boot_neighbour(text, source)
    shown = str(error.value).partition(" is no boot node: ")[0]
    assert shown == text if len(text) <= 24 else shown == f"{text[:24]}…"
    assert error.value.hint is not None


def test_whom_a_walk_cannot_begin_with_is_counted_by_reason() -> None:
    public = enr.sign(bytes(31) + b"\x05", seq=1, pairs={b"ip": bytes((8, 8, 8, 8)), b"udp": b"\x76\x5f"})
    walk = engine(recently=frozenset({public.node_id}))
    assert sow(walk, [TEXTS[0], enr.to_text(public)], 0.0) == {"special address": 1, "asked recently": 1}
    assert sow(engine(V5), [url(0), TEXTS[1], url(2)], 0.0) == {
        "enode URL without a record": 2,
        "special address": 1,
    }


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "10:30"), (1, "10:31"), (59, "10:31")],
    ids=["sharp", "just after", "just before"],
)
def test_the_time_that_is_named_is_not_too_early(seconds: int, shown: str) -> None:
    again = datetime(2026, 11, 23, 10, 30, seconds, tzinfo=UTC)
    error = NobodyToAsk("Ethereum", {"asked recently": 4}, again)
    assert str(error) == "nobody to ask on Ethereum: of its boot nodes 4 asked recently"
    assert error.hint == f"nodes rest for an hour; they may be asked again at {shown} UTC"
    assert error.reasons == {"asked recently": 4}


def test_after_the_last_minute_of_a_day_comes_the_first() -> None:
    error = NobodyToAsk("x", {"asked recently": 1}, datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC))
    assert error.hint is not None
    assert error.hint.endswith("at 00:00 UTC")


def test_without_boot_nodes_that_is_the_reason() -> None:
    error = NobodyToAsk("x", {}, None, protocol=V5)
    assert str(error) == "nobody to ask on x over discv5: it has no boot nodes"
    assert error.hint == "--boot-node names nodes to begin with"
