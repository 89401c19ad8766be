"""A DNS server on loopback, over UDP and TCP, that misbehaves as it is told; it runs in the test's event loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, TypeAlias

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.TXT import TXT
from tests.interop.signed_tree import SignedTree

from concentra.adapters.dns_trees import NameServer

LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Truncated:
    """No answer over UDP but that it was too long; over TCP one of `behaviour`."""

    behaviour: Behaviour


@dataclass(frozen=True)
class Raw:
    """Bytes that need not be DNS, after the id of the query."""

    data: bytes


Behaviour: TypeAlias = "list[bytes] | dns.rcode.Rcode | Truncated | Raw | None"  # None is silence


class LoopbackNames(asyncio.DatagramProtocol):
    """A name server; a name has one behaviour after the other, and the last one for good."""

    def __init__(self) -> None:
        self.behaviours: dict[str, list[Behaviour]] = {}
        self.asked: dict[str, list[str]] = defaultdict(list)
        self.datagram_sizes: set[int] = set()
        self._over_tcp: dict[str, Behaviour] = {}
        self.delay_s = 0.0
        self.waiting = self.most_waiting = 0
        self._transport: Any = None

    def serve(self, *trees: SignedTree) -> None:
        for tree in trees:
            for name, text in tree.texts.items():
                self.behaviours[name] = [[text.encode()]]

    def will(self, name: str, *behaviours: Behaviour) -> None:
        self.behaviours[name] = list(behaviours)

    @property
    def queries(self) -> int:
        return sum(len(over) for over in self.asked.values())

    def reply_to(self, data: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(data)
        question = query.question[0].name
        name = question.to_text(omit_final_dot=True)
        self.asked[name].append(over)
        self.datagram_sizes.add(query.payload)
        behaviour = self._over_tcp[name] if over == "tcp" else self._next_behaviour(name)
        response = dns.message.make_response(query)
        match behaviour:
            case None:
                return None
            case Raw(raw):
                return data[:2] + raw
            case Truncated(longer):
                self._over_tcp[name] = longer
                response.flags |= dns.flags.TC
            case list():
                for text in behaviour:
                    strings = [text[at : at + 255] for at in range(0, len(text), 255)] or [b""]
                    rdata = TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
                    response.answer.append(dns.rrset.from_rdata(question, 60, rdata))
            case rcode:
                response.set_rcode(rcode)
        return response.to_wire()

    def _next_behaviour(self, name: str) -> Behaviour:
        behaviours = self.behaviours.get(name, [dns.rcode.NXDOMAIN])
        return behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]

    # UDP

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        asyncio.get_running_loop().call_later(self.delay_s, self._send, self.reply_to(data, "udp"), addr)

    def _send(self, reply: bytes | None, addr: tuple[str | Any, int]) -> None:
        self.waiting -= 1
        if reply is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)

    # TCP

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        reply = self.reply_to(await reader.readexactly(size), "tcp")
        if reply is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def name_server(
    *trees: SignedTree, tcp: bool = True
) -> AsyncIterator[tuple[LoopbackNames, NameServer]]:
    """Serve on a port of loopback, UDP and TCP, until the block is over."""
    loop = asyncio.get_running_loop()
    names = LoopbackNames()
    names.serve(*trees)
    stream = await asyncio.start_server(names.connected, str(LOOPBACK), 0)
    port = stream.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(lambda: names, (str(LOOPBACK), port))
    if not tcp:
        stream.close()
        await stream.wait_closed()
    try:
        yield names, NameServer(LOOPBACK, port)
    finally:
        transport.close()
        stream.close()
        await stream.wait_closed()
