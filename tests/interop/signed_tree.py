"""A signed list of nodes (EIP-1459) as its owner would publish it, built without the code that reads one."""

from __future__ import annotations

from base64 import b32encode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from coincurve import PrivateKey

from concentra.wire import enr
from concentra.wire.enr import NodeRecord
from concentra.wire.keccak import keccak256

OWNER = sha256(b"owner of the list").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTree:
    """A list as its URL, and the text at every name."""

    url: str
    domain: str
    texts: dict[str, str]
    """Text of each TXT record, by absolute name without the final dot."""


def signed_tree(
    records: Sequence[str],
    *,
    domain: str = "nodes.example",
    links: Sequence[str] = (),
    owner: bytes = OWNER,
    seq: int = 1,
    children: int = 13,
    hash_size: int = 16,
) -> SignedTree:
    """Return a list of `records` and `links`, given as texts; `children` is how many a branch has at most."""
    texts: dict[str, str] = {}

    def put(text: str) -> str:
        name = base32(keccak256(text.encode())[:hash_size])
        texts[f"{name}.{domain}"] = text
        return name

    def grow(leaves: Sequence[str]) -> str:
        if len(leaves) == 1:
            return put(leaves[0])
        names = [put(leaf) for leaf in leaves]
        while len(names) > children:
            groups = [names[at : at + children] for at in range(0, len(names), children)]
            names = [put(branch(group)) for group in groups]
        return put(branch(names))

    signed = f"enrtree-root:v1 e={grow(records)} l={grow(links)} seq={seq}"
    texts[domain] = with_signature(signed, owner)
    return SignedTree(url=url_of(domain, owner), domain=domain, texts=texts)


def branch(names: Sequence[str]) -> str:
    return "enrtree-branch:" + ",".join(names)


def with_signature(signed: str, owner: bytes = OWNER) -> str:
    signature = PrivateKey(owner).sign_recoverable(keccak256(signed.encode()), hasher=None)
    return f"{signed} sig={urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def url_of(domain: str, owner: bytes = OWNER) -> str:
    return f"enrtree://{base32(PrivateKey(owner).public_key.format(compressed=True))}@{domain}"


def base32(data: bytes) -> str:
    return b32encode(data).rstrip(b"=").decode()


def made_records(count: int) -> Iterator[NodeRecord]:
    """Return records of as many nodes, at documentation addresses; the same ones each time."""
    for number in range(count):
        secret = sha256(b"node %d" % number).digest()
        address = bytes((198, 51, 100, number % 256))
        port = (1024 + number).to_bytes(2, "big")
        yield enr.sign(secret, seq=1 + number, pairs={b"ip": address, b"tcp": port, b"udp": port})
