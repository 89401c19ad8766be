import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sha3 import keccak_256
from tests.wire.made_rlpx import OURS, PUBLIC_KEY, THEIRS, drawn

from concentra.wire import rlpx_frames
from concentra.wire.ecies import NotAuthentic
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256
from concentra.wire.rlpx_frames import (
    HEADER_SIZE,
    MAX_CONTENT_SIZE,
    FrameMac,
    FrameReader,
    FrameWriter,
    frame_codec,
    padded,
)
from concentra.wire.rlpx_handshake import Initiator, Recipient

# go-ethereum, p2p/rlpx/rlpx_test.go, "TestFrameReadWrite": both keys are keccak256 of nothing, and a hash
# that is always 32 bytes of 01 stands in for the running one.
GOLDEN_FRAME = bytes.fromhex(
    "00828ddae471818bb0bfa6b551d1cb4201010101010101010101010101010101"
    "ba628a4ba590cb43f7848f41c438288501010101010101010101010101010101"
)
GOLDEN_CONTENT = bytes.fromhex("08c401020304")
SECRET = keccak256(b"")


class Constant:
    """A hash that does not listen."""

    def update(self, data: bytes, /) -> None:
        pass

    def digest(self) -> bytes:
        return b"\x01" * 32


def connected() -> tuple[FrameWriter, FrameReader]:
    """Return the end that one side writes to and the end that the other side reads from."""
    initiator, recipient = Initiator(OURS, PUBLIC_KEY, drawn("a")), Recipient(THEIRS, drawn("b"))
    theirs = recipient.complete(initiator.opening)
    ours = initiator.complete(theirs.reply)
    return frame_codec(ours.secrets)[0], frame_codec(theirs.secrets)[1]


def read(reader: FrameReader, frame: bytes) -> bytes:
    size = reader.content_size(frame[:HEADER_SIZE])
    assert len(frame) == HEADER_SIZE + padded(size) + 16
    return reader.content(frame[HEADER_SIZE:], size)


def test_the_golden_frame_of_geth_is_what_we_write() -> None:
    assert FrameWriter(SECRET, FrameMac(SECRET, Constant())).frame(GOLDEN_CONTENT) == GOLDEN_FRAME


def test_the_golden_frame_of_geth_is_read() -> None:
    assert read(FrameReader(SECRET, FrameMac(SECRET, Constant())), GOLDEN_FRAME) == GOLDEN_CONTENT


@given(st.lists(st.binary(max_size=70), max_size=5))
def test_contents_come_back_in_order(contents: list[bytes]) -> None:
    writer, reader = connected()
    assert [read(reader, writer.frame(content)) for content in contents] == contents


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, MAX_CONTENT_SIZE])
def test_contents_of_any_size_up_to_the_limit_are_framed_in_whole_blocks(size: int) -> None:
    writer, reader = connected()
    frame = writer.frame(bytes(size))
    assert len(frame) == 32 + math.ceil(size / 16) * 16 + 16
    assert read(reader, frame) == bytes(size)


def test_we_send_with_the_egress_secrets_and_receive_with_the_ingress_ones() -> None:
    initiator = Initiator(OURS, PUBLIC_KEY, drawn("a"))
    secrets = initiator.complete(Recipient(THEIRS, drawn("b")).complete(initiator.opening).reply).secrets
    writer, reader = frame_codec(secrets)
    assert read(
        FrameReader(secrets.aes, FrameMac(secrets.mac, keccak_256(secrets.egress_seed))), writer.frame(b"x")
    )
    theirs = FrameWriter(secrets.aes, FrameMac(secrets.mac, keccak_256(secrets.ingress_seed)))
    assert read(reader, theirs.frame(b"y")) == b"y"


def test_the_same_content_never_looks_the_same() -> None:
    writer, _ = connected()
    assert len({writer.frame(bytes(16)) for _ in range(10)}) == 10


def test_a_change_to_any_byte_of_a_frame_is_noticed() -> None:
    frame = connected()[0].frame(b"content of two blocks")
    for at in range(len(frame)):
        changed = frame[:at] + bytes((frame[at] ^ 128,)) + frame[at + 1 :]
        with pytest.raises(NotAuthentic):
            read(connected()[1], changed)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param([0, 0], id="repeated"),
        pytest.param([1], id="one-left-out"),
        pytest.param([1, 0], id="swapped"),
    ],
)
def test_a_frame_out_of_its_place_is_noticed(order: list[int]) -> None:
    writer, reader = connected()
    frames = [writer.frame(b"first"), writer.frame(b"secnd")]
    with pytest.raises(NotAuthentic):
        for at in order:
            read(reader, frames[at])


def test_our_own_frames_are_not_taken_for_those_of_the_other_side() -> None:
    initiator = Initiator(OURS, PUBLIC_KEY, drawn("a"))
    reply = Recipient(THEIRS, drawn("b")).complete(initiator.opening).reply
    writer, reader = frame_codec(initiator.complete(reply).secrets)
    with pytest.raises(NotAuthentic):
        read(reader, writer.frame(b"reflected"))


def test_a_frame_beyond_the_limit_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = connected()
    with monkeypatch.context() as patched:
        patched.setattr(rlpx_frames, "MAX_CONTENT_SIZE", 1 << 24)
        header = writer.frame(bytes(MAX_CONTENT_SIZE + 1))[:HEADER_SIZE]
    with pytest.raises(WireError, match="65537 bytes, wanted at most 65536"):
        reader.content_size(header)


def test_writing_beyond_the_limit_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="65537 bytes, wanted at most 65536"):
        connected()[0].frame(bytes(MAX_CONTENT_SIZE + 1))
