"""Files as other crawlers write them, made of a few nodes with keys of our own; shared by several test modules.

What each format looks like was read in the sources of its program; the module of each reader names them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from concentra.wire import enr, identity, rlp
from concentra.wire.rlp import Item

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
NOON = datetime(2025, 11, 22, 12, tzinfo=UTC)
DIGEST = bytes.fromhex("6a95a1a9")
FORK_HASH = bytes.fromhex("5167e2a6")


def private_key(number: int) -> bytes:
    return number.to_bytes(32, "big")


@dataclass(frozen=True)
class Node:
    """One node; its key is made of a number."""

    number: int
    address: str | None = "192.0.2.1"
    udp: int = 9000
    tcp: int = 9001
    seq: int = 1
    eth2: bytes | None = None
    eth: tuple[bytes, int] | None = None
    client: str = ""

    @property
    def public_key(self) -> bytes:
        return identity.coordinates(identity.public_key_of(private_key(self.number)))

    @property
    def compressed(self) -> bytes:
        return identity.public_key_of(private_key(self.number)).format(compressed=True)

    @property
    def node_id(self) -> bytes:
        return identity.node_id(self.public_key)

    @property
    def peer_id(self) -> str:
        return base58(bytes((0, 0x25, 8, 2, 0x12, 0x21)) + self.compressed)

    @property
    def record(self) -> enr.NodeRecord:
        pairs: dict[bytes, Item] = {
            b"udp": self.udp.to_bytes(2, "big"),
            b"tcp": self.tcp.to_bytes(2, "big"),
        }
        if self.address is not None:
            place = ip_address(self.address)
            pairs[b"ip" if place.version == 4 else b"ip6"] = place.packed
        if self.eth2 is not None:
            pairs[b"eth2"] = self.eth2 + bytes(4) + b"\xff" * 8
        if self.eth is not None:
            following = self.eth[1].to_bytes(8, "big").lstrip(b"\0")
            pairs[b"eth"] = [[self.eth[0], following]]
        return enr.sign(private_key(self.number), seq=self.seq, pairs=pairs)

    @property
    def enr(self) -> str:
        return enr.to_text(self.record)


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


# Go


def rfc3339(moment: datetime | None) -> str:
    return "0001-01-01T00:00:00Z" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def go_string(moment: datetime | None, *, hours: int = 0, zone: str = "UTC", monotonic: str = "") -> str:
    """Return what time.Time.String gives in a zone so many hours east of UTC."""
    if moment is None:
        return "0001-01-01 00:00:00 +0000 UTC"
    local = moment + timedelta(hours=hours)
    fraction = f".{local.microsecond:06d}".rstrip("0").rstrip(".") if local.microsecond else ""
    sign = "-" if hours < 0 else "+"
    return f"{local:%Y-%m-%d %H:%M:%S}{fraction} {sign}{abs(hours):02d}00 {zone}{monotonic}"


# geth


def geth_entry(
    node: Node, *, first: datetime | None = NOON, last: datetime | None = NOON, check: datetime | None = NOON
) -> Mapping[str, Any]:
    return {
        "seq": node.seq,
        "record": node.enr,
        "score": 3,
        "firstResponse": rfc3339(first),
        "lastResponse": rfc3339(last),
        "lastCheck": rfc3339(check),
    }


def geth_nodes(*entries: tuple[Node, Mapping[str, Any]]) -> bytes:
    document = {node.node_id.hex(): entry for node, entry in entries}
    return json.dumps(document, indent=4).encode()


# Nebula


def visit(node: Node, **changed: Any) -> dict[str, Any]:
    """Return a visit of a consensus node that answered."""
    family = 6 if node.address and ":" in node.address else 4
    return {
        "PeerID": node.peer_id,
        "Maddrs": [f"/ip{family}/{node.address}/tcp/{node.tcp}"],
        "FilteredMaddrs": [f"/ip{family}/{node.address}/udp/{node.udp}"],
        "ListenMaddrs": ["/ip4/127.0.0.1/tcp/9000"],
        "ConnectMaddr": f"/ip{family}/{node.address}/tcp/{node.tcp}",
        "Protocols": ["/eth2/beacon_chain/req/ping/1/ssz_snappy", "/ipfs/id/1.0.0"],
        "AgentVersion": "Lighthouse/v8.0.0/x86_64-linux",
        "ConnectDuration": "125.3ms",
        "CrawlDuration": "1.2s",
        "VisitStartedAt": "2025-11-22T12:00:00.123456789Z",
        "VisitEndedAt": "2025-11-22T14:00:02+02:00",
        "ConnectErrorStr": "",
        "CrawlErrorStr": "",
        "Properties": {
            "ip": node.address,
            "udp": node.udp,
            "tcp": node.tcp,
            "seq": node.seq,
            "fork_digest": f"0x{DIGEST.hex()}",
            "next_fork_version": "0x06000000",
            "next_fork_epoch": "18446744073709551615",
            "attnets": "0x0300000000000000",
            "attnets_num": 2,
        },
        **changed,
    }


def ndjson(entries: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)


# FastEthereumCrawler


PEERSTORE = (
    "cycle,node_id,ip:port,rttMin,rttAvg,bwMaxMbps,bwAvgMbps,pubkey,forkDigest,attnets,attnets_number,"
    "client, enr"
)
DISCOVERY = "cycle,node_id,ip:port,pubkey,forkDigest,attnets,attnets_number,client,enr"


def nim_record(node: Node) -> str:
    """Return a record as nim-eth's `$` prints it."""
    shown = [str(node.seq)]
    for key, value in node.record.pairs.items():
        name = key.decode()
        if isinstance(value, list):
            text = f"(Raw RLP list) 0x{rlp.encode(value).hex()}"
        elif name == "ip":
            text = str(IPv4Address(value))
        elif name == "ip6":
            text = str(IPv6Address(value))
        elif name in {"udp", "tcp"}:
            text = str(int.from_bytes(value, "big"))
        elif name == "id":
            text = '"v4"'
        else:
            text = f"0x{value.hex()}"
        shown.append(f"{name}: {text}")
    return f"({', '.join(shown)})"


def peerstore_line(
    node: Node,
    changed: Mapping[str, str] | None = None,
    *,
    quote: str = "",
    measured: bool = True,
) -> str:
    """Return a line of peerstore.csv, or of discovery.csv; `quote` is what hdser's fork puts around text."""
    cells = {
        "cycle": "0",
        "node_id": quote + node.node_id.hex().lstrip("0") + quote,
        "ip:port": f"{quote}{node.address}:{node.udp}{quote}",
        **({"rttMin": "31", "rttAvg": "33", "bwMaxMbps": "0.412", "bwAvgMbps": "0.3"} if measured else {}),
        "pubkey": quote + node.compressed.hex() + quote,
        "forkDigest": quote + (node.eth2 or bytes(4)).hex() + quote,
        "attnets": quote + "0300000000000000" + quote,
        "attnets_number": "2",
        "client": quote + node.client + quote,
        "enr": f"'{nim_record(node)}'",
    }
    return ",".join({**cells, **(changed or {})}.values())


# Armiarma, EDI


ARMIARMA = "ip,country,country_code,city,region_name,lat,lon,isp,org,as_raw,asname,hosting,proxy,mobile"


def armiarma(*addresses: str) -> bytes:
    lines = [
        f'{address},Nowhere,XX,Town,Region,1.5,-2.5,"Example, Inc.","",AS64500 Example,EXAMPLE,t,f,f'
        for address in addresses
    ]
    return "\n".join([ARMIARMA, *lines, ""]).encode()


def geodata(*addresses: str) -> bytes:
    answer = {"status": "success", "country": "Nowhere", "as": "AS64500 Example", "org": "Example"}
    return json.dumps({address: {**answer, "query": address} for address in addresses}, indent=4).encode()


# ethereum/node-crawler


NODES_TABLE = """
CREATE TABLE nodes (
    ID TEXT NOT NULL, Now TEXT NOT NULL, ClientType TEXT, PK TEXT, SoftwareVersion TEXT, Capabilities TEXT,
    NetworkID NUMBER, ForkID TEXT, Blockheight TEXT, TotalDifficulty TEXT, HeadHash TEXT, IP TEXT, Country TEXT,
    City TEXT, Coordinates TEXT, FirstSeen TEXT, LastSeen TEXT, Seq NUMBER, Score NUMBER, ConnType TEXT,
    PRIMARY KEY (ID, Now)
)"""


def crawler_row(node: Node, **changed: Any) -> dict[str, Any]:
    """Return a row of an execution node that answered in the newest round."""
    x, y = (int.from_bytes(node.public_key[at : at + 32], "big") for at in (0, 32))
    fork_hash, following = node.eth or (bytes(4), 0)
    return {
        "ID": node.node_id.hex(),
        "Now": go_string(NOON + timedelta(minutes=5, microseconds=250_000), monotonic=" m=+300.250000001"),
        "ClientType": "Geth/v1.16.7-stable/linux-amd64/go1.25.3",
        "PK": f"X: {x}, Y: {y}",
        "SoftwareVersion": "5",
        "Capabilities": ", eth/68, eth/69, snap/1",
        "NetworkID": 1,
        "ForkID": f"Hash: [{' '.join(map(str, fork_hash))}], Next {following}",
        "Blockheight": "",
        "TotalDifficulty": "0",
        "HeadHash": "0x" + "00" * 32,
        "IP": str(node.address) if node.address else "<nil>",
        "Country": "Nowhere",
        "City": "",
        "Coordinates": "0,0",
        "FirstSeen": go_string(NOON - timedelta(days=30)),
        "LastSeen": go_string(NOON),
        "Seq": node.seq,
        "Score": 17,
        "ConnType": "TCP",
        **changed,
    }


def node_crawler_database(path: Path, *rows: Mapping[str, Any], schema: str = NODES_TABLE) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute(schema)
        for row in rows:
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            database.execute(f"INSERT INTO nodes ({names}) VALUES ({marks})", tuple(row.values()))
        database.commit()
    return path
