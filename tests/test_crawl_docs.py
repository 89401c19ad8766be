"""The documents of the crawler name what it has, and no more: options, columns, words and limits."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
import typer.main

from concentra.adapters import dns_trees
from concentra.cli.crawl import app
from concentra.collect.belonging import Membership
from concentra.collect.crawl import (
    admission,
    discv4_driver,
    discv5_driver,
    discv5_visit,
    discv5_walk,
    known_nodes,
    patience,
)
from concentra.collect.crawl.engine import Limits
from concentra.collect.crawl_summary import SMALL_CLIENT
from concentra.model.crawl import TIME_TO_LIVE, CrawlManifest, Outcome
from concentra.model.crawl_table import schema
from concentra.model.networks import ConsensusChain, ExecutionChain, Network
from concentra.report.schemas import load_schema
from concentra.wire import discv4, identity, kademlia, lookup_targets
from concentra.wire import discv4_messages as messages
from concentra.wire.rlpx_session import HandshakeOutcome
from concentra.workflows import crawl_handshakes, crawl_plan
from concentra.workflows.crawl import FLUSH_S, REST

DOCS = Path(__file__).parents[1] / "docs"
HOW_TO, REFERENCE, METHOD, ETHICS = (
    DOCS / name for name in ("crawling.md", "reference/crawl.md", "method.md", "ethics.md")
)
TYPES = {
    pa.string(): "string",
    pa.binary(): "bytes",
    pa.binary(4): "4 bytes",
    pa.binary(32): "32 bytes",
    pa.binary(64): "64 bytes",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.uint8(): "uint8",
    pa.uint16(): "uint16",
    pa.uint32(): "uint32",
    pa.uint64(): "uint64",
}
NETWORK_KEYS = {
    *({field.name for field in dataclasses.fields(Network)} - {"chain"}),
    *(field.name for chain in (ExecutionChain, ConsensusChain) for field in dataclasses.fields(chain)),
}
BOUNDS = [
    (HOW_TO, f"rate of {Limits().rate:g} nodes a second"),
    (HOW_TO, f"`--prefix-rate` in one /24 or /48, {Limits().prefix_rate:g} by default"),
    (HOW_TO, f"asked {dns_trees.Asking().rate_per_s:g} questions a second"),
    (HOW_TO, f"{admission.FREE_CONTACTS} identities are asked before one answers"),
    (HOW_TO, f"at most {kademlia.ID_BITS - lookup_targets.MIN_DISTANCE + 1} parts"),
    (HOW_TO, f"from the farthest to log distance {lookup_targets.MIN_DISTANCE}"),
    (HOW_TO, f"{discv5_visit.RATE:g} packets a second at most"),
    (HOW_TO, f"up to {crawl_plan.LONGEST_CONTACT} plain characters"),
    (HOW_TO, f"at most {discv4_driver.STRANGERS_RATE:g} packets of strangers a second"),
    (HOW_TO, f"at most {discv5_driver.STRANGERS_RATE:g} packets of strangers a second"),
    (HOW_TO, f"valid for {discv4_driver.EXPIRY_S} seconds"),
    (HOW_TO, f"expires **{TIME_TO_LIVE.days} days** after it began"),
    (REFERENCE, f"between {patience.SHORTEST_S:g} s and {patience.LONGEST_S:g} s"),
    (
        REFERENCE,
        f"an answer up to {discv4_driver.LATE_S:g} s after it counts as late ({discv5_driver.LATE_S:g} s over discv5)",
    ),
    (REFERENCE, f"{Limits().in_flight:,} visits and {crawl_handshakes.AT_ONCE} handshakes at a time"),
    (REFERENCE, f"{crawl_handshakes.CONNECT_TIMEOUT_S:g} s to connect"),
    (REFERENCE, f"{crawl_handshakes.REPLY_TIMEOUT_S:g} s for a whole handshake"),
    (REFERENCE, f"up to {crawl_handshakes.MAX_CLIENT} characters, as it sent them"),
    (REFERENCE, f"sorted, up to {crawl_handshakes.MAX_CAPABILITIES}, as it sent them"),
    (REFERENCE, f"`--max-nodes N` | {Limits().nodes:,} |"),
    (REFERENCE, f"in up to {crawl_plan.LONGEST_CONTACT} plain characters"),
    (REFERENCE, f"{TIME_TO_LIVE.days} days after `started`"),
    (ETHICS, f"{admission.FREE_CONTACTS} visits by each protocol that is walked"),
    (ETHICS, f"for {TIME_TO_LIVE.days} days from the start"),
]
IN_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 10: "ten"}


def cells(path: Path, heading: str) -> list[list[str]]:
    """Return the rows of all tables below a heading, without their heads, down to the next heading."""
    _, found, rest = path.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert found
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    bodies = re.sub(r"^\|.*\|\n\|[ |-]+\|$", "", section, flags=re.MULTILINE)
    rows = re.findall(r"^\| (.*) \|$", bodies, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]


def words(path: Path, heading: str) -> list[str]:
    """Return what is quoted in the first column of the tables below a heading."""
    return [word for row in cells(path, heading) for word in re.findall(r"`([^`]+)`", row[0])]


def test_every_option_has_a_row() -> None:
    options = {
        name: parameter
        for parameter in typer.main.get_command(app).params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("-")
    }
    explained = [re.sub(r" .*", "", word) for word in words(REFERENCE, "## Options")]
    assert sorted(explained) == sorted(options)


def test_every_column_has_a_row_with_its_type_and_whether_it_may_be_empty() -> None:
    told = [(row[0].strip("`"), row[1], row[2] == "never") for row in cells(REFERENCE, "## Rows")]
    assert told == [(field.name, TYPES[field.type], not field.nullable) for field in schema()]


def test_every_outcome_of_a_node_is_explained_once() -> None:
    assert words(HOW_TO, "## How asking a node ended") == [outcome.value for outcome in Outcome]


def test_every_outcome_of_a_handshake_is_explained_once() -> None:
    told = [word.partition(":")[0] for word in words(REFERENCE, "### Handshakes")]
    assert sorted(told) == sorted(outcome.value for outcome in HandshakeOutcome)


def test_every_field_of_the_document_is_explained() -> None:
    known = load_schema("crawl")["properties"]
    assert set(words(REFERENCE, "## The document")) == set(known) - {"schema", "tool", "unit"}


def test_every_field_of_the_manifest_is_explained_once() -> None:
    fields = [field.name for field in msgspec.structs.fields(CrawlManifest)]
    assert sorted(words(REFERENCE, "## Where crawls are kept")) == sorted(fields)


def test_every_way_not_to_be_on_the_network_is_explained() -> None:
    told = [row[2] for row in cells(METHOD, "### Which nodes are on the network")]
    reasons = {word.partition(":")[0] for cell in told for word in re.findall(r"`([^`]+)`", cell)}
    assert reasons == {membership.value.rpartition(", ")[2] for membership in Membership} - {"right network"}


def test_every_key_of_a_networks_file_is_explained() -> None:
    told = {
        word
        for row in cells(REFERENCE, "## A network as a file")
        for word in re.findall(r"`([^`]+)`", row[0] + row[2])
    }
    assert told >= NETWORK_KEYS - {"sources"}


@pytest.mark.parametrize(("path", "said"), BOUNDS, ids=[said for _, said in BOUNDS])
def test_a_limit_is_the_one_that_the_documents_name(path: Path, said: str) -> None:
    assert said in " ".join(path.read_text(encoding="utf-8").split())


def test_a_ping_is_as_large_as_the_documents_say() -> None:
    key = identity.signing_key(bytes(31) + b"\x01")
    endpoint = messages.Endpoint(ip=bytes(4), udp=30303, tcp=0)
    ping = messages.Ping(sender=endpoint, recipient=endpoint, expiration=1_800_000_000, enr_seq=1_800_000_000)
    size = len(discv4.encode(key, ping))
    assert f"discv4 PING, {size} bytes over IPv4" in HOW_TO.read_text(encoding="utf-8")
    assert f"{size} bytes each over discv4" in ETHICS.read_text(encoding="utf-8")


def test_limits_that_are_spelt_out_are_those_of_the_program() -> None:
    how_to, reference = (" ".join(path.read_text(encoding="utf-8").split()) for path in (HOW_TO, REFERENCE))
    assert discv4_driver.TRIES == discv5_visit.TRIES
    assert f"until {IN_WORDS[discv5_walk.QUIET]} bring nobody new" in how_to
    assert f"{IN_WORDS[discv5_visit.TRIES_WHEN_CHALLENGED]} if they challenged us" in how_to
    assert f"asked again, {IN_WORDS[discv4_driver.TRIES]} times in all" in how_to
    assert f"{IN_WORDS[admission.CONTACTS_PER_ANSWER]} more for each that does" in how_to
    assert f"in the last {IN_WORDS[round(FLUSH_S)]} seconds" in how_to
    assert f"fewer than {IN_WORDS[SMALL_CLIENT]} nodes name" in how_to
    assert f"{IN_WORDS[known_nodes.MAX_PLACES]} places at most are tried" in reference
    assert REST.total_seconds() == 3600
