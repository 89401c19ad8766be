import pytest

from concentra.wire import identity
from concentra.wire.discv4_messages import Endpoint, Neighbor
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

KEY = bytes(range(64))


def test_a_neighbour_is_known_by_the_hash_of_its_key_even_off_the_curve() -> None:
    neighbor = Neighbor(b"\xc0\0\x02\x01", 30303, 30303, KEY)
    assert neighbor.node_id == keccak256(KEY)
    with pytest.raises(WireError, match="not a point"):
        identity.parse_key(neighbor.public_key)


@pytest.mark.parametrize(
    ("ip", "host"),
    [
        pytest.param("c0000201", "192.0.2.1", id="ipv4"),
        pytest.param("20010db8000000000000000000000001", "2001:db8::1", id="ipv6"),
    ],
)
def test_addresses_are_written_as_ipaddress_prints_them(ip: str, host: str) -> None:
    assert Endpoint(ip=bytes.fromhex(ip)).host == host
    assert Neighbor(bytes.fromhex(ip), 1, 1, KEY).host == host


def test_an_endpoint_may_have_no_address() -> None:
    assert Endpoint().host is None
