"""A list file as a whole: is it text, which file is it, and how far an import of it has come."""

import hashlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, IncrementalDecoder, getincrementaldecoder
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from streams.errors import Failed

CHUNK_BYTES: Final = 1_048_576
BEGINNING_BYTES: Final = 65_536
_SUFFIX: Final = ".import-progress"
_CONVERT: Final = "convert it first: iconv -f {} -t UTF-8"
_UTF_16: Final = f"is UTF-16, as Excel's Unicode text is: save it as CSV UTF-8, or {_CONVERT.format('UTF-16')}"
_KINDS: Final[Mapping[bytes, str]] = {
    BOM_UTF16_LE: _UTF_16,
    BOM_UTF16_BE: _UTF_16,
    b"\x1f\x8b": "is packed with gzip: unpack it first: gunzip",
    b"PK\x03\x04": "is a ZIP archive or a workbook of Excel: unpack it, or save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is a workbook of Excel: save it as CSV UTF-8",
}
"""How what is no text begins, and the rest of the sentence that says so."""


def check_beginning(file: BinaryIO, name: str) -> None:
    """Refuse a file whose beginning tells that it is no text that can be read; its first line may be read then.

    Raises:
        Failed: It is packed, a workbook, not UTF-8, or its lines end with CR alone; says what to do.

    """
    file.seek(0)
    beginning = file.read(BEGINNING_BYTES)
    file.seek(0)
    for magic, sentence in _KINDS.items():
        if beginning.startswith(magic):
            raise Failed(f"{name} {sentence}")
    _decode(getincrementaldecoder("utf-8")(), beginning, 1, name)
    first, _, _ = beginning.lstrip().partition(b"\n")
    if b"\r" in first.rstrip(b"\r"):
        raise Failed(f"the lines of {name} end with CR alone, as those of old Macs: convert it first: tr '\\r' '\\n'")


def check_text(file: BinaryIO, name: str) -> str:
    """Check that a file is UTF-8, all of it, before any of it is used; gives its SHA-256 (hex).

    Raises:
        Failed: It is not; the sentence names the line.

    """
    digest, decoder, number = hashlib.sha256(), getincrementaldecoder("utf-8")(), 1
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        _decode(decoder, chunk, number, name)
        number += chunk.count(b"\n")
    return digest.hexdigest()


def _decode(decoder: IncrementalDecoder, chunk: bytes, number: int, name: str) -> None:
    place = chunk.find(b"\0")
    if place >= 0:
        line = number + chunk.count(b"\n", 0, place)
        raise Failed(f"line {line} of {name} holds NUL bytes and is perhaps UTF-16: {_CONVERT.format('UTF-16LE')}")
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        line = number + chunk.count(b"\n", 0, error.start)
        perhaps = "not UTF-8 but perhaps Latin-1 or Windows-1252"
        raise Failed(f"line {line} of {name} is {perhaps}: {_CONVERT.format('WINDOWS-1252')}") from error


class Counts(msgspec.Struct):
    """What has become of the rows so far, by status and by reason."""

    rows: int = 0
    imported: dict[str, int] = {}
    unverified: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}


class Progress(msgspec.Struct):
    """How far an import has come: all before `offset` is on the broker. Holds no address.

    `what` names the import: file, tenant, format, destination and whatever else decides what is sent.
    """

    what: str
    offset: int = 0
    line: int = 0
    rejected_bytes: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)


class ProgressFile:
    """Keeps the progress beside the list, so that an import that was cut off can go on where it was."""

    def __init__(self, file: Path) -> None:
        """Take the list; nothing is written yet."""
        self.path = file.with_name(file.name + _SUFFIX)

    def read(self, what: str) -> Progress | None:
        """Give the progress of this very import; None where there is none, or it is of another one."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return found if found.what == what else None

    def write(self, progress: Progress) -> None:
        """Note the progress, all of it or nothing. Where the folder can't be written to, nothing is noted."""
        part = self.path.with_name(self.path.name + ".part")
        try:
            part.write_bytes(msgspec.json.encode(progress))
            part.replace(self.path)
        except OSError:
            return

    def remove(self) -> None:
        """Forget it: the import is done."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return
