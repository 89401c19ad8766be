import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from coincurve import PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests.interop.signed_tree import base32, branch, made_records, url_of, with_signature

from concentra.wire import dnsdisc, enr, identity
from concentra.wire.dnsdisc import BadHash, BadSignature, Branch, Root, TreeUrl
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

SPECIFIED = json.loads((Path(__file__).parents[1] / "data" / "eip1459_dnsdisc.json").read_text())
LIST = dnsdisc.from_url(SPECIFIED["url"])
OURS = dnsdisc.from_url(url_of("nodes.example"))
KEY = OURS.public_key
URL = url_of("")
HASH = base32(bytes(range(16)))
ROOT = f"enrtree-root:v1 e={HASH} l={HASH} seq=7"
OFF_THE_CURVE = b"\x02" + b"\xff" * 32
THEIRS = bytes(31) + b"\x07"
RECORD = enr.to_text(next(made_records(1)))


def named(text: str) -> tuple[bytes, str]:
    """Return an entry and a name that it fits."""
    return text.encode(), base32(keccak256(text.encode())[:16])


def unverified_root(text: str) -> Root:
    """Return the root that `text` holds if anybody signed it: the key is recovered from the signature."""
    signed, _, signature = text.partition(" sig=")
    data = urlsafe_b64decode(signature + "=")
    key = PublicKey.from_signature_and_message(data, keccak256(signed.encode()), hasher=None)
    return dnsdisc.decode_root(text.encode(), identity.coordinates(key))


MALFORMED_URLS: list[tuple[str, str, str]] = [
    ("empty", "", "begins with '', wanted 'enrtree://'"),
    ("upper-case-scheme", f"ENRTREE{URL[7:]}n", "begins with 'ENRTREE://'"),
    ("space-before", f" {URL}n", "begins with ' enrtree:/'"),
    ("too-long", URL + "n" * 4096, "characters, wanted at most 4096"),
    ("no-key", "enrtree://nodes.example", "no key before an @"),
    ("empty-key", "enrtree://@nodes.example", "key '' is not base32"),
    ("lower-case-key", f"{URL.lower()}n", "is not base32"),
    ("padded-key", URL.replace("@", "===@") + "n", "is not base32"),
    ("key-of-32-bytes", f"enrtree://{base32(bytes(32))}@n", "is not the base32 of 33 bytes"),
    ("key-with-unused-bit", f"enrtree://{URL[10:-2]}{chr(ord(URL[-2]) + 1)}@n", "is not the base32 of 33"),
    ("key-of-impossible-length", "enrtree://AAA@n", "3 characters is the base32 of no bytes"),
    ("key-off-the-curve", f"enrtree://{base32(OFF_THE_CURVE)}@n", "not a point"),
    ("empty-domain", URL, "domain '' has an empty label"),
    ("final-dot", f"{URL}nodes.example.", "domain 'nodes.example.' has an empty label"),
    ("two-ats", f"{URL}a@b", "domain 'a@b' has characters"),
    ("label-of-64", f"{URL}{'a' * 64}.example", "a label of 64 characters"),
    ("domain-of-201", f"{URL}{'a.' * 100}a", "domain has 201 characters, wanted at most 200"),
    ("hyphen-first", f"{URL}-a.example", "characters that no domain has"),
    ("hyphen-last", f"{URL}a-.example", "characters that no domain has"),
    ("space", f"{URL}a b", "characters that no domain has"),
    ("line-break", f"{URL}a\n", r"domain 'a\\n' has characters"),
    ("terminal-escape", f"{URL}\x1b[2J", r"domain '\\x1b\[2J' has characters"),
    ("escaped-dot", f"{URL}a\\.b", "characters that no domain has"),
    ("wildcard", f"{URL}*.example", "characters that no domain has"),
    ("not-ascii", f"{URL}é.example", r"domain '\\xe9.example' has characters"),
    ("kelvin-sign-whose-lower-case-is-k", f"{URL}\u212a", "characters that no domain has"),
    ("ipv4-address", f"{URL}192.0.2.1", "ends in a number"),
    ("ipv6-address", f"{URL}[2001:db8::1]", "characters that no domain has"),
    ("port", f"{URL}nodes.example:53", "characters that no domain has"),
]  # fmt: skip

MALFORMED_ROOTS: list[tuple[str, str, str]] = [
    ("empty", "", "root is ''"),
    ("branch", "enrtree-branch:", "root is 'enrtree-branch:'"),
    ("unsigned", ROOT, "wanted enrtree-root:v1 with e, l, seq and sig"),
    ("version-2", with_signature(ROOT.replace("v1", "v2")), "root is 'enrtree-root:v2"),
    ("other-order", with_signature(f"enrtree-root:v1 l={HASH} e={HASH} seq=7"), "wanted enrtree-root:v1"),
    ("two-spaces", with_signature(ROOT.replace(" l", "  l")), "wanted enrtree-root:v1"),
    ("text-after", with_signature(ROOT) + " x", "wanted enrtree-root:v1"),
    ("line-break-after", with_signature(ROOT) + "\n", "wanted enrtree-root:v1"),
    ("no-seq", with_signature(ROOT.removesuffix("7")), "wanted enrtree-root:v1"),
    ("negative-seq", with_signature(f"{ROOT[:-1]}-1"), "wanted enrtree-root:v1"),
    ("seq-with-leading-zero", with_signature(f"{ROOT[:-1]}07"), "wanted enrtree-root:v1"),
    ("seq-of-65-bits", with_signature(f"{ROOT[:-1]}{2**64}"), "18446744073709551616 has more than 64 bits"),
    ("seq-of-21-digits", with_signature(f"{ROOT[:-1]}{10**20}"), "wanted enrtree-root:v1"),
    ("short-hash", with_signature(ROOT.replace(HASH, base32(bytes(11)), 1)), "hash has 11 bytes"),
    ("long-hash", with_signature(ROOT.replace(f"l={HASH}", f"l={base32(bytes(33))}")), "hash has 33 bytes"),
    ("lower-case-hash", with_signature(ROOT.replace(HASH, HASH.lower())), "wanted enrtree-root:v1"),
    ("signature-of-64-bytes", f"{ROOT} sig={'A' * 86}", "not the base64url of 65 bytes"),
    ("signature-of-66-bytes", f"{ROOT} sig={'A' * 88}", "not the base64url of 65 bytes"),
    ("signature-of-impossible-length", f"{ROOT} sig=A", "not base64url"),
    ("unused-bit-in-signature", f"{ROOT} sig={'A' * 86}B", "not the base64url of 65 bytes"),
    ("padded-signature", with_signature(ROOT) + "=", "wanted enrtree-root:v1"),
    ("standard-alphabet", f"{ROOT} sig={'+' * 87}", "wanted enrtree-root:v1"),
    ("too-long", with_signature(ROOT) + "A" * 4096, "bytes, wanted at most 4096"),
    ("not-ascii", with_signature(ROOT) + "é", "is not ASCII"),
]  # fmt: skip

MALFORMED_ENTRIES: list[tuple[str, str, str]] = [
    ("empty", "", "entry is '', wanted a branch, a link or a node record"),
    ("root", with_signature(ROOT), "entry is 'enrtree-root:v1"),
    ("enode", "enode://", "entry is 'enode://'"),
    ("not-ascii", "enrtree-branch:é", r"entry b'enrtree-branch:\\xc3\\xa9' is not ASCII"),
    ("too-long", branch([HASH] * 200), "entry has 5414 bytes, wanted at most 4096"),
    ("empty-child", branch([HASH, "", HASH]), "hash '' is not base32"),
    ("final-comma", branch([HASH, ""]), "hash '' is not base32"),
    ("child-with-space", branch([HASH, f" {HASH}"]), "is not base32"),
    ("child-in-lower-case", branch([HASH.lower()]), "is not base32"),
    ("padded-child", branch([HASH + "======"]), "is not base32"),
    ("child-of-11-bytes", branch([base32(bytes(11))]), "hash has 11 bytes, wanted 12 to 32"),
    ("child-of-33-bytes", branch([base32(bytes(33))]), "hash has 33 bytes, wanted 12 to 32"),
    ("child-of-impossible-length", branch(["A" * 27]), "hash of 27 characters is the base32 of no bytes"),
    ("child-that-is-a-name", branch([f"{HASH}.example"]), "is not base32"),
    ("link-to-an-address", f"{URL}192.0.2.1", "ends in a number"),
    ("damaged-record", RECORD[:-1] + chr(ord(RECORD[-1]) ^ 1), "base64url|does not fit|RLP"),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, text: bytes) -> bytes:
    """Return `text` with a byte changed, left out or put in."""
    at = draw(st.integers(0, len(text) - 1))
    new = draw(st.binary(max_size=2))
    return text[:at] + new + text[at + draw(st.integers(0, 1)) :]


hashes = st.binary(min_size=12, max_size=32).map(base32)
labels = st.from_regex(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,20}[a-zA-Z0-9_])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=6).map(".".join).filter(lambda domain: domain[-1].isalpha())


def test_the_tree_of_the_specification_decodes() -> None:
    zone = SPECIFIED["zone"]
    root = dnsdisc.decode_root(zone["@"].encode(), LIST.public_key)
    assert root == Root(records="JWXYDBPXYWG6FX3GMDIBFA6CJ4", links="C7HRFPF3BLGF3YR4DY5KX3SMBE", seq=1)
    link = dnsdisc.decode_entry(zone[root.links].encode(), root.links)
    assert isinstance(link, TreeUrl)
    assert link.domain == "morenodes.example.org"
    children = dnsdisc.decode_entry(zone[root.records].encode(), root.records)
    assert isinstance(children, Branch)
    records = [dnsdisc.decode_entry(zone[name].encode(), name) for name in children.children]
    assert [enr.to_text(record) for record in records if isinstance(record, NodeRecord)] == [
        zone[name]
        for name in ("2XS2367YHAXJFGLZHVAWLQD4ZY", "H4FHT4B454P6UXFD7JCYQ5PWDY", "MHTDO6TMUBRIA2XWG5LUDACK24")
    ]


def test_the_key_that_the_specification_spells_out_is_the_one_its_tree_is_signed_with() -> None:
    assert LIST.public_key.hex() == (
        "9f88229042fef9200246f49f94d9b77c4e954721442714e85850cb6d9e5daf2d"
        "880ea0e53cb3ac1a75f9923c2726a4f941f7d326781baa6380754a360de5c2b6"
    )


def test_a_record_that_geth_refuses_is_refused() -> None:
    zone = SPECIFIED["bad_zone"]
    root = dnsdisc.decode_root(zone["n"].encode(), LIST.public_key)
    with pytest.raises(WireError, match="not base64url") as caught:
        dnsdisc.decode_entry(zone[f"{root.records}.n"].encode(), root.records)
    assert not isinstance(caught.value, BadHash)


@pytest.mark.parametrize(
    ("text", "refused"),
    [pytest.param(case["text"], case["refused"], id=case["text"][:40]) for case in SPECIFIED["entries"]],
)
def test_entries_are_taken_and_refused_as_by_geth(text: str, refused: str | None) -> None:
    is_root = text.startswith("enrtree-root")
    if refused is None:
        assert unverified_root(text).seq == 3 if is_root else dnsdisc.decode_entry(*named(text))
        return
    with pytest.raises(WireError) as caught:
        dnsdisc.decode_root(text.encode(), KEY) if is_root else dnsdisc.decode_entry(*named(text))
    assert caught.type is WireError  # for its form, and not for whom it is from


@given(hashes, hashes, st.integers(0, 2**64 - 1))
def test_a_signed_root_decodes(records: str, links: str, seq: int) -> None:
    text = with_signature(f"enrtree-root:v1 e={records} l={links} seq={seq}").encode()
    assert dnsdisc.decode_root(text, KEY) == Root(records=records, links=links, seq=seq)


@given(st.lists(hashes, max_size=13))
def test_a_branch_keeps_its_children_in_order(names: list[str]) -> None:
    assert dnsdisc.decode_entry(*named(branch(names))) == Branch(tuple(names))


@given(domains)
def test_a_url_comes_back_with_its_domain_in_lower_case(domain: str) -> None:
    url = dnsdisc.from_url(url_of(domain))
    assert url == TreeUrl(public_key=KEY, domain=domain.lower())
    assert dnsdisc.to_url(url) == url_of(domain.lower())
    assert dnsdisc.from_url(dnsdisc.to_url(url)) == url


@given(st.binary(max_size=100).map(b"enrtree-root:v1 ".__add__) | damaged(with_signature(ROOT).encode()))
def test_a_root_that_was_not_signed_so_is_refused_with_wire_error(text: bytes) -> None:
    if text == with_signature(ROOT).encode():
        return
    with pytest.raises(WireError) as caught:
        dnsdisc.decode_root(text, KEY)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_a_change_to_any_character_of_a_root_is_detected() -> None:
    text = with_signature(ROOT)
    for at in range(len(text) - 1):  # the last one is of the byte that the next test is about
        for new in {*"A7-=e \n"} - {text[at]}:
            with pytest.raises(WireError):
                dnsdisc.decode_root((text[:at] + new + text[at + 1 :]).encode(), KEY)


def test_the_recovery_byte_of_a_signature_is_ignored_as_in_geth() -> None:
    text = with_signature(ROOT)
    root = dnsdisc.decode_root(text.encode(), KEY)
    assert [dnsdisc.decode_root((text[:-1] + last).encode(), KEY) for last in "AEIM"] == [root] * 4


def test_a_root_that_another_key_signed_is_refused() -> None:
    theirs = with_signature(ROOT, THEIRS)
    with pytest.raises(BadSignature, match="does not fit the root and the key of its URL"):
        dnsdisc.decode_root(theirs.encode(), KEY)


@pytest.mark.parametrize(
    "text", [RECORD, branch([HASH]), url_of("nodes.example")], ids=["record", "branch", "link"]
)
def test_a_change_to_any_byte_of_an_entry_is_detected(text: str) -> None:
    data, name = named(text)
    for at in range(len(data)):
        for flipped in (1, 32, 128):
            with pytest.raises(BadHash, match="has another hash than"):
                dnsdisc.decode_entry(data[:at] + bytes((data[at] ^ flipped,)) + data[at + 1 :], name)


@given(
    st.binary(max_size=120)
    | damaged(RECORD.encode())
    | damaged(branch([HASH, HASH]).encode())
    | damaged(url_of("nodes.example").encode())
)
def test_any_entry_that_is_vouched_for_decodes_or_raises_wire_error(text: bytes) -> None:
    name = base32(keccak256(text)[:16])
    try:
        entry = dnsdisc.decode_entry(text, name)
    except WireError as error:
        assert not isinstance(error, BadHash)
        assert str(error).isascii()
        assert str(error).isprintable()
    else:
        assert isinstance(entry, Branch | NodeRecord | TreeUrl)


@given(st.text(max_size=60) | st.text(max_size=30).map(URL.__add__))
def test_text_that_is_no_url_raises_wire_error(text: str) -> None:
    try:
        url = dnsdisc.from_url(text)
    except WireError as error:
        assert str(error).isascii()
        assert str(error).isprintable()
    else:
        assert url.domain.isascii()
        assert dnsdisc.from_url(dnsdisc.to_url(url)) == url


@pytest.mark.parametrize("size", range(12, 33))
def test_an_entry_may_stand_under_12_to_32_bytes_of_its_hash(size: int) -> None:
    name = base32(keccak256(RECORD.encode())[:size])
    assert isinstance(dnsdisc.decode_entry(RECORD.encode(), name), NodeRecord)
    other = base32(
        keccak256(RECORD.encode())[: size - 1] + bytes((keccak256(RECORD.encode())[size - 1] ^ 1,))
    )
    with pytest.raises(BadHash):
        dnsdisc.decode_entry(RECORD.encode(), other)


@pytest.mark.parametrize(
    ("text", "message"), [pytest.param(text, message, id=name) for name, text, message in MALFORMED_URLS]
)
def test_malformed_urls_are_refused_with_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(WireError, match=message):
        dnsdisc.from_url(text)


@pytest.mark.parametrize(
    ("text", "message"), [pytest.param(text, message, id=name) for name, text, message in MALFORMED_ROOTS]
)
def test_malformed_roots_are_refused_with_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(WireError, match=message) as caught:
        dnsdisc.decode_root(text.encode(), KEY)
    assert not isinstance(caught.value, BadSignature)


@pytest.mark.parametrize(
    ("text", "message"), [pytest.param(text, message, id=name) for name, text, message in MALFORMED_ENTRIES]
)
def test_malformed_entries_are_refused_with_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(WireError, match=message) as caught:
        dnsdisc.decode_entry(*named(text))
    assert not isinstance(caught.value, BadHash)


def test_the_longest_domain_leaves_room_for_the_longest_hash() -> None:
    domain = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 8}"
    assert len(dnsdisc.from_url(url_of(domain)).domain) == 200
    assert len(f"{base32(bytes(32))}.{domain}") == 253
