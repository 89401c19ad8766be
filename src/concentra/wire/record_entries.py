"""What node records say beyond EIP-778: the chain, the subnets and the software of a node.

EIP-778 leaves the values of most keys to others, and a record that is signed and well formed may hold any
value under them. Each reader here knows the form of one key; `entries_of` reads all of a record and keeps
apart what is absent and what is malformed.

============  ==================================================================================
eth           fork ID, [1]_
eth2, nfd     ``ENRForkID`` and the digest of the next fork, [2]_
attnets       subnets of attestations, [3]_; syncnets: those of sync committees, [4]_
cgc           custody groups, [2]_
quic, quic6   ports for QUIC, [3]_
opstack       chain and version of an OP Stack node, [5]_
client        name, version and perhaps build of the software, [6]_
============  ==================================================================================

.. [1] https://github.com/ethereum/devp2p/blob/master/enr-entries/eth.md
.. [2] https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md, "ENR structure"
.. [3] https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md, "ENR structure"
.. [4] https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md, "discv5"
.. [5] https://github.com/ethereum-optimism/optimism, op-node/p2p/discovery.go, ``OpStackENRData``
.. [6] https://eips.ethereum.org/EIPS/eip-7636, withdrawn, but some clients keep to it
.. [7] https://github.com/paradigmxyz/reth, crates/net/discv5/src/network_stack_id.rs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from concentra.wire import fork_digest, fork_id, rlp
from concentra.wire.errors import WireError
from concentra.wire.fork_digest import EnrForkId
from concentra.wire.fork_id import ForkId
from concentra.wire.rlp import Item
from concentra.wire.rlp_fields import bytes_of, fields_of

ATTESTATION_SUBNETS = 64
SYNC_SUBNETS = 4

PRESENCE = ("bsc", "les", "opel", "opera", "snap")
"""Keys that say something by their presence; their values are not read.

All but ``opel`` name a protocol that a node speaks. That one marks an execution node of the OP Stack [7]_.
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpStackId:
    """Which chain of the OP Stack a node is on."""

    chain_id: int
    """64 bits."""
    version: int
    """Of the entry; 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntries:
    """What one record says; None where it does not say it, or says it in no known form."""

    eth: ForkId | None
    """Fork ID of an execution node."""
    eth2: EnrForkId | None
    """Fork digest and plans of a consensus node."""
    next_digest: bytes | None
    """Digest of the next fork that a consensus node expects, 4 bytes; zeros if none."""
    attestation_subnets: int | None
    """How many of 64 subnets it subscribes to; that tells nothing of how many validators it serves."""
    sync_subnets: int | None
    """How many of 4."""
    custody_groups: int | None
    """How many groups of data columns it keeps."""
    quic: int | None
    """UDP port for QUIC over IPv4."""
    quic6: int | None
    """UDP port for QUIC over IPv6."""
    opstack: OpStackId | None
    client: tuple[str, ...] | None
    """Name, version and perhaps build of its software, untrusted."""
    protocols: frozenset[str]
    """Those of `PRESENCE` that the record has."""
    malformed: frozenset[str]
    """Keys whose values have another form than their specification gives them."""


def entries_of(pairs: Mapping[bytes, Item]) -> RecordEntries:
    r"""Return what the pairs of a node record say.

    Parameters
    ----------
    pairs : mapping from bytes to Item
        `concentra.wire.enr.NodeRecord.pairs`. The values are untrusted.

    Returns
    -------
    RecordEntries
        Complete for any pairs: a malformed value is named in `RecordEntries.malformed` and no error.

    Examples
    --------
    >>> entries = entries_of({b"eth": [[b"\x07\xc9\x46\x2e", b""]], b"snap": [], b"quic": b"\x00"})
    >>> entries.eth, entries.protocols, entries.quic, entries.malformed
    (ForkId(hash=b'\x07\xc9F.', next=0), frozenset({'snap'}), None, frozenset({'quic'}))
    """
    malformed: set[str] = set()

    def read(key: str, reader: Callable[[Item], T]) -> T | None:
        item = pairs.get(key.encode("ascii"))
        if item is None:
            return None
        try:
            return reader(item)
        except WireError:
            malformed.add(key)
            return None

    return RecordEntries(
        eth=read("eth", eth_entry),
        eth2=read("eth2", eth2_entry),
        next_digest=read("nfd", next_digest),
        attestation_subnets=read("attnets", attestation_subnets),
        sync_subnets=read("syncnets", sync_subnets),
        custody_groups=read("cgc", custody_groups),
        quic=read("quic", quic_port),
        quic6=read("quic6", quic_port),
        opstack=read("opstack", opstack_entry),
        client=read("client", client_entry),
        protocols=frozenset(key for key in PRESENCE if key.encode("ascii") in pairs),
        malformed=frozenset(malformed),
    )


def eth_entry(item: Item) -> ForkId:
    """Return the fork ID in ``[[hash, next], …]``; enr-entries/eth.md has what follows it ignored."""
    return fork_id.from_item(fields_of(item, 1, what="eth entry")[0])


def eth2_entry(item: Item) -> EnrForkId:
    """Return the ``ENRForkID`` in the 16 bytes that `item` is."""
    return fork_digest.from_bytes(bytes_of(item, fork_digest.ENR_FORK_ID_SIZE, what="eth2 entry"))


def next_digest(item: Item) -> bytes:
    """Return the digest that `item` is, 4 bytes."""
    return bytes_of(item, fork_digest.DIGEST_SIZE, what="next fork digest")


def attestation_subnets(item: Item) -> int:
    r"""Return how many bits are set in a bit vector of 64.

    >>> attestation_subnets(b"\x03" + bytes(6) + b"\x80")
    3
    """
    return int.from_bytes(bytes_of(item, ATTESTATION_SUBNETS // 8, what="attnets"), "little").bit_count()


def sync_subnets(item: Item) -> int:
    """Return how many bits are set in a bit vector of 4; SSZ has the other bits of its byte be zero."""
    bits = bytes_of(item, 1, what="syncnets")[0]
    if bits >> SYNC_SUBNETS:
        raise WireError(f"syncnets is {bits:#x}, wanted no bit beyond the first {SYNC_SUBNETS}")
    return bits.bit_count()


def custody_groups(item: Item) -> int:
    """Return the number that `item` stands for, 64 bits."""
    return rlp.uint_from_item(item, what="custody group count")


def quic_port(item: Item) -> int:
    """Return the port that `item` stands for."""
    return rlp.uint_from_item(item, bits=16, what="QUIC port")


def opstack_entry(item: Item) -> OpStackId:
    r"""Return the chain and the version in two variable-length integers; what follows them is ignored.

    Each takes 1 to 10 bytes of 7 bits, the lowest first, and all but its last have the top bit set.

    >>> opstack_entry(b"\x85\x42\x00")
    OpStackId(chain_id=8453, version=0)
    """
    if not isinstance(item, bytes):
        raise WireError("opstack entry is a list, wanted bytes")
    chain_id, at = _uvarint(item, 0)
    version, _ = _uvarint(item, at)
    return OpStackId(chain_id=chain_id, version=version)


def client_entry(item: Item) -> tuple[str, ...]:
    """Return the name, version and perhaps build in a list of two or three strings."""
    if not isinstance(item, list) or len(item) not in (2, 3):
        raise WireError("client entry is not a list of a name, a version and perhaps a build")
    return tuple(map(_text, item))


def _text(item: Item) -> str:
    if not isinstance(item, bytes):
        raise WireError("client entry holds a list, wanted strings")
    try:
        return item.decode("utf-8")
    except UnicodeDecodeError:  # from None: the cause quotes the stranger's bytes
        raise WireError("client entry is not UTF-8") from None


def _uvarint(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer that begins at `at`, at most 64 bits, and where it ends."""
    value = 0
    for width, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * width
        if byte < 0x80:
            if value >> 64:
                raise WireError("variable-length integer has more than 64 bits")
            return value, at + width + 1
    raise WireError("variable-length integer does not end")
