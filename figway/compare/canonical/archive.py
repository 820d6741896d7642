"""Archives by what they hold: ZIP, tar and gzip members by name, without their times.

Not compared: times, how members are packed, owners and the padding between them. Compared: names,
their order, contents by their own format, comments, and in tar what kind of entry and mode it is.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

from figway.compare.canonical.elements import ORDER
from figway.compare.canonical.json import Blob, NotThisFormat, Order, Value, members
from figway.compare.limits import Budget, CompareError

_MOST_MEMBERS = 2000
_HIDDEN = 0x1

ReadFile = Callable[[str, bytes], Value]
"""(name, content) -> its canonical form."""


def parse_zip(data: bytes, budget: Budget, most: int, read_file: ReadFile) -> Value:
    """The files of a ZIP by name; `most` bounds the bytes of all of them together.

    Raises:
        NotThisFormat: it is no ZIP, or a member is broken.
        CompareError: `too_large`, or of reading a member.
    """
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_number(len(infos))
            found = []
            for info in infos:
                content: Value
                if info.flag_bits & _HIDDEN:
                    content = f"encrypted, {info.file_size} bytes, crc {info.CRC:08x}"
                else:
                    with archive.open(info) as member:
                        plain = member.read(most + 1)
                    most -= len(plain)
                    if most < 0:
                        raise CompareError("too_large", "the files of an archive")
                    budget.spend(10 + len(plain) // 64)
                    content = None if info.is_dir() else read_file(info.filename, plain)
                found.append((info.filename, content))
            return _files(found, archive.comment)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise NotThisFormat(f"not a ZIP: {error}"[:200]) from error


def parse_tar(data: bytes, budget: Budget, most: int, read_file: ReadFile) -> Value:
    """The entries of a tar by name. Its size bounds them.

    Raises:
        NotThisFormat: it is no tar.
        CompareError: `too_large`, or of reading an entry.
    """
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            found: list[tuple[str, Value]] = []
            for entry in archive:
                _check_number(len(found) + 1)
                budget.spend(10 + entry.size // 64)
                value: dict[str, Value] = {"mode": f"{entry.mode & 0o7777:o}"}
                if entry.isreg():
                    file = archive.extractfile(entry)
                    plain = file.read(most + 1) if file else b""
                    most -= len(plain)
                    if most < 0:
                        raise CompareError("too_large", "the entries of an archive")
                    value["content"] = read_file(entry.name, plain)
                else:
                    value |= {"kind": entry.type.decode("latin-1"), "target": entry.linkname}
                found.append((entry.name, value))
            return _files(found, b"")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise NotThisFormat(f"not a tar: {error}"[:200]) from error


def gzip_name(data: bytes) -> str:
    """The file name in a gzip header (RFC 1952 section 2.3), or empty."""
    if len(data) < 10 or not data[3] & 0x08:
        return ""
    at = 10
    if data[3] & 0x04:
        at += 2 + int.from_bytes(data[10:12], "little")
    return data[at : data.find(b"\0", at)].decode("latin-1")


def _check_number(number: int) -> None:
    if number > _MOST_MEMBERS:
        raise CompareError("too_large", f"more than {_MOST_MEMBERS} files in an archive")


def _files(found: list[tuple[str, Value]], comment: bytes) -> Value:
    files = members(found)
    files[ORDER] = Order(name for name, _ in found)
    if comment:
        files["comment()"] = Blob(comment)
    return files
