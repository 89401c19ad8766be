"""One file out of a Debian package, without dpkg."""

from __future__ import annotations

import io
import lzma
import tarfile

from concentra.attribution.errors import MalformedSource

MAX_UNPACKED = 512 * 1024 * 1024
"""libloc's package holds 50 MB; ten times that is a bomb, not a database."""

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60


def read_member(package: bytes, path: str) -> bytes:
    """Return the file that the package installs at `path`.

    Raises
    ------
    MalformedSource
        If `package` is no Debian package, is cut short, or does not hold `path`.
    """
    archive = _unpacked(_ar_member(package, b"data.tar.xz"))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as members:
            for member in members:
                if member.name.removeprefix("./") == path and member.isfile() and not member.issparse():
                    content = members.extractfile(member)
                    return b"" if content is None else content.read()
    except (tarfile.TarError, OverflowError, ValueError) as error:  # the last two: offsets beyond 64 bits
        raise MalformedSource("deb", f"data.tar.xz is damaged: {error}") from error
    raise MalformedSource("deb", f"the package installs no {path}")


def _unpacked(data: bytes) -> bytes:
    """Return the whole archive: in a stream, tarfile would read on towards any size that a header claims."""
    try:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        out = stream.decompress(data, MAX_UNPACKED)
    except lzma.LZMAError as error:
        raise MalformedSource("deb", f"data.tar.xz is damaged: {error}") from error
    if not stream.eof:
        raise MalformedSource(
            "deb", f"data.tar.xz is damaged: cut short, or larger than {MAX_UNPACKED} bytes"
        )
    return out


def _ar_member(package: bytes, wanted: bytes) -> bytes:
    """Return one member of an ar(5) archive, which is what a .deb is."""
    if not package.startswith(_AR_MAGIC):
        raise MalformedSource("deb", f"wanted a file that starts with {_AR_MAGIC!r}, found {package[:8]!r}")
    at = len(_AR_MAGIC)
    while at + _AR_HEADER <= len(package):
        name, size_field = package[at : at + 16].rstrip(b" /"), package[at + 48 : at + 58]
        if not size_field.strip().isdigit():
            break
        size = int(size_field)
        at += _AR_HEADER
        if name == wanted:
            if at + size > len(package):
                raise MalformedSource("deb", f"{wanted.decode()} is cut short")
            return package[at : at + size]
        at += size + size % 2
    raise MalformedSource("deb", f"no {wanted.decode()} inside")
