"""Signed node records, EIP-778 [1]_: how a node says where it can be reached.

A record is the RLP list ``[signature, seq, key, value, …]`` of at most 300 bytes, its keys sorted and
unique, signed by the node that it describes. Its text is ``enr:`` and the base64url of those bytes.

.. [1] https://github.com/ethereum/devp2p/blob/master/enr.md
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from coincurve import PublicKey

from concentra.wire import identity, rlp
from concentra.wire.errors import WireError, quoted
from concentra.wire.rlp import Item

MAX_SIZE = 300  # enr.md, "RLP Encoding": "The maximum encoded size of a node record is 300 bytes"
PREFIX = "enr:"
MAX_TEXT_SIZE = len(PREFIX) + MAX_SIZE * 4 // 3
SCHEME = b"v4"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """What one node signed about itself; built by `decode`, `from_text` and `sign`, which check it."""

    seq: int
    """Sequence number, 64 bits: of two records of one node, the higher is the newer."""
    node_id: bytes
    """keccak256 of `public_key`, 32 bytes; equal to the `node_id` of the same node's enode URL."""
    public_key: bytes
    """x || y, 64 bytes."""
    signature: bytes
    """r || s, 64 bytes, over everything else in the record."""
    pairs: Mapping[bytes, Item] = field(hash=False)
    """Every pair, sorted by key, for reading; a value that EIP-778 does not define may be a list."""

    @property
    def ip(self) -> IPv4Address | None:
        """IPv4 address, None if the record names none."""
        return _ipv4(self.pairs[b"ip"]) if b"ip" in self.pairs else None

    @property
    def ip6(self) -> IPv6Address | None:
        """IPv6 address, None if the record names none; one that maps an IPv4 address stays as it is."""
        return _ipv6(self.pairs[b"ip6"]) if b"ip6" in self.pairs else None

    @property
    def tcp(self) -> int | None:
        """TCP port, None if the record names none; 0 if it says 0."""
        return _port(self.pairs[b"tcp"]) if b"tcp" in self.pairs else None

    @property
    def udp(self) -> int | None:
        """UDP port, None if the record names none; 0 if it says 0."""
        return _port(self.pairs[b"udp"]) if b"udp" in self.pairs else None

    # enr.md, "Record Structure": "If no tcp6 / udp6 port is provided, the tcp / udp port applies to
    # both IP addresses."

    @property
    def tcp6(self) -> int | None:
        """TCP port at the IPv6 address: `tcp` unless the record names another."""
        return _port(self.pairs[b"tcp6"]) if b"tcp6" in self.pairs else self.tcp

    @property
    def udp6(self) -> int | None:
        """UDP port at the IPv6 address: `udp` unless the record names another."""
        return _port(self.pairs[b"udp6"]) if b"udp6" in self.pairs else self.udp


def decode(record: bytes) -> NodeRecord:
    r"""Return the record that `record` encodes, its signature verified.

    Parameters
    ----------
    record : bytes, at most 300
        The RLP list ``[signature, seq, key, value, …]``. It is untrusted.

    Returns
    -------
    NodeRecord
        Signed by its own key. The pairs that EIP-778 defines have the form that it gives them: an
        ``ip`` of three bytes is no address, and a record that has one is refused as a whole.

    Raises
    ------
    WireError
        If the record is too long, not canonical RLP, unsorted, of another identity scheme than "v4",
        wrongly signed, or a defined value is malformed.

    Examples
    --------
    >>> mine = sign(bytes(31) + b"\x07", seq=1, pairs={b"ip": b"\xc0\x00\x02\x01", b"udp": b"v_"})
    >>> decode(encode(mine)) == mine
    True
    >>> decode(encode(mine)[:-1] + b"!")  # port 30241 for 30303
    Traceback (most recent call last):
    concentra.wire.errors.WireError: signature does not fit the record and its key
    """
    if len(record) > MAX_SIZE:
        raise WireError(f"node record has {len(record)} bytes, wanted at most {MAX_SIZE}")
    items = rlp.decode(record)
    if not isinstance(items, list) or len(items) < 2 or len(items) % 2:
        raise WireError("node record is not a list of a signature, a sequence number and pairs")
    signature = _string(items[0], identity.SIGNATURE_SIZE, "signature")
    seq = rlp.uint_from_item(items[1], bits=64, what="sequence number")
    pairs = _pairs(items[2:])
    key = _key(pairs)
    if not identity.is_signed_by(key, signature, rlp.encode(items[1:])):
        raise WireError("signature does not fit the record and its key")
    public_key = identity.coordinates(key)
    return NodeRecord(
        seq=seq,
        node_id=identity.node_id(public_key),
        public_key=public_key,
        signature=signature,
        pairs=pairs,
    )


def encode(record: NodeRecord) -> bytes:
    """Return the RLP list ``[signature, seq, key, value, …]``; the inverse of `decode`."""
    return rlp.encode([record.signature, *_content(record.seq, record.pairs)])


def from_text(text: str) -> NodeRecord:
    """Return the record whose text is `text`, its signature verified; the inverse of `to_text`.

    Parameters
    ----------
    text : str
        ``enr:`` and the base64url of the encoded record, without padding or white space. It is untrusted.

    Returns
    -------
    NodeRecord
        As from `decode`.

    Raises
    ------
    WireError
        If the text is not that of any bytes, or those are no valid record.

    Examples
    --------
    The record of EIP-778:

    >>> record = from_text(
    ...     "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wB"
    ...     "gmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
    ... )
    >>> record.node_id.hex()
    'a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7'
    >>> record.ip, record.udp, record.tcp
    (IPv4Address('127.0.0.1'), 30303, None)
    """
    if not text.startswith(PREFIX):
        raise WireError(f"node record begins with {quoted(text[:8])}, wanted {PREFIX!r}")
    if len(text) > MAX_TEXT_SIZE:
        raise WireError(f"text of a node record has {len(text)} characters, wanted at most {MAX_TEXT_SIZE}")
    return decode(_from_base64url(text.removeprefix(PREFIX)))


def to_text(record: NodeRecord) -> str:
    """Return ``enr:`` and the base64url of the encoded record, without padding."""
    return PREFIX + _to_base64url(encode(record))


def sign(private_key: bytes, *, seq: int, pairs: Mapping[bytes, Item]) -> NodeRecord:
    """Return the record with which the owner of `private_key` announces `pairs`.

    Parameters
    ----------
    private_key : bytes, 32
        A secp256k1 key.
    seq : int, 64 bits
        Higher than in any earlier record of the same key.
    pairs : mapping from bytes to Item
        What to announce, in any order. ``id`` and ``secp256k1`` are added, or replaced.

    Returns
    -------
    NodeRecord
        One that `decode` accepts. Equal arguments give an equal record.

    Raises
    ------
    ValueError
        If a pair does not have the form that EIP-778 gives it, the whole takes more than 300 bytes,
        or a key is out of range.
    """
    key = identity.public_key_of(private_key).format(compressed=True)
    content = _content(seq, dict(sorted({**pairs, b"id": SCHEME, b"secp256k1": key}.items())))
    signature = identity.sign(private_key, rlp.encode(content))
    try:
        return decode(rlp.encode([signature, *content]))
    except WireError as error:
        raise ValueError(f"no valid node record: {error}") from error


def _content(seq: int, pairs: Mapping[bytes, Item]) -> list[Item]:
    """Return what is signed: ``[seq, key, value, …]``."""
    return [rlp.uint_to_item(seq), *(item for pair in pairs.items() for item in pair)]


def _pairs(items: list[Item]) -> dict[bytes, Item]:
    """Return the pairs of ``[key, value, …]``, sorted, unique and of the form that EIP-778 defines."""
    pairs: dict[bytes, Item] = {}
    before: bytes | None = None
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, bytes):
            raise WireError("key of a pair is a list, wanted a string")
        if before is not None and key <= before:
            raise WireError(f"key {quoted(key)} follows {quoted(before)}, wanted them sorted and unique")
        if key in READERS:
            READERS[key](value)
        pairs[key] = value
        before = key
    return pairs


def _key(pairs: Mapping[bytes, Item]) -> PublicKey:
    """Return the key that the "v4" scheme checks the signature with."""
    scheme = pairs.get(b"id")
    if scheme != SCHEME:
        found = quoted(scheme) if isinstance(scheme, bytes) else "missing or a list"
        raise WireError(f"identity scheme is {found}, wanted {quoted(SCHEME)}")
    if b"secp256k1" not in pairs:
        raise WireError("node record has no secp256k1 key")
    return identity.parse_key(_string(pairs[b"secp256k1"], identity.COMPRESSED_SIZE, "secp256k1"))


def _string(item: Item, size: int, what: str) -> bytes:
    """Return the byte string that `item` is, of `size` bytes; `what` names it in the error."""
    if not isinstance(item, bytes):
        raise WireError(f"{what} is a list, wanted {size} bytes")
    if len(item) != size:
        raise WireError(f"{what} has {len(item)} bytes, wanted {size}")
    return item


def _ipv4(item: Item) -> IPv4Address:
    return IPv4Address(_string(item, 4, "ip"))


def _ipv6(item: Item) -> IPv6Address:
    return IPv6Address(_string(item, 16, "ip6"))


def _port(item: Item) -> int:
    return rlp.uint_from_item(item, bits=16, what="port")


READERS = {b"ip": _ipv4, b"ip6": _ipv6, b"tcp": _port, b"udp": _port, b"tcp6": _port, b"udp6": _port}


def _from_base64url(text: str) -> bytes:
    # Python's decoder skips foreign characters and ignores the unused bits of the last one. Encoding
    # again finds both, so that a record has one text.
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise WireError("text of a node record is not base64url") from error
    if _to_base64url(data) != text:
        raise WireError("text of a node record is not the base64url of its bytes")
    return data


def _to_base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
