"""Nebula's ``<time>_visits.ndjson``: one JSON object a visit, as dennis-tra/nebula writes it (db/json.go).

``ConnectErrorStr`` is empty where the peer took a connection (RLPx or libp2p), ``CrawlErrorStr`` where it
answered over discv4 or discv5; either proves that it is there. A peer that ended an encrypted RLPx session
with one of devp2p's reasons has proved it too, although Nebula has an error for it. The words for errors are
those of its database (db/migrations/pg, type ``net_error``).

Peers with keys of other types than secp256k1 have no node ID, and are left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from concentra.collect.announced_forks import announced_fork
from concentra.collect.go_times import go_time
from concentra.collect.imports import ImportTally, bounded_lines, client_name, imported_row
from concentra.collect.libp2p_names import Multiaddr, multiaddr, public_key_of_peer_id
from concentra.collect.streams import Readable
from concentra.model.crawl import NodeRow, Outcome
from concentra.model.special_addresses import special_reason
from concentra.wire import enr, identity
from concentra.wire.errors import WireError

MAX_MADDRS = 64
"""Of a peer that announces more places, the first ones are read."""
MAX_CAPABILITIES = 16

_CAPABILITY = re.compile(r"/?([a-z][a-z0-9]{0,15}/\d{1,3})", re.ASCII)
_FORK_HASH = re.compile(r"(?:0x)?([0-9a-fA-F]{8})", re.ASCII)
_NUMBER = re.compile(r"\d{1,20}", re.ASCII)

# Disconnect reasons of devp2p that travel inside the session, whose keys only the node can have made; and
# "ethprotocol_error", which Nebula reports when Hello showed no common version of eth.
_ANSWERED = frozenset(
    f"devp2p_{reason}"
    for reason in (
        "disconnect_requested",
        "useless_peer",
        "too_many_peers",
        "already_connected",
        "incompatible_p2p_protocol_version",
        "client_quitting",
        "subprotocol_error",
        "ethprotocol_error",
    )
)
_OUTCOMES: Mapping[str, Outcome] = {
    **dict.fromkeys(
        (
            "io_timeout",
            "no_recent_network_activity",
            "context_deadline_exceeded",
            "max_dial_attempts_exceeded",
            "devp2p_read_timeout",
        ),
        Outcome.TIMED_OUT,
    ),
    "connection_refused": Outcome.REFUSED,
    **dict.fromkeys(
        ("peer_id_mismatch", "devp2p_unexpected_identity", "devp2p_invalid_node_identity"),
        Outcome.WRONG_IDENTITY,
    ),
    **dict.fromkeys(("no_public_ip", "no_ip_address", "no_good_addresses"), Outcome.NO_ENDPOINT),
    "devp2p_connected_to_self": Outcome.OURSELVES,
    **dict.fromkeys(
        (
            "protocol_not_supported",
            "negotiate_security_protocol",
            "negotiate_stream_multiplexer",
            "connection_reset_by_peer",
            "stream_reset",
            "write_on_stream",
            "devp2p_breach_of_protocol",
            "devp2p_handshake_eof",
            "devp2p_malformed_disconnect_message",
        ),
        Outcome.MALFORMED,
    ),
}
"""Every other error, "unknown" among them, says that the peer could not be reached."""


class _Visit(msgspec.Struct, rename="pascal"):
    """What is read of one visit; Go writes null for a slice or an object that is not there."""

    peer_id: str = msgspec.field(name="PeerID")
    visit_ended_at: str
    visit_started_at: str | None = None
    connect_error_str: str | None = None
    crawl_error_str: str | None = None
    connect_maddr: str | None = None
    maddrs: list[str] | None = None
    filtered_maddrs: list[str] | None = None
    agent_version: str | None = None
    protocols: list[str] | None = None
    properties: dict[str, Any] | None = None


def nebula_visits(stream: Readable, tally: ImportTally) -> Iterator[NodeRow]:
    """Yield a row for each visit that is one, in the order of the file.

    Parameters
    ----------
    stream : Readable
    tally : ImportTally
        Told of every line, and why it gave no row.
    """
    decoder = msgspec.json.Decoder(_Visit)
    for line in bounded_lines(stream, tally):
        tally.read += 1
        try:
            visit = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            tally.dropped["not a visit"] += 1
            continue
        try:
            public_key = public_key_of_peer_id(visit.peer_id)
        except WireError:
            tally.dropped["peer ID without a secp256k1 key"] += 1
            continue
        try:
            yield _row(visit, public_key, tally)
        except ValueError:
            tally.dropped["bad time"] += 1


def _row(visit: _Visit, public_key: bytes, tally: ImportTally) -> NodeRow:
    """Return the row of a visit; a ValueError says that it has no time."""
    ended = go_time(visit.visit_ended_at)
    started = go_time(visit.visit_started_at) if visit.visit_started_at else ended
    if ended is None or started is None:
        raise ValueError("a visit is never at the zero time")
    properties = _Properties(visit.properties or {}, tally)
    node_id = identity.node_id(public_key)
    record = _record(properties, node_id, tally)
    place = _place(visit, properties, record, tally)
    fork_hash, fork_next = _fork(properties, record)
    return imported_row(
        node_id,
        public_key=public_key,
        address=None if place is None else str(place.address),
        udp=properties.number("udp", 16) or (place.udp if place else None),
        tcp=properties.number("tcp", 16) or (place.tcp if place else None),
        record=None if record is None else enr.encode(record),
        seq=properties.number("seq", 64) if record is None else record.seq,
        first_seen=started,
        last_seen=ended,
        asked_at=started,
        outcome=_outcome(visit),
        client=client_name(visit.agent_version),
        capabilities=_capabilities(visit.protocols or ()),
        network_id=properties.number("network_id", 64),
        fork_hash=fork_hash,
        fork_next=fork_next,
    )


class _Properties:
    """The object ``Properties`` of a visit, whose values may be anything."""

    def __init__(self, values: Mapping[str, Any], tally: ImportTally) -> None:
        self._values = values
        self._tally = tally

    def text(self, key: str) -> str | None:
        value = self._values.get(key)
        if value is None or isinstance(value, str):
            return value
        self._tally.emptied[key] += 1
        return None

    def number(self, key: str, bits: int) -> int | None:
        """Return a number of at most `bits` bits; epochs are written as text."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits:
            return value
        self._tally.emptied[key] += 1
        return None

    def fork_hash(self, key: str) -> bytes | None:
        text = self.text(key)
        if text is None:
            return None
        match = _FORK_HASH.fullmatch(text)
        if match is None:
            self._tally.emptied[key] += 1
            return None
        return bytes.fromhex(match[1])


def _record(properties: _Properties, node_id: bytes, tally: ImportTally) -> enr.NodeRecord | None:
    """Return the record that `--keep-enr` keeps, if it is the node's own."""
    text = properties.text("enr")
    if text is None:
        return None
    try:
        record = enr.from_text(text)
    except WireError:
        record = None
    if record is None or record.node_id != node_id:
        tally.emptied["enr"] += 1
        return None
    return record


def _place(
    visit: _Visit, properties: _Properties, record: enr.NodeRecord | None, tally: ImportTally
) -> Multiaddr | None:
    """Return where the node was reached, else dialled, else announced; a public address before any other."""
    found: list[Multiaddr] = []
    for text in (visit.connect_maddr, *(visit.maddrs or ())[:MAX_MADDRS]):
        found += _places(text, tally)
    ip = properties.text("ip")
    found += _places(ip and f"/ip{6 if ':' in ip else 4}/{ip}", tally)
    for text in (visit.filtered_maddrs or ())[:MAX_MADDRS]:
        found += _places(text, tally)
    if record is not None:
        found += [
            Multiaddr(address=address, tcp=tcp, udp=udp)
            for address, tcp, udp in (
                (record.ip, record.tcp, record.udp),
                (record.ip6, record.tcp6, record.udp6),
            )
            if address is not None
        ]
    public = (place for place in found if place.address is not None and special_reason(place.address) is None)
    return next(public, found[0] if found else None)


def _places(text: str | None, tally: ImportTally) -> list[Multiaddr]:
    if not text:
        return []
    try:
        place = multiaddr(text)
    except WireError:
        tally.emptied["multiaddr"] += 1
        return []
    return [] if place.address is None else [place]


def _fork(properties: _Properties, record: enr.NodeRecord | None) -> tuple[bytes | None, int | None]:
    """Return what the node says of its chain: its Status (discv4), else its record, which discv5 quotes."""
    status = properties.fork_hash("fork_id")
    if status is not None:
        return status, None
    consensus = properties.fork_hash("fork_digest")
    if consensus is not None:
        return consensus, properties.number("next_fork_epoch", 64)
    execution = properties.fork_hash("eth_fork_digest")
    if execution is not None:
        return execution, properties.number("eth_fork_next", 64)
    announced = None if record is None else announced_fork(record)
    return announced or (None, None)


def _outcome(visit: _Visit) -> Outcome:
    if not visit.connect_error_str or not visit.crawl_error_str or visit.connect_error_str in _ANSWERED:
        return Outcome.ANSWERED
    return _OUTCOMES.get(visit.crawl_error_str, Outcome.UNREACHABLE)


def _capabilities(protocols: list[str] | tuple[()]) -> str | None:
    """Return the devp2p capabilities; of a consensus node's protocols, which are longer, there are none."""
    found = {match[1] for text in protocols if (match := _CAPABILITY.fullmatch(text))}
    return " ".join(sorted(found)[:MAX_CAPABILITIES]) or None
