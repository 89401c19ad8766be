"""Packages as deb(5) describes them: an ar archive of debian-binary, control.tar and data.tar.xz."""

import io
import lzma
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters import debian_package
from concentra.adapters.debian_package import read_member
from concentra.attribution.errors import MalformedSource

PATH = "usr/share/example/location.db"
CONTENT = b"LOCDBXX\x01" + bytes(range(256)) * 4


def tar_xz(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def file(name: str, content: bytes = CONTENT) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def link(name: str, kind: bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def ar(*members: tuple[str, bytes]) -> bytes:
    """Return an ar(5) archive; members start at even bytes."""
    return b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{0o100644:<8o}{len(content):<10}`\n".encode()
        + content
        + b"\n" * (len(content) % 2)
        for name, content in members
    )


def deb(*members: tuple[tarfile.TarInfo, bytes], control: bytes = b"odd") -> bytes:
    return ar(("debian-binary", b"2.0\n"), ("control.tar.xz", control), ("data.tar.xz", tar_xz(*members)))


PACKAGE = deb(file("./usr/share/doc/copyright", b"CC BY-SA 4.0"), file(f"./{PATH}"))


@pytest.mark.parametrize(
    "package",
    [
        pytest.param(PACKAGE, id="dot-slash"),
        pytest.param(deb(file(PATH)), id="no-dot-slash"),
        pytest.param(deb(file(f"./{PATH}"), control=b"even"), id="even-member-before"),
        pytest.param(ar(("data.tar.xz/", tar_xz(file(f"./{PATH}")))), id="name-with-slash-as-gnu-ar-writes"),
    ],
)
def test_member_is_read(package: bytes) -> None:
    assert read_member(package, PATH) == CONTENT


def test_an_empty_file_is_a_file() -> None:
    assert read_member(deb(file(PATH, b"")), PATH) == b""


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        pytest.param(b"", "starts with", id="nothing"),
        pytest.param(b"<!DOCTYPE html>", "starts with", id="error-page"),
        pytest.param(b"!<arch>\n", "no data.tar.xz", id="empty-archive"),
        pytest.param(
            ar(("debian-binary", b"2.0\n"), ("data.tar.zst", b"")), "no data.tar.xz", id="other-compression"
        ),
        pytest.param(ar(("data.tar.xz", b"")), "damaged", id="empty-data"),
        pytest.param(ar(("data.tar.xz", b"not xz")), "damaged", id="data-is-not-xz"),
        pytest.param(
            ar(("data.tar.xz", lzma.compress(b"not tar"))), "damaged|installs no", id="data-is-not-tar"
        ),
        pytest.param(PACKAGE.replace(b"2.0\n", b"2.0", 1), "no data.tar.xz", id="headers-out-of-step"),
        pytest.param(b"!<arch>\n" + b"x" * 200, "no data.tar.xz", id="size-is-no-number"),
        pytest.param(deb(), "installs no usr/share", id="nothing-installed"),
        pytest.param(deb(file("usr/share/example/other.db")), "installs no usr/share", id="another-file"),
    ],
)
def test_malformed(package: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason):
        read_member(package, PATH)


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(file(f"../{PATH}"), id="parent-directory"),
        pytest.param(file(f"/{PATH}"), id="absolute"),
        pytest.param(file(f"usr/share/../share/{PATH.removeprefix('usr/share/')}"), id="way-around"),
        pytest.param(link(PATH, tarfile.SYMTYPE, "/etc/hostname"), id="symbolic-link"),
        pytest.param(link(PATH, tarfile.LNKTYPE, "../../etc/hostname"), id="hard-link"),
        pytest.param(link(PATH, tarfile.DIRTYPE, ""), id="directory"),
        pytest.param(link(PATH, tarfile.FIFOTYPE, ""), id="fifo"),
        pytest.param(link(PATH, tarfile.GNUTYPE_SPARSE, ""), id="sparse-file"),
    ],
)
def test_only_a_plain_file_of_that_very_name_is_read(member: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(MalformedSource, match="installs no"):
        read_member(deb(member), PATH)


def test_a_package_that_is_cut_anywhere_is_malformed() -> None:
    for cut in range(len(PACKAGE) - 1):
        with pytest.raises(MalformedSource):
            read_member(PACKAGE[:cut], PATH)


def test_a_download_that_was_cut_is_called_so() -> None:
    with pytest.raises(MalformedSource, match=r"data\.tar\.xz is cut short"):
        read_member(PACKAGE[:-20], PATH)


def test_a_tar_that_is_cut_anywhere_before_the_end_of_the_file_is_malformed() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member, content = file(PATH)
        archive.addfile(member, io.BytesIO(content))
    for cut in range(0, 512 + len(CONTENT), 37):
        with pytest.raises(MalformedSource):
            read_member(ar(("data.tar.xz", lzma.compress(out.getvalue()[:cut]))), PATH)


def test_archives_are_unpacked_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_package, "MAX_UNPACKED", 20_480)
    assert read_member(deb(file(PATH)), PATH) == CONTENT  # tar writes records of 10,240 bytes
    with pytest.raises(MalformedSource, match="larger than 20480 bytes"):
        read_member(deb(file("usr/share/bomb", bytes(30_000)), file(PATH)), PATH)


def with_header(field: slice, value: bytes) -> bytes:
    """Return a package whose first file has another header, and a checksum to go with it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member, content in (file("usr/share/first"), file(PATH)):
            archive.addfile(member, io.BytesIO(content))
    data = bytearray(out.getvalue())
    data[field] = value
    data[148:156] = f"{sum(data[:148]) + 8 * 32 + sum(data[156:512]):06o}\0 ".encode()
    return ar(("data.tar.xz", lzma.compress(bytes(data))))


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(b"\x80" + bytes(3) + b"\x01" + bytes(7), id="64-bits"),
        pytest.param(b"\x80\x01" + bytes(10), id="80-bits"),
        pytest.param(b"\xff" * 11 + b"\x00", id="negative"),
        pytest.param(b"77777777777\0", id="8-gigabytes"),
        pytest.param(b"99999999999\0", id="not-octal"),
    ],
)
def test_a_size_that_no_archive_has_ends_the_search_at_once(size: bytes) -> None:
    assert read_member(with_header(slice(124, 124), b""), PATH) == CONTENT
    with pytest.raises(MalformedSource):
        read_member(with_header(slice(124, 136), size), PATH)


@given(st.lists(st.tuples(st.integers(0, len(PACKAGE) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes_are_read_or_malformed(damage: list[tuple[int, int]]) -> None:
    data = bytearray(PACKAGE)
    for at, value in damage:
        data[at] = value
    try:
        assert read_member(bytes(data), PATH) == CONTENT  # xz checks its content
    except MalformedSource as error:
        assert error.source == "deb"


@given(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_tar_headers_are_read_or_malformed(damage: list[tuple[int, int]]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member, content = file(PATH)
        archive.addfile(member, io.BytesIO(content))
    data = bytearray(out.getvalue())
    for at, value in damage:
        data[at] = value
    checked = sum(data[:148]) + 8 * 32 + sum(data[156:512])
    data[148:156] = f"{checked:06o}\0 ".encode()  # the checksum is right, so the damage is looked at
    try:
        assert isinstance(read_member(ar(("data.tar.xz", lzma.compress(bytes(data), preset=0))), PATH), bytes)
    except MalformedSource as error:
        assert error.source == "deb"
