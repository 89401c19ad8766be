"""What the user asked for → located addresses: every form of a query, what is refused, and who is asked about.

Documentation addresses are refused here, so blocks of 11.0.0.0/8 and 2600::/16 stand for public ones.
"""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import count, islice
from pathlib import Path

import pytest
from coincurve import PrivateKey
from tests.attribution.made_maps import Announced, Listed, made, map_inputs

from concentra.adapters.host_addresses import NO_NAME, HostNotFound
from concentra.attribution.evidence import Announcement, Registration
from concentra.attribution.explain import Explainer, IPAddress, OnlineEvidence
from concentra.collect.address_forms import A_PREFIX, EMPTY_RECORD
from concentra.errors import UsageProblem
from concentra.model.special_addresses import BLOCKS
from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.wire.rlp import Item
from concentra.workflows import locate as workflow
from concentra.workflows.locate import (
    Located,
    NotTogether,
    asked_online,
    locate,
    locate_queries,
    names_file,
)

HOME, HOST = 64496, 64497
V4, V6, LISTED, UNCOVERED = "11.1.0.1", "2600:abcd::1", "11.3.0.1", "11.2.0.1"
MAPS = made(
    map_inputs(
        [Announced("11.1.0.0/16", (HOME,), "DE"), Announced("2600:abcd::/32", (HOST,), "NL")],
        listed={"file": [Listed("11.3.0.0/24", "cloud", region="eu-1")]},
    )
)


@pytest.fixture
def explainer() -> Explainer:
    return Explainer(MAPS.tables)


@pytest.fixture(autouse=True)
def nobody_is_asked_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(host: str) -> list[IPAddress]:
        raise AssertionError(f"{host} was looked up")

    monkeypatch.setattr(workflow, "addresses_of", fail)


def resolving(monkeypatch: pytest.MonkeyPatch, names: Mapping[str, Sequence[str]]) -> None:
    def look_up(host: str) -> list[IPAddress]:
        if host not in names:
            raise HostNotFound(host, "no such name")
        return list(map(ip_address, names[host]))

    monkeypatch.setattr(workflow, "addresses_of", look_up)


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def url(address: str) -> str:
    point = PrivateKey(key(1)).public_key.format(compressed=False)[1:]
    return enode.to_url(Enode(public_key=point, address=ip_address(address), tcp=30303, udp=30303))


def record(*addresses: str) -> str:
    pairs: dict[bytes, Item] = {}
    for address in map(ip_address, addresses):
        pairs[b"ip" if address.version == 4 else b"ip6"] = address.packed
    return enr.to_text(enr.sign(key(1), seq=1, pairs=pairs))


def origins(row: Located) -> str | None:
    return row.known.parts["origins"].value if row.known else None


def found(rows: Sequence[Located]) -> list[tuple[str, str | None]]:
    return [(str(row.address), row.refused or origins(row)) for row in rows]


# Forms of a query


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        pytest.param(V4, [(V4, f"AS{HOME}")], id="ipv4"),
        pytest.param(V6, [(V6, f"AS{HOST}")], id="ipv6"),
        pytest.param(f"[{V6}]", [(V6, f"AS{HOST}")], id="bracketed"),
        pytest.param(f"{V4}:30303", [(V4, f"AS{HOME}")], id="ipv4-with-a-port"),
        pytest.param(f"[{V6}]:30303", [(V6, f"AS{HOST}")], id="ipv6-with-a-port"),
        pytest.param(f"::ffff:{V4}", [(V4, f"AS{HOME}")], id="mapped"),
        pytest.param("::ffff:b01:1", [(V4, f"AS{HOME}")], id="mapped-in-hexadecimal"),
        pytest.param("2600:ABCD:0:0:0:0:0:1", [(V6, f"AS{HOST}")], id="another-spelling"),
        pytest.param(f"{V6}%\x1b[31m", [(V6, f"AS{HOST}")], id="with-a-zone"),
        pytest.param("fe80::1%eth0", [("fe80::1", "link-local")], id="link-local-zone"),
        pytest.param(UNCOVERED, [(UNCOVERED, None)], id="nobody-announces-it"),
        pytest.param(url(V4), [(V4, f"AS{HOME}")], id="enode"),
        pytest.param(url(V4).replace("enode", "ENODE"), [(V4, f"AS{HOME}")], id="enode-in-capitals"),
        pytest.param(url(V6), [(V6, f"AS{HOST}")], id="enode-of-ipv6"),
        pytest.param(record(V4), [(V4, f"AS{HOME}")], id="record"),
        pytest.param(record(V4, V6), [(V4, f"AS{HOME}"), (V6, f"AS{HOST}")], id="record-of-two"),
        pytest.param(record(V4, f"::ffff:{V4}"), [(V4, f"AS{HOME}")], id="record-of-one-twice"),
        pytest.param(record("10.0.0.1"), [("10.0.0.1", "private")], id="record-of-a-private-address"),
    ],
)
def test_a_query_names_its_addresses(
    explainer: Explainer, query: str, wanted: list[tuple[str, str | None]]
) -> None:
    rows = locate_queries([query], explainer)
    assert found(rows) == wanted
    assert {row.query for row in rows} == {query}


def test_rows_stand_in_the_order_of_the_queries_and_repeat_as_they_do(explainer: Explainer) -> None:
    queries = [V6, V4, UNCOVERED, V6]
    assert [row.query for row in locate_queries(queries, explainer)] == queries


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param(
            "enode://zz@11.1.0.1:1", "public key has 2 characters, wanted 128 hex digits", id="enode"
        ),
        pytest.param(
            url(V4).replace(V4, "node.example"),
            "'node.example' is no IPv4 address; host names are not resolved",
            id="enode-of-a-name",
        ),
        pytest.param("enr:", "RLP", id="empty-record"),
        pytest.param(record(V4)[:-1], "text of a node record", id="record-cut-short"),
        pytest.param(record(), EMPTY_RECORD, id="record-without-an-address"),
        pytest.param(f"{V4}/16", A_PREFIX, id="prefix"),
        pytest.param("2600:abcd::/32", A_PREFIX, id="prefix-of-ipv6"),
    ],
)
def test_a_damaged_query_is_refused_with_its_reason_and_the_others_are_answered(
    explainer: Explainer, query: str, reason: str
) -> None:
    before, refused, after = locate_queries([V4, query, V6], explainer)
    assert (refused.address, refused.known) == (None, None)
    assert reason in str(refused.refused)
    assert found([before, after]) == [(V4, f"AS{HOME}"), (V6, f"AS{HOST}")]


@pytest.mark.parametrize("reason", BLOCKS)
def test_addresses_that_nobody_can_be_reached_at_are_refused_with_the_reason(
    explainer: Explainer, reason: str
) -> None:
    for block in BLOCKS[reason]:
        (row,) = locate_queries([block.partition("/")[0]], explainer)
        assert (row.refused, row.known) == (reason, None)
        assert str(row.address) == block.partition("/")[0]
        assert row.covered  # nobody is to be asked about it


def test_a_mapped_private_address_is_private(explainer: Explainer) -> None:
    (row,) = locate_queries(["::ffff:10.0.0.1"], explainer)
    assert (str(row.address), row.refused) == ("10.0.0.1", "private")


# Hosts


def test_a_host_gives_a_row_for_each_of_its_addresses(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, {"node.example": [V4, V6, f"::ffff:{V4}", "10.0.0.1"]})
    rows = locate_queries(["node.example"], explainer)
    assert found(rows) == [(V4, f"AS{HOME}"), (V6, f"AS{HOST}"), ("10.0.0.1", "private")]
    assert {row.query for row in rows} == {"node.example"}


def test_localhost_is_refused_as_loopback(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the system's resolver has it without asking anybody
    rows = locate_queries(["localhost"], explainer)
    assert {row.refused for row in rows} == {"loopback"}


def test_the_only_name_that_does_not_resolve_is_an_error(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, {})
    with pytest.raises(HostNotFound, match="no-such"):
        locate_queries(["no-such.example"], explainer)


def test_among_several_a_name_that_does_not_resolve_is_refused_with_its_reason(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, {"node.example": [V6]})
    rows = locate_queries([V4, "no-such.example", "node.example"], explainer)
    assert rows[1] == Located("no-such.example", None, None, "no such name")
    assert rows[1].covered  # nobody is to be asked about it
    assert found([rows[0], rows[2]]) == [(V4, f"AS{HOME}"), (V6, f"AS{HOST}")]


@pytest.mark.parametrize("query", ["11.1.0", "11.1.0.01", "node.example", ""])
def test_what_is_no_address_is_taken_for_a_name(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    resolving(monkeypatch, {})
    with pytest.raises(HostNotFound):
        locate_queries([query], explainer)


WRITTEN_ADDRESSES = [
    V4, f"{V4}:30303", f"{V4}:0", V6, f"[{V6}]", f"[{V6}]:30303", f"{V6}%eth0", f"{V4}/16", url(V4), record(V4), "enr:x",
    "enode://", f"{V4}:port", f"{V4}:", f"{V4}:1:2", f"[{V6}]:port", f"[{V6}", f"{V4}.", f"{V4}/33", f"udp://{V4}:1",
    f"{V4},{V4}", f"{V4} ", "11.1.0", "011.1.0.1",
]  # fmt: skip


@pytest.mark.parametrize("query", WRITTEN_ADDRESSES)
def test_the_resolver_never_hears_of_an_address_whatever_is_added_to_it(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    asked: list[object] = []

    def spy(host: object, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return []

    monkeypatch.undo()
    monkeypatch.setattr(socket, "getaddrinfo", spy)
    row, other = locate_queries([query, UNCOVERED], explainer)
    assert asked == []
    assert (row.query, other.query) == (query, UNCOVERED)
    assert (row.known is None) is (row.refused is not None)
    if row.refused == NO_NAME:
        with pytest.raises(HostNotFound):
            locate_queries([query], explainer)
        assert asked == []


# Files


def test_one_query_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(V4)
    os.mkfifo(tmp_path / "pipe")
    file = str(tmp_path / "nodes")
    assert names_file(["-"])
    assert names_file([file])
    assert names_file([str(tmp_path / "pipe")])  # bash's <(command) is one
    assert not names_file([str(tmp_path)])
    assert not names_file([file, file])
    assert not names_file(["-", "-"])
    assert not names_file([])


def test_a_file_is_located_alone(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nodes").write_text(V4)
    os.mkfifo(tmp_path / "pipe")
    for file in ("nodes", "-", str(tmp_path / "nodes"), "pipe"):
        for queries in ([V4, file], [file, V4], [file, file]):
            with pytest.raises(
                NotTogether, match=f"{file} is a file, and stands among other queries"
            ) as caught:
                locate_queries(queries, explainer)
            assert isinstance(caught.value, UsageProblem)
            assert caught.value.query == file
            assert "alone" in str(caught.value.hint)


@pytest.mark.parametrize("query", [V4, f"{V4}:30303", "enr:x", V6])
def test_a_file_that_is_called_like_an_address_is_the_address(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, query: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / query).write_text("10.0.0.1")
    assert not names_file([query])
    assert names_file([f"./{query}"])
    assert {row.query for row in locate_queries([query, V4], explainer)} == {query, V4}


@pytest.mark.parametrize("query", ["", V4, "n" * 5000, "\0", "\udcff", "-q"])
def test_what_is_no_file_is_none_whatever_it_is_called(query: str) -> None:
    assert not names_file([query])


# Whom to ask about


@pytest.mark.parametrize(
    ("address", "covered"),
    [(V4, True), (LISTED, True), (UNCOVERED, False), ("10.0.0.1", True)],
    ids=["announced", "listed-only", "neither", "refused"],
)
def test_what_is_covered(explainer: Explainer, address: str, covered: bool) -> None:
    assert locate(address, ip_address(address), explainer).covered is covered


def test_a_row_without_an_address_is_nobody_s_to_ask_about() -> None:
    assert Located("x", None, None, "not an address").covered


class Asked:
    """Answers about every address but those that it does not know, and remembers who was asked about."""

    def __init__(self, *unknown: str) -> None:
        self.unknown = set(map(ip_address, unknown))
        self.batches: list[list[str]] = []

    def __call__(self, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, OnlineEvidence]:
        self.batches.append(list(map(str, addresses)))
        return {
            address: OnlineEvidence(
                Announcement("team-cymru", (HOST,), ""),
                f"{address}/32",
                Registration("arin", None, "", None),
                {"team-cymru": "2026-02-03"},
            )
            for address in addresses
            if address not in self.unknown
        }


def rows_of(explainer: Explainer, *addresses: str) -> Iterator[Located]:
    return (locate(address, ip_address(address), explainer) for address in addresses)


def test_nobody_is_asked_where_a_map_or_nobody_can_answer(explainer: Explainer) -> None:
    ask = Asked()
    rows = [*rows_of(explainer, V4, LISTED, "10.0.0.1"), Located("x", None, None, "not an address")]
    assert list(asked_online(iter(rows), explainer, ask, batch=2)) == rows
    assert ask.batches == []


def test_what_no_map_covers_is_asked_about_in_batches_of_rows(explainer: Explainer) -> None:
    ask = Asked()
    queries = ["11.2.0.1", V4, "11.2.0.2", "10.0.0.1", V6, LISTED, "11.2.0.3"]
    rows = list(asked_online(rows_of(explainer, *queries), explainer, ask, batch=2))
    assert [row.query for row in rows] == queries
    assert ask.batches == [["11.2.0.1"], ["11.2.0.2"], ["11.2.0.3"]]
    assert [origins(row) for row in rows] == [
        f"AS{HOST}", f"AS{HOME}", f"AS{HOST}", None, f"AS{HOST}", None, f"AS{HOST}"
    ]  # fmt: skip
    assert [row.known.prefixes[0] if row.known else None for row in rows] == [
        "11.2.0.1/32", "11.1.0.0/16", "11.2.0.2/32", None, "2600:abcd::/32", None, "11.2.0.3/32"
    ]  # fmt: skip


def test_what_nobody_knows_online_stays_as_it_was(explainer: Explainer) -> None:
    ask = Asked("11.2.0.1")
    first, second = asked_online(rows_of(explainer, "11.2.0.1", "11.2.0.2"), explainer, ask, batch=10)
    assert ask.batches == [["11.2.0.1", "11.2.0.2"]]
    assert first == locate("11.2.0.1", ip_address("11.2.0.1"), explainer)
    assert origins(second) == f"AS{HOST}"


def test_rows_come_batch_by_batch(explainer: Explainer) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Located]:
        for number in count():
            taken.append(number)
            yield locate("x", ip_address("11.2.0.1") + number, explainer)

    rows = asked_online(endless(), explainer, Asked(), batch=3)
    assert len(list(islice(rows, 3))) == 3
    assert len(taken) == 3
    next(rows)
    assert len(taken) == 6
