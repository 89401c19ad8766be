"""Node lists in DNS, EIP-1459 [1]_: a tree of TXT records, each named by its hash, under one signed root.

=============================================  ==================================================
``enrtree-root:v1 e=… l=… seq=… sig=…``        the root, at the domain itself
``enrtree-branch:…,…``                         a branch: the hashes of other entries
``enr:…``                                      a leaf: a node record
``enrtree://<key>@<domain>``                   a leaf: a link to another list, and the URL of a list
=============================================  ==================================================

Every entry but the root stands under the base32 of the beginning of its own hash. One signature therefore
vouches for the whole list, and whoever passes it on can hide an entry but not change one.

.. [1] https://github.com/ethereum/devp2p/blob/master/dnsdisc.md
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TypeAlias

from concentra.wire import enr, identity
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError, quoted
from concentra.wire.keccak import keccak256

# dnsdisc.md wants entries that fit into a datagram of 512 bytes. Nobody is made to keep to it, and TCP
# carries 64 KiB; this is room for a branch of 150 hashes.
MAX_SIZE = 4096

MIN_HASH_SIZE = 12  # dnsdisc.md says "abbreviated"; geth (p2p/dnsdisc/tree.go) takes 12 to 32 bytes
MAX_HASH_SIZE = 32
MAX_SEQ = 2**64 - 1

# A name has at most 253 characters (RFC 1035, section 2.3.4, without the last dot), and the longest hash
# takes 52 of them and a dot. Shorter domains leave every entry a name.
MAX_DOMAIN_SIZE = 253 - 53
MAX_LABEL_SIZE = 63

ROOT_PREFIX = "enrtree-root:"
BRANCH_PREFIX = "enrtree-branch:"
URL_PREFIX = "enrtree://"
ENTRY_PREFIXES = tuple(prefix.encode("ascii") for prefix in (BRANCH_PREFIX, URL_PREFIX, enr.PREFIX))

_ROOT = re.compile(
    r"enrtree-root:v1 e=([A-Z2-7]+) l=([A-Z2-7]+) seq=(0|[1-9][0-9]{0,19}) sig=([A-Za-z0-9_-]+)"
)
_BASE32 = re.compile(r"[A-Z2-7]+")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]+(?<!-)")


class BadSignature(WireError):
    """A root was not signed by the key in the URL of its list."""


class BadHash(WireError):
    """An entry does not have the hash that it stands under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeUrl:
    """Where a list is and who signs it; equal URLs mean one list."""

    public_key: bytes
    """x || y, 64 bytes, a point on the curve."""
    domain: str
    """Lower-case name without a final dot, at most 200 characters; a name that DNS can be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What the owner of a list signed; built by `decode_root`, which verifies it."""

    records: str
    """Name of the entry under which the node records stand: the base32 of a hash."""
    links: str
    """The same for links to other lists."""
    seq: int
    """Sequence number, 64 bits; it should grow with every update of the list."""


@dataclass(frozen=True, slots=True)
class Branch:
    """An entry that only leads on."""

    children: tuple[str, ...]
    """Names of other entries, each the base32 of a hash; there may be none."""


Entry: TypeAlias = Branch | NodeRecord | TreeUrl


def from_url(text: str) -> TreeUrl:
    """Return the list that an ``enrtree://`` URL means.

    Parameters
    ----------
    text : str
        The URL: the compressed key in base32, ``@`` and a domain name in ASCII, where names of other
        scripts have their ``xn--`` form. It is untrusted.

    Returns
    -------
    TreeUrl
        The domain is put into lower case, since DNS does not distinguish it.

    Raises
    ------
    WireError
        If the text is no such URL, the key is not on the curve, or the domain is no name that could be
        asked for: a label is empty, longer than 63 or of other characters, the last one is a number as
        in an IPv4 address, or the whole leaves no room for a hash.

    Examples
    --------
    The link in the example of the specification:

    >>> key = "AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2"
    >>> from_url(f"enrtree://{key}@MoreNodes.example.org").domain
    'morenodes.example.org'
    >>> from_url(f"enrtree://{key}@nodes..example")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: domain 'nodes..example' has an empty label
    """
    if not text.startswith(URL_PREFIX):
        raise WireError(f"URL of a node list begins with {quoted(text[:10])}, wanted {URL_PREFIX!r}")
    if len(text) > MAX_SIZE:
        raise WireError(f"URL of a node list has {len(text)} characters, wanted at most {MAX_SIZE}")
    key, at, domain = text.removeprefix(URL_PREFIX).partition("@")
    if not at:
        raise WireError("URL of a node list has no key before an @")
    compressed = _from_base32(key, "key")
    if len(compressed) != identity.COMPRESSED_SIZE or _to_base32(compressed) != key:
        raise WireError(f"key {quoted(key)} is not the base32 of {identity.COMPRESSED_SIZE} bytes")
    public_key = identity.coordinates(identity.parse_key(compressed))
    return TreeUrl(public_key=public_key, domain=_domain(domain))


def to_url(url: TreeUrl) -> str:
    """Return the ``enrtree://`` URL of a list; the inverse of `from_url`."""
    compressed = identity.parse_key(url.public_key).format(compressed=True)
    return f"{URL_PREFIX}{_to_base32(compressed)}@{url.domain}"


def decode_root(text: bytes, public_key: bytes) -> Root:
    """Return the root that `text` holds, its signature verified.

    Parameters
    ----------
    text : bytes
        A whole TXT record, its strings joined. It is untrusted.
    public_key : bytes, 64
        The key of the URL under which the list is known.

    Returns
    -------
    Root
        Signed by `public_key`. As in geth, the last of the 65 bytes of the signature, from which the key
        could be recovered, says nothing: the key is known.

    Raises
    ------
    BadSignature
        If another key signed it, or it was changed after that.
    WireError
        If it has another form.

    Examples
    --------
    The root in the example of the specification, and the key that signed it:

    >>> owned = from_url("enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@nodes.example")
    >>> text = (
    ...     b"enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=1 sig="
    ...     b"o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA"
    ... )
    >>> decode_root(text, owned.public_key).records
    'JWXYDBPXYWG6FX3GMDIBFA6CJ4'
    >>> decode_root(text.replace(b"seq=1", b"seq=2"), owned.public_key)
    Traceback (most recent call last):
    concentra.wire.dnsdisc.BadSignature: signature does not fit the root and the key of its URL
    """
    line = _line(text)
    found = _ROOT.fullmatch(line)
    if found is None:
        raise WireError(f"root is {quoted(line)}, wanted {ROOT_PREFIX}v1 with e, l, seq and sig")
    records, links, digits, signature = found.groups()
    for name in (records, links):
        hash_of_name(name)
    seq = int(digits)
    if seq > MAX_SEQ:
        raise WireError(f"sequence number {digits} has more than 64 bits")
    signed = text[: found.start(4) - len(" sig=")]
    key = identity.parse_key(public_key)
    if not identity.is_signed_by(key, _signature(signature), signed):
        raise BadSignature("signature does not fit the root and the key of its URL")
    return Root(records=records, links=links, seq=seq)


def decode_entry(text: bytes, name: str) -> Entry:
    r"""Return the entry that `text` holds, its hash verified.

    Parameters
    ----------
    text : bytes
        A whole TXT record, its strings joined. It is untrusted.
    name : str
        The base32 under which it stands, from the root or a branch that was verified.

    Returns
    -------
    Branch, NodeRecord or TreeUrl
        Which of them may stand where is for the caller to check. A record is valid by itself.

    Raises
    ------
    BadHash
        If its hash does not begin with what `name` stands for.
    WireError
        If it has that hash and still is no entry.

    Examples
    --------
    >>> decode_entry(b"enrtree-branch:", "FDXN3SN67NA5DKA4J2GOK7BVQI")
    Branch(children=())
    >>> decode_entry(b"enrtree-branch:\n", "FDXN3SN67NA5DKA4J2GOK7BVQI")
    Traceback (most recent call last):
    concentra.wire.dnsdisc.BadHash: b'enrtree-branch:\n' has another hash than 'FDXN3SN67NA5DKA4J2GOK7BVQI'
    """
    if not has_hash(text, name):
        raise BadHash(f"{quoted(text)} has another hash than {quoted(name)}")
    line = _line(text)
    if line.startswith(BRANCH_PREFIX):
        return _branch(line.removeprefix(BRANCH_PREFIX))
    if line.startswith(URL_PREFIX):
        return from_url(line)
    if line.startswith(enr.PREFIX):
        return enr.from_text(line)
    raise WireError(f"entry is {quoted(line)}, wanted a branch, a link or a node record")


def has_hash(text: bytes, name: str) -> bool:
    """Return whether the hash of `text` begins with the bytes whose base32 is `name`."""
    return keccak256(text).startswith(hash_of_name(name))


def hash_of_name(name: str) -> bytes:
    """Return the 12 to 32 bytes, the beginning of a hash, whose base32 is `name`.

    As in geth, bits of the last character that belong to no byte are ignored, so 16 names may mean one
    hash, and an entry is known by its hash.

    Raises
    ------
    WireError
        If it is no base32, or stands for fewer or more bytes.

    Examples
    --------
    >>> hash_of_name("AAAAAAAAAAAAAAAAAAAA") == hash_of_name("AAAAAAAAAAAAAAAAAAAB") == bytes(12)
    True
    """
    found = _from_base32(name, "hash")
    if not MIN_HASH_SIZE <= len(found) <= MAX_HASH_SIZE:
        raise WireError(f"hash has {len(found)} bytes, wanted {MIN_HASH_SIZE} to {MAX_HASH_SIZE}")
    return found


def _branch(names: str) -> Branch:
    if not names:  # geth signs a list without links so
        return Branch(())
    children = tuple(names.split(","))
    for name in children:
        hash_of_name(name)
    return Branch(children)


def _domain(text: str) -> str:
    if len(text) > MAX_DOMAIN_SIZE:
        raise WireError(f"domain has {len(text)} characters, wanted at most {MAX_DOMAIN_SIZE}")
    labels = text.split(".")
    for label in labels:
        if not label:
            raise WireError(f"domain {quoted(text)} has an empty label")
        if len(label) > MAX_LABEL_SIZE:
            raise WireError(
                f"domain {quoted(text)} has a label of {len(label)} characters, wanted at most 63"
            )
        if not _LABEL.fullmatch(label):
            raise WireError(f"domain {quoted(text)} has characters that no domain has")
    if labels[-1].isdigit():
        raise WireError(f"domain {quoted(text)} ends in a number, as an IPv4 address does")
    return text.lower()


def _line(text: bytes) -> str:
    if len(text) > MAX_SIZE:
        raise WireError(f"entry has {len(text)} bytes, wanted at most {MAX_SIZE}")
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:  # from None: the cause quotes the text as it is
        raise WireError(f"entry {quoted(text)} is not ASCII") from None


def _signature(text: str) -> bytes:
    """Return r || s, 64 bytes."""
    padded = text + "=" * (-len(text) % 4)
    try:
        signature = urlsafe_b64decode(padded)
    except ValueError:
        raise WireError("signature is not base64url") from None
    if len(signature) != identity.RECOVERABLE_SIZE or urlsafe_b64encode(signature) != padded.encode("ascii"):
        raise WireError(f"signature is not the base64url of {identity.RECOVERABLE_SIZE} bytes")
    return signature[: identity.SIGNATURE_SIZE]


def _from_base32(text: str, what: str) -> bytes:
    # Checked before, since Python's decoder would take padding in the text for padding.
    if not _BASE32.fullmatch(text):
        raise WireError(f"{what} {quoted(text)} is not base32")
    try:
        return b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raise WireError(f"{what} of {len(text)} characters is the base32 of no bytes") from None


def _to_base32(data: bytes) -> str:
    return b32encode(data).rstrip(b"=").decode("ascii")
