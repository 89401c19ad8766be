from random import Random

from coincurve import PrivateKey

from concentra.wire import discv5_packets as packets
from concentra.wire.discv5_crypto import Mask, Seal
from concentra.wire.discv5_handshake import Keys
from concentra.wire.discv5_link import FORMER_KEYS_S, Link
from concentra.wire.discv5_packets import Ordinary

NODE_ID, SOURCE = b"\x01" * 32, b"\x02" * 32
KEY = PrivateKey(bytes(31) + b"\x07").public_key
FIRST, SECOND = b"\x0a" * 16, b"\x0b" * 16


def keys(secret: bytes) -> Keys:
    """Return the keys of a session whose two directions are alike, so that it reads what it writes."""
    return Keys(reading=Seal(secret), writing=Seal(secret))


def link(secret: bytes) -> Link:
    return Link(keys(secret), key=KEY, mask=Mask(NODE_ID))


def packet(sender: Link, message: bytes = b"message") -> Ordinary:
    nonce, datagram = sender.ordinary(message, source=SOURCE, random=Random(7).randbytes)
    decoded = packets.decode(datagram, Mask(NODE_ID))
    assert isinstance(decoded, Ordinary)
    assert (decoded.nonce, decoded.source) == (nonce, SOURCE)
    return decoded


def test_what_one_writes_the_other_opens() -> None:
    assert link(FIRST).opened(packet(link(FIRST)), now=0.0) == b"message"
    assert link(FIRST).opened(packet(link(SECOND)), now=0.0) is None


def test_former_keys_open_for_a_second_and_not_longer() -> None:
    renewed = link(FIRST)
    renewed.renew(keys(SECOND), now=10.0)
    assert renewed.opened(packet(link(SECOND)), now=10.0) == b"message"
    assert renewed.opened(packet(link(FIRST)), now=10.0 + FORMER_KEYS_S) is None
    renewed = link(FIRST)
    renewed.renew(keys(SECOND), now=10.0)
    assert renewed.opened(packet(link(FIRST)), now=10.0 + FORMER_KEYS_S - 0.01) == b"message"


def test_writing_follows_the_keys_that_the_other_side_was_seen_to_have() -> None:
    renewed = link(FIRST)
    renewed.renew(keys(SECOND), now=0.0)
    assert link(SECOND).opened(packet(renewed), now=0.0) == b"message"
    renewed.opened(packet(link(FIRST)), now=0.1)
    assert link(FIRST).opened(packet(renewed), now=0.1) == b"message"
    renewed.opened(packet(link(SECOND)), now=0.2)
    assert link(SECOND).opened(packet(renewed), now=0.2) == b"message"


def test_a_nonce_is_a_count_and_random_bytes() -> None:
    counting = link(FIRST)
    assert [counting.drawn(bytes)[1] for _ in range(2)] == [
        b"\0\0\0\x01" + bytes(8),
        b"\0\0\0\x02" + bytes(8),
    ]
    assert counting.drawn(lambda size: b"\x0c" * size) == (b"\x0c" * 16, b"\0\0\0\x03" + b"\x0c" * 8)


def test_the_count_starts_anew_after_four_billion() -> None:
    counting = link(FIRST)
    counting._sent = 2**32 - 1
    assert counting.drawn(bytes)[1] == bytes(12)


def test_new_keys_are_not_known_to_be_good() -> None:
    renewed = link(FIRST)
    renewed.opened_by = b"nonce"
    renewed.renew(keys(SECOND), now=0.0)
    assert renewed.opened_by is None
