"""The fast parsers accept what `ipaddress` accepts, whatever stands around the rows."""

import random
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from concentra.collect.address_text import CHUNK_ROWS, is_mapped, parse_ipv4, parse_ipv6

octets = st.integers(0, 255).map(str)
addresses = st.lists(octets, min_size=4, max_size=4).map(".".join)
parts = st.one_of(
    octets,
    st.integers(0, 99999).map(str),
    st.sampled_from(
        ["", "00", "01", "007", "256", "0x1", "+1", "-1", " 1", "1 ", "1_0", "1e2", "٣", "²", "１", "\0"]
    ),
)
near_addresses = st.lists(parts, min_size=1, max_size=6).map(".".join)
hostile = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)
characters_of_addresses = st.text("0123456789./: +-\t", max_size=18)
rows_of_text = st.lists(st.one_of(addresses, near_addresses, hostile, characters_of_addresses), max_size=20)


def oracle(row: bytes) -> int | None:
    try:
        return int(IPv4Address(row.decode("ascii")))
    except (AddressValueError, UnicodeDecodeError):
        return None


def parse(rows: list[bytes], separator: bytes) -> list[int | None]:
    """Parse all rows in one call, laid out in one buffer with `separator` between them."""
    lengths = np.array([len(row) for row in rows], np.int64)
    start = np.cumsum(lengths + len(separator)) - lengths - len(separator)
    values, valid = parse_ipv4(np.frombuffer(separator.join(rows), np.uint8), start, start + lengths)
    assert values.dtype == np.uint32
    assert valid.dtype == np.bool_
    return [int(value) if good else None for value, good in zip(values, valid, strict=True)]


@given(rows_of_text, st.sampled_from([b"\n", b"", b".", b"\r\n", b"9", b", "]))
@example(["192.0.2.1", "198.51.100.1"], b"")
@example(["", "", "192.0.2.1", ""], b"")
@example(["1.2.3", "4.5.6.7", ".1.2.3.4", "1.2.3.4."], b".")
def test_every_row_parses_as_ipaddress_does_whatever_stands_between_rows(
    rows: list[str], separator: bytes
) -> None:
    encoded = [row.encode() for row in rows]
    assert parse(encoded, separator) == [oracle(row) for row in encoded]


ROWS: list[tuple[str, bytes, int | None]] = [
    ("lowest", b"0.0.0.0", 0),
    ("highest", b"255.255.255.255", 0xFFFFFFFF),
    ("each-octet-in-its-place", b"1.2.3.4", 0x01020304),
    ("all-lengths", b"9.99.199.0", 0x0963C700),
    ("octet-256", b"192.0.2.256", None),
    ("octet-999", b"999.0.2.1", None),
    ("four-digits", b"0001.0.2.1", None),
    ("leading-zero", b"192.0.2.01", None),
    ("double-zero", b"192.0.2.00", None),
    ("three-parts", b"192.0.2", None),
    ("five-parts", b"192.0.2.1.1", None),
    ("empty-part", b"192..2.1", None),
    ("dots-only", b"...", None),
    ("plus", b"192.0.2.+1", None),
    ("minus", b"192.0.2.-1", None),
    ("space-before", b" 192.0.2.1", None),
    ("space-after", b"192.0.2.1 ", None),
    ("slash-is-below-zero", b"192.0.2./", None),
    ("colon-is-above-nine", b"192.0.2.:", None),
    ("arabic-digit", "192.0.2.٣".encode(), None),
    ("full-width-digits", "１９２.0.2.1".encode(), None),
    ("nul", b"192.0.2.1\0", None),
    ("octet-300-wraps-to-44", b"192.0.2.300", None),
    ("octet-399-wraps-to-143", b"192.0.2.399", None),
    ("octet-499-wraps-to-243", b"192.0.2.499", None),
    ("longest", b"199.255.249.100", 0xC7FFF964),
    ("dot-after-the-longest", b"199.255.249.100.", None),
    ("address-and-dot-in-sixteen-bytes", b"1.2.3.4.11111111", None),
    ("an-address-begins-a-long-row", b"192.0.2.1" + b"1" * 300, None),
    ("empty", b"", None),
]


@pytest.mark.parametrize(("row", "value"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_listed_rows(row: bytes, value: int | None) -> None:
    assert parse([row], b"\n") == [value]
    assert parse([b"192.0.2.1", row, b"192.0.2.2"], b"") == [0xC0000201, value, 0xC0000202]


def test_no_rows_and_no_bytes_give_nothing() -> None:
    assert parse([], b"\n") == []
    assert parse([b"", b""], b"") == [None, None]


def test_fifty_thousand_damaged_addresses_in_one_call() -> None:
    seed = 64500
    rng = random.Random(seed)
    rows = []
    for _ in range(50_000):
        row = bytearray(str(IPv4Address(rng.getrandbits(32))).encode())
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            place = rng.randrange(len(row) + 1)
            match rng.randrange(3):
                case 0:
                    row[place:place] = bytes([rng.choice(b"0123456789.")])
                case 1:
                    row[place : place + 1] = bytes([rng.choice(b"0129./:- \xd9\0")])
                case _:
                    del row[place : place + rng.randrange(1, 3)]
        rows.append(bytes(row))
    expected = [oracle(row) for row in rows]
    assert 20_000 < sum(value is not None for value in expected) < 45_000, f"a weak sample, seed {seed}"
    found = parse(rows, b"\n")
    wrong = [row for row, value, wanted in zip(rows, found, expected, strict=True) if value != wanted]
    assert wrong == [], f"seed {seed}"


def layouts(rows: list[bytes]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Lay the same rows out in several ways, each with its buffer, starts and ends."""
    lengths = np.array([len(row) for row in rows], np.int64)
    end = np.cumsum(lengths)
    text = b"".join(rows)
    forward = np.frombuffer(text, np.uint8)
    backward = np.frombuffer(b"".join(reversed(rows)), np.uint8)
    padded = np.frombuffer(text + b"1" * 50, np.uint8)
    spread = np.repeat(forward, 2)[::2]
    return [
        (forward, end - lengths, end),
        (forward, (end - lengths).astype(np.int32), end.astype(np.int32)),
        (backward, len(text) - end, len(text) - end + lengths),
        (padded, end - lengths, end),
        (spread, end - lengths, end),
    ]


@given(rows_of_text)
@example(["192.0.2.1"])
@example(["1.2.3.4", "", "", "5.6.7.8"])
def test_where_and_in_which_order_rows_stand_does_not_matter(rows: list[str]) -> None:
    encoded = [row.encode() for row in rows]
    expected = [oracle(row) for row in encoded]
    expected6 = [v6_oracle(row) for row in encoded]
    for buffer, start, end in layouts(encoded):
        values, valid = parse_ipv4(buffer, start, end)
        assert [int(v) if good else None for v, good in zip(values, valid, strict=True)] == expected
        values6, valid6 = parse_ipv6(buffer, start, end)
        assert [packed(v) if good else None for v, good in zip(values6, valid6, strict=True)] == expected6


def test_rows_may_overlap() -> None:
    buffer = np.frombuffer(b"192.0.2.1234", np.uint8)
    values, valid = parse_ipv4(buffer, np.array([0, 0, 0, 1, 2]), np.array([9, 10, 11, 9, 7]))
    assert valid.tolist() == [True, True, True, True, False]
    assert (values[:4] & 0xFF).tolist() == [1, 12, 123, 1]


def test_a_row_that_begins_beyond_the_buffer_is_an_error() -> None:
    buffer = np.frombuffer(b"192.0.2.1", np.uint8)
    for parse_rows in (parse_ipv4, parse_ipv6):
        with pytest.raises(IndexError):
            parse_rows(buffer, np.array([0, 10]), np.array([9, 19]))


def test_more_rows_than_one_chunk_holds_each_keep_their_place() -> None:
    numbers = [number * 199_999 % 2**32 for number in range(2 * CHUNK_ROWS + 3)]
    gaps = {CHUNK_ROWS - 1, CHUNK_ROWS, len(numbers) - 1}
    rows = [b"no address" if row in gaps else str(IPv4Address(n)).encode() for row, n in enumerate(numbers)]
    assert parse(rows, b"") == [None if row in gaps else number for row, number in enumerate(numbers)]
    texts = [b"no address" if row in gaps else b"2001:db8:%x::" % (n >> 16) for row, n in enumerate(numbers)]
    found = parse_v6(texts, b"")
    assert [None if value is None else int.from_bytes(value[4:6], "big") for value in found] == [
        None if row in gaps else number >> 16 for row, number in enumerate(numbers)
    ]


# IPv6

groups = st.one_of(
    st.sampled_from(
        ["", "0", "00", "0000", "ffff", "FFFF", "db8", "12345", "g", "-1", "+1", " 1", "1 ", "٣", "1_0", "%"]
    ),
    st.integers(0, 0xFFFF).map(lambda number: f"{number:x}"),
)
near_v6 = st.lists(groups, min_size=1, max_size=10).map(":".join)
v6_addresses = st.integers(0, 2**128 - 1).map(IPv6Address)
v6_texts = st.one_of(
    v6_addresses.map(str),
    v6_addresses.map(lambda address: address.exploded.upper()),
    st.tuples(v6_addresses, st.integers(0, 8), st.integers(0, 8)).map(
        lambda drawn: with_zeros(drawn[0], min(drawn[1:]), max(drawn[1:]))
    ),
)
dotted = st.one_of(
    st.tuples(near_v6, st.one_of(addresses, near_addresses)).map(":".join),
    st.tuples(v6_texts, addresses).map(lambda drawn: drawn[0].rpartition(":")[0] + ":" + drawn[1]),
    addresses.map("::ffff:{}".format),
)
v6_rows = st.lists(st.one_of(v6_texts, near_v6, dotted, hostile), max_size=20)


def with_zeros(address: IPv6Address, first: int, last: int) -> str:
    """Return the text of `address` with groups `first` to `last` zero, however that is written shortest."""
    parts = address.exploded.split(":")
    return str(IPv6Address(":".join([*parts[:first], *["0"] * (last - first), *parts[last:]])))


def v6_oracle(row: bytes) -> bytes | None:
    """Return the address that `ipaddress` reads, None for what `parse_ipv6` leaves to slower code."""
    if b"." in row or b"%" in row or row.count(b":") > 7:
        return None
    try:
        address = IPv6Address(row.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        return None
    return None if address.ipv4_mapped is not None else address.packed


def v6_oracle_of_every_form(row: bytes) -> bytes | None:
    if b"%" in row:
        return None
    try:
        return IPv6Address(row.decode("ascii")).packed
    except (AddressValueError, UnicodeDecodeError):
        return None


def packed(value: np.bytes_) -> bytes:
    """Return the 16 bytes of a value that NumPy gives without its zeros at the end."""
    return bytes(value).ljust(16, b"\0")


def parse_v6(rows: list[bytes], separator: bytes, *, every_form: bool = False) -> list[bytes | None]:
    lengths = np.array([len(row) for row in rows], np.int64)
    start = np.cumsum(lengths + len(separator)) - lengths - len(separator)
    buffer = np.frombuffer(separator.join(rows), np.uint8)
    values, valid = parse_ipv6(buffer, start, start + lengths, every_form=every_form)
    assert values.dtype == "S16"
    assert valid.dtype == np.bool_
    return [packed(value) if good else None for value, good in zip(values, valid.tolist(), strict=True)]


@given(v6_rows, st.sampled_from([b"\n", b"", b":", b"::", b"f", b", "]))
@example(["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:192.0.2.1", "::ffff:1:2"], b"\n")
@example([":::", "1:::2", "::1::", ":1", "1:", ":", "", "1::2::3", "12345::", "::g", ":1:2:3:4:5:6:7"], b"\n")
@example(["2001:db8::1", "2001:db8::2"], b"")
@example(["\x10::", "\x1a:1", "1::\x10", "@::", "`::", "G::"], b"")
@example(
    ["1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::1:2:3:4:5:6:7:8", "1:2:3::4:5:6:7:8", "1::3:4:5:6:7:8:"], b""
)
@example(["::192.0.2.1", "64:ff9b::192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:7:192.0.2.1"], b"")
@example(["1:192.0.2.1", ":192.0.2.1", ":::192.0.2.1", "::192.0.2.1:1", "::192.0.2.01", "192.0.2.1"], b":")
@example(["ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "0ffff:ffff:ffff:ffff:ffff:ffff:1.1.1.1"], b"")
@example(["1" * 37 + ":1.1.1.1", "::192.0.2.1", "1" * 37 + ":1.1.1.1"], b"")
@example(["1:2:3:4:5:6:7:8" + "1" * 30, ":".join(["ffff"] * 8) + "0", ":".join(["ffff"] * 8) + ":"], b"")
def test_every_ipv6_row_parses_as_ipaddress_does_or_is_left_to_it(rows: list[str], separator: bytes) -> None:
    encoded = [row.encode() for row in rows]
    assert parse_v6(encoded, separator) == [v6_oracle(row) for row in encoded]
    expected = [v6_oracle_of_every_form(row) for row in encoded]
    assert parse_v6(encoded, separator, every_form=True) == expected


@given(
    st.one_of(v6_addresses, st.integers(0, 2**32 - 1).map(lambda number: IPv6Address(0xFFFF << 32 | number)))
)
@example(IPv6Address("::ffff:0:0"))
@example(IPv6Address("::fffe:ffff:ffff"))
@example(IPv6Address("::1:0:ffff:c000:201"))
def test_an_address_is_mapped_where_ipaddress_finds_an_ipv4_address_in_it(address: IPv6Address) -> None:
    assert is_mapped(np.array([address.packed])).tolist() == [address.ipv4_mapped is not None]


def test_twenty_thousand_damaged_ipv6_addresses_in_one_call() -> None:
    seed = 64504
    rng = random.Random(seed)
    rows = []
    for _ in range(20_000):
        mask = sum(0xFFFF << 16 * place for place in range(8) if rng.random() < 0.6)
        row = bytearray(str(IPv6Address(rng.getrandbits(128) & mask)).encode())
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            place = rng.randrange(len(row) + 1)
            row[place : place + rng.randrange(2)] = bytes([rng.choice(b"0:::fFg. \xd9")])
        rows.append(bytes(row))
    expected = [v6_oracle(row) for row in rows]
    assert 8_000 < sum(value is not None for value in expected) < 18_000, f"a weak sample, seed {seed}"
    found = parse_v6(rows, b"\n")
    wrong = [row for row, value, wanted in zip(rows, found, expected, strict=True) if value != wanted]
    assert wrong == [], f"seed {seed}"


def test_twenty_thousand_damaged_ipv6_addresses_with_a_quad_at_the_end() -> None:
    seed = 64505
    rng = random.Random(seed)
    rows = []
    for _ in range(20_000):
        head = rng.choice(
            ["::ffff", "::", "64:ff9b:", ":".join(f"{rng.getrandbits(16):x}" for _ in range(6))]
        )
        row = bytearray(f"{head}:{IPv4Address(rng.getrandbits(32))}".encode())
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            place = rng.randrange(len(row) + 1)
            row[place : place + rng.randrange(2)] = bytes([rng.choice(b"0:::fF9.. \xd9")])
        rows.append(bytes(row))
    expected = [v6_oracle_of_every_form(row) for row in rows]
    assert 5_000 < sum(value is not None for value in expected) < 18_000, f"a weak sample, seed {seed}"
    found = parse_v6(rows, b"f", every_form=True)
    wrong = [row for row, value, wanted in zip(rows, found, expected, strict=True) if value != wanted]
    assert wrong == [], f"seed {seed}"
