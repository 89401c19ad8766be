import pytest

from concentra.wire.keccak import keccak256


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        # The Keccak team's KeccakKAT-3.zip, ShortMsgKAT_256.txt, Len = 0 and Len = 8.
        pytest.param(b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", id="empty"),
        pytest.param(
            b"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a", id="one-byte"
        ),
        # Solidity ABI specification: the selector of baz(uint32,bool) is cdcd77c0.
        pytest.param(b"baz(uint32,bool)", "cdcd77c0", id="selector"),
    ],
)
def test_published_digests(data: bytes, digest: str) -> None:
    assert keccak256(data).hex().startswith(digest)
    assert len(keccak256(data)) == 32
