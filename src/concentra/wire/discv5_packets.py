"""Packets of discv5.1 [1]_: a masked header, then a sealed message.

    packet        = masking-iv || masked(header) || message
    header        = protocol-id || version || flag || nonce || authdata-size || authdata

A packet can be read only with the node ID that it is meant for, and its message only with the keys of a
session; this module does the first and leaves the message sealed.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-wire.md, "Packet Encoding"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from concentra.wire import identity
from concentra.wire.discv5_crypto import MASKING_IV_SIZE, NONCE_SIZE, TAG_SIZE, Mask
from concentra.wire.errors import WireError

MIN_SIZE = 63
MAX_SIZE = 1280

PREAMBLE = b"discv5\x00\x01"  # protocol-id and version
ORDINARY, WHOAREYOU, HANDSHAKE = range(3)  # flag

STATIC_SIZE = len(PREAMBLE) + 1 + NONCE_SIZE + 2
NODE_ID_SIZE = 32
ID_NONCE_SIZE = 16
WHOAREYOU_SIZE = ID_NONCE_SIZE + 8
HANDSHAKE_HEAD_SIZE = NODE_ID_SIZE + 2
HANDSHAKE_SIZE = HANDSHAKE_HEAD_SIZE + identity.SIGNATURE_SIZE + identity.COMPRESSED_SIZE

ORDINARY_OVERHEAD = MASKING_IV_SIZE + STATIC_SIZE + NODE_ID_SIZE
"""Bytes of an ordinary packet before its sealed message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinary:
    """A message under the keys of a session, or random bytes from a node that has none."""

    source: bytes
    """Node ID, 32 bytes; only opening `message` proves it."""
    nonce: bytes
    """12 bytes."""
    header: bytes
    """Masking IV and unmasked header: what the message's tag covers besides."""
    message: bytes
    """Sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whoareyou:
    """A challenge: the sender could not open the message of `nonce`, and wants a handshake."""

    nonce: bytes
    """That of the packet which this one answers, 12 bytes."""
    id_nonce: bytes
    """16 random bytes."""
    enr_seq: int
    """Sequence number of the newest of our records that the sender has, 0 if it has none."""
    challenge_data: bytes
    """Masking IV and unmasked header: the 63 bytes that both sides feed into the handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The answer to a challenge, with a first message under the new keys."""

    source: bytes
    """Node ID, 32 bytes; only `id_signature` and the record's key prove it."""
    nonce: bytes
    """12 bytes."""
    id_signature: bytes
    """r || s, 64 bytes."""
    ephemeral_key: bytes
    """33 bytes, not yet known to be a point."""
    record: bytes
    """Encoded node record, not yet decoded; empty if the challenger is said to have it."""
    header: bytes
    """Masking IV and unmasked header: what the message's tag covers besides."""
    message: bytes
    """Sealed."""


Packet: TypeAlias = Ordinary | Whoareyou | Handshake


def decode(data: bytes, mask: Mask) -> Packet:
    """Return the packet that `data` holds for the node of `mask`.

    Parameters
    ----------
    data : bytes, 63 to 1280
        A datagram. It is untrusted.
    mask : Mask
        Of our own node ID.

    Raises
    ------
    WireError
        If the datagram is too short or too long, is no discv5.1 packet or one for another node, or its
        authdata does not have the size that its flag asks for.

    Examples
    --------
    >>> mask = Mask(bytes(32))
    >>> packet = pack(mask, bytes(16), whoareyou_header(b"n" * 12, id_nonce=b"i" * 16, enr_seq=7), b"")
    >>> decode(packet, mask).enr_seq
    7
    >>> decode(packet, Mask(b"another" * 5))
    Traceback (most recent call last):
    concentra.wire.errors.WireError: header does not begin with discv5 version 1 under our node ID
    """
    if not MIN_SIZE <= len(data) <= MAX_SIZE:
        raise WireError(f"packet has {len(data)} bytes, wanted {MIN_SIZE} to {MAX_SIZE}")
    masking_iv = data[:MASKING_IV_SIZE]
    # All of an ordinary header at once: most packets have one, and every call has its price.
    header = mask.apply(masking_iv, data[MASKING_IV_SIZE:ORDINARY_OVERHEAD])
    if header[:8] != PREAMBLE:
        raise WireError("header does not begin with discv5 version 1 under our node ID")
    flag = header[8]
    size = header[21] << 8 | header[22]
    if flag == ORDINARY:
        _check_size(size, NODE_ID_SIZE, "ordinary message")
        if len(data) < ORDINARY_OVERHEAD + TAG_SIZE:
            raise WireError(f"ordinary message is in {len(data)} bytes, which have no room for its tag")
        return Ordinary(
            source=header[23:],
            nonce=header[9:21],
            header=masking_iv + header,
            message=data[ORDINARY_OVERHEAD:],
        )
    end = MASKING_IV_SIZE + STATIC_SIZE + size
    if len(data) < end:
        raise WireError(f"authdata of {size} bytes reaches {end - len(data)} bytes beyond the packet")
    header = (header + mask.proceed(data[ORDINARY_OVERHEAD:end]))[: STATIC_SIZE + size]
    if flag == WHOAREYOU:
        return _whoareyou(masking_iv, header, data[end:])
    if flag == HANDSHAKE:
        return _handshake(masking_iv, header, data[end:])
    raise WireError(f"packet has flag {flag}, wanted {ORDINARY}, {WHOAREYOU} or {HANDSHAKE}")


def ordinary_header(nonce: bytes, *, source: bytes) -> bytes:
    """Return the header of a message from the node ID `source`."""
    return _header(ORDINARY, nonce, source)


def whoareyou_header(nonce: bytes, *, id_nonce: bytes, enr_seq: int) -> bytes:
    """Return the header of a challenge to the sender of the packet with `nonce`."""
    return _header(WHOAREYOU, nonce, id_nonce + enr_seq.to_bytes(8, "big"))


def handshake_header(
    nonce: bytes, *, source: bytes, id_signature: bytes, ephemeral_key: bytes, record: bytes
) -> bytes:
    """Return the header of a handshake; `record` is empty if the challenger has our newest one."""
    sizes = bytes((len(id_signature), len(ephemeral_key)))
    return _header(HANDSHAKE, nonce, source + sizes + id_signature + ephemeral_key + record)


def pack(mask: Mask, masking_iv: bytes, header: bytes, message: bytes) -> bytes:
    """Return the packet of an unmasked header and a sealed message, for the node of `mask`.

    Raises
    ------
    ValueError
        If it would be longer than 1280 bytes, which no node takes.
    """
    packet = masking_iv + mask.apply(masking_iv, header) + message
    if len(packet) > MAX_SIZE:
        raise ValueError(f"packet has {len(packet)} bytes, may have {MAX_SIZE}")
    return packet


def _header(flag: int, nonce: bytes, authdata: bytes) -> bytes:
    return PREAMBLE + bytes((flag,)) + nonce + len(authdata).to_bytes(2, "big") + authdata


def _whoareyou(masking_iv: bytes, header: bytes, message: bytes) -> Whoareyou:
    authdata = header[STATIC_SIZE:]
    _check_size(len(authdata), WHOAREYOU_SIZE, "WHOAREYOU")
    if message:  # "For WHOAREYOU packets, the `message` is empty"
        raise WireError(f"WHOAREYOU has {len(message)} bytes after its header, wanted none")
    return Whoareyou(
        nonce=header[9:21],
        id_nonce=authdata[:ID_NONCE_SIZE],
        enr_seq=int.from_bytes(authdata[ID_NONCE_SIZE:], "big"),
        challenge_data=masking_iv + header,
    )


def _handshake(masking_iv: bytes, header: bytes, message: bytes) -> Handshake:
    authdata = header[STATIC_SIZE:]
    if len(authdata) < HANDSHAKE_SIZE:
        raise WireError(f"handshake has authdata of {len(authdata)} bytes, wanted at least {HANDSHAKE_SIZE}")
    sizes = authdata[NODE_ID_SIZE], authdata[NODE_ID_SIZE + 1]
    if sizes != (identity.SIGNATURE_SIZE, identity.COMPRESSED_SIZE):
        raise WireError(f"handshake has signature and key of {sizes} bytes, wanted those of the v4 scheme")
    key_at = HANDSHAKE_HEAD_SIZE + identity.SIGNATURE_SIZE
    return Handshake(
        source=authdata[:NODE_ID_SIZE],
        nonce=header[9:21],
        id_signature=authdata[HANDSHAKE_HEAD_SIZE:key_at],
        ephemeral_key=authdata[key_at:HANDSHAKE_SIZE],
        record=authdata[HANDSHAKE_SIZE:],
        header=masking_iv + header,
        message=message,
    )


def _check_size(size: int, wanted: int, what: str) -> None:
    if size != wanted:
        raise WireError(f"{what} has authdata of {size} bytes, wanted {wanted}")
