"""The peers of the user's own execution client, by its JSON-RPC method admin_peers (go-ethereum's `admin`).

The endpoint is one that the user names and runs. What it answers came from strangers all the same: it is
bounded in size and number, and each entry is read on its own.

Of a peer that dialled in, the address is that of the connection and its port is nobody's: geth puts it into
the enode URL as if the peer listened there [1]_. Such ports are left out, so that no crawl asks at them.
ethereumjs has no enode URL; its `id` is the public key, and it does not tell who dialled.

.. [1] https://github.com/ethereum/go-ethereum/blob/v1.17.0/p2p/server.go, nodeFromConn
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from concentra.errors import ConcentraError, UsageProblem
from concentra.wire import enode, enr, identity
from concentra.wire.enode import Enode
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError

if TYPE_CHECKING:
    from aiohttp import ClientSession

MAX_PEERS = 10_000
"""A client keeps 25 to 50 peers by default, and a crawler's some thousands."""

MAX_ANSWER = 32 << 20
"""Bytes: an entry has some 800."""

MAX_TEXT = 256
MAX_CAPABILITIES = 64
PIECE = 1 << 16
PUBLIC_KEY = re.compile(r"(?:0x)?([0-9a-f]{128})", re.ASCII)


class NodeNotReadable(ConcentraError):
    """The user's node does not say who its peers are."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"admin_peers: {reason}")
        self.reason = reason
        self.hint = "the node must serve the admin namespace here, as `geth --http --http.api admin` does"


class NotAnEndpoint(UsageProblem):
    """What should name the user's own node does not."""

    def __init__(self) -> None:
        super().__init__("the JSON-RPC of a node is asked over HTTP, and this names no such place")
        self.hint = "wanted http://127.0.0.1:8545, for instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer, as the user's node knows it."""

    node: Enode
    """Its key and address; both ports are 0 unless it is known where the peer listens."""
    record: NodeRecord | None
    """Its signed record, where the node gives one that can be read and is the peer's."""
    client: str | None
    """What the peer calls its software; untrusted."""
    capabilities: tuple[str, ...]
    """``eth/68`` and so on; untrusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """What admin_peers told."""

    peers: tuple[Peer, ...]
    """Each once, by its key."""
    left_out: Counter[str]
    """Entries that are no peer, by reason."""


async def admin_peers(url: str, *, timeout_s: float = 10.0) -> Peers:
    """Ask the node at `url` for its peers.

    Raises
    ------
    NotAnEndpoint
        If `url` is no HTTP URL.
    NodeNotReadable
        If nobody answers there within `timeout_s`, or something other than a list of peers.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise NotAnEndpoint

    from aiohttp import ClientError, InvalidURL

    with _recursion_limit_kept():
        from web3 import AsyncHTTPProvider, AsyncWeb3
        from web3.exceptions import Web3Exception, Web3RPCError

    # web3 would otherwise ask a silent node five times over, with growing pauses.
    provider = AsyncHTTPProvider(url, exception_retry_configuration=None)
    await provider.cache_async_session(_bounded_session())
    try:
        async with asyncio.timeout(timeout_s):
            answer = await AsyncWeb3(provider).geth.admin.peers()
    except TimeoutError as error:
        raise NodeNotReadable(f"no answer within {timeout_s:g} s") from error
    except InvalidURL as error:
        raise NotAnEndpoint from error
    except Web3RPCError as error:
        raise NodeNotReadable("the node refuses to tell its peers") from error
    except (ClientError, OSError) as error:
        raise NodeNotReadable("no HTTP server answers there, or not with success") from error
    except (Web3Exception, ValueError, TypeError, RecursionError) as error:
        raise NodeNotReadable("the answer is not JSON-RPC") from error
    finally:
        await provider.disconnect()
    if not isinstance(answer, list):
        raise NodeNotReadable(f"the answer is a {type(answer).__name__}, wanted a list of peers")
    return _read(answer)


@contextmanager
def _recursion_limit_kept() -> Iterator[None]:
    """Undo what py_ecc does, which web3 imports: with its limit nested JSON crashes Python."""
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _bounded_session() -> ClientSession:
    """Return a session of which no answer fills the memory; web3 reads answers whole."""
    from aiohttp import ClientResponse, ClientSession

    class Bounded(ClientResponse):
        async def read(self) -> bytes:
            if self._body is None:
                pieces, size = [], 0
                async for piece in self.content.iter_chunked(PIECE):
                    pieces.append(piece)
                    size += len(piece)
                    if size > MAX_ANSWER:
                        self.close()
                        raise NodeNotReadable(f"the answer has more than {MAX_ANSWER:,} bytes")
                self._body = b"".join(pieces)
            return self._body

    return ClientSession(response_class=Bounded, raise_for_status=True)


def _read(answer: Sequence[object]) -> Peers:
    peers: dict[bytes, Peer] = {}
    left_out: Counter[str] = Counter()
    if len(answer) > MAX_PEERS:
        left_out["beyond the limit"] = len(answer) - MAX_PEERS
    for entry in answer[:MAX_PEERS]:
        try:
            peer = _peer(entry)
        except WireError:
            left_out["no readable key and address"] += 1
            continue
        if peers.setdefault(peer.node.public_key, peer) is not peer:
            left_out["listed twice"] += 1
    return Peers(peers=tuple(peers.values()), left_out=left_out)


def _peer(entry: object) -> Peer:
    # web3 wraps objects in mappings of its own; what is there is read by name, and checked by type.
    get = _getter(entry)
    url, client, capabilities = get("enode"), get("name"), get("caps")
    connection = _getter(get("network"))
    node = enode.from_url(url) if isinstance(url, str) else _from_key(get("id"), connection("remoteAddress"))
    if connection("inbound") is not False:
        node = replace(node, tcp=0, udp=0)
    named = capabilities[:MAX_CAPABILITIES] if isinstance(capabilities, list | tuple) else ()
    return Peer(
        node=node,
        record=_record(get("enr"), node),
        client=client[:MAX_TEXT] if isinstance(client, str) else None,
        capabilities=tuple(name[:MAX_TEXT] for name in named if isinstance(name, str)),
    )


def _from_key(key: object, address: object) -> Enode:
    """Return the node with a key, at the address of its connection."""
    match = PUBLIC_KEY.fullmatch(key.lower()) if isinstance(key, str) else None
    if match is None or not isinstance(address, str):
        raise WireError("peer has no enode URL, and no key and address")
    public_key = bytes.fromhex(match[1])
    identity.parse_key(public_key)
    try:
        host = ipaddress.ip_address(address.rpartition(":")[0].removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise WireError("peer has no address") from error
    inner = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return Enode(public_key=public_key, address=inner or host, tcp=0, udp=0)


def _record(text: object, node: Enode) -> NodeRecord | None:
    """Return the record of a node; None if it is damaged, or somebody else's."""
    if not isinstance(text, str) or not text:
        return None
    try:
        record = enr.from_text(text)
    except WireError:
        return None
    return record if record.node_id == node.node_id else None


def _getter(entry: object) -> Callable[[str], Any]:
    get: Callable[[str], Any] = getattr(entry, "get", lambda _: None)
    return get
