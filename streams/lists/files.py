"""A list file as a whole: is it text, which file is it, and how far an import of it has come."""

import hashlib
from codecs import getincrementaldecoder
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from streams.errors import Failed

CHUNK_BYTES: Final = 1_048_576
_SUFFIX: Final = ".import-progress"


def check_text(file: BinaryIO, name: str) -> str:
    """Check that a file is UTF-8, all of it, before any of it is used; gives its SHA-256 (hex).

    Raises:
        Failed: It is not; the sentence names the line.

    """
    digest, decoder, number = hashlib.sha256(), getincrementaldecoder("utf-8")(), 1
    file.seek(0)
    beginning = file.read(2)
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            line = number + chunk.count(b"\n", 0, error.start)
            perhaps = "UTF-16" if beginning in (b"\xff\xfe", b"\xfe\xff") else "Latin-1 or Windows-1252"
            raise Failed(f"line {line} of {name} is not UTF-8 but perhaps {perhaps}: convert the file first") from error
        number += chunk.count(b"\n")
    return digest.hexdigest()


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
