"""Wordings: how rules recognise what a server says, in words rather than in characters."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MAX_CHARACTERS: Final = 4_096
"""How much of a diagnostic is looked at: eight reply lines of 512 octets (RFC 5321, 4.5.3.1.5)."""

# Mail addresses are names, not words: full.mailbox@ has not run out of space. The bounds keep it linear.
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"]{1,64}@[^\s<>()\[\],;:\"]{1,255}")
# Nor is the name of the server that spoke: mx.barracuda.example is not a blocklist.
_SERVER: Final = re.compile(r"\b(host|connect to) [^\s\[]{1,200}\.[^\s\[]{1,63}")
# Nor are the codes that a reply in several lines repeats, in the middle of its sentences.
_REPEATED_CODE: Final = re.compile(
    r"\b[45][0-9]{2}[- ][45]\.[0-9]\.[0-9]{1,3}\b|^[45][0-9]{2}[- ]", re.ASCII | re.MULTILINE
)
_WORD: Final = re.compile(r"[^\W_]+")
# Scripts without spaces between words (Thai, Lao, Khmer, Chinese, Japanese): letters are compared.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]")

_GAP: Final = "..."
_GAP_PATTERN: Final = r"(?:\S+ ){0,6}"


def words_of(text: str) -> str:
    """Give the words of a text in lower case, spaces between and around them; no addresses, no servers.

    Of a reply in several lines the sentences are whole: the codes at the beginning of its lines are left out.
    """
    text = text[:MAX_CHARACTERS].lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if "@" in text:
        text = _ADDRESS.sub(" ", text)
    if "host " in text or "connect to " in text:
        text = _SERVER.sub(r"\1 ", text)
    if "-5." in text or "-4." in text or "\n" in text:
        text = _REPEATED_CODE.sub(" ", text)
    return f" {' '.join(_WORD.findall(text))} "


class Wording:
    """A phrase such as `user unknown` or `mailbox ... full`, where `...` stands for up to six words.

    Words match as wholes: `unknown user` does not match `unknown users`. Case and punctuation do not matter.
    A phrase in a script without spaces matches anywhere.
    """

    __slots__ = ("_pattern", "_phrase", "key", "parts", "phrase")

    phrase: str
    key: str
    """A word, or two in a row, without which the wording can't match; "" when there is none to go by."""
    parts: tuple[str, ...]
    """What stands between the gaps, as it is compared."""

    def __init__(self, phrase: str) -> None:
        """Compile a phrase.

        Raises:
            ValueError: There is no word in it, or a gap at its beginning or end.

        """
        parts = [words_of(part) for part in phrase.split(_GAP)]
        if any(not part.strip() for part in parts):
            raise ValueError(f"{phrase!r} has no words where some are needed")
        self.phrase = phrase
        unspaced = _UNSPACED.search(phrase) is not None
        if unspaced:
            parts = [part.strip() for part in parts]
        self.parts = tuple(parts)
        self._phrase = parts[0]
        self._pattern = None
        if len(parts) > 1:
            gap = ".{0,40}?" if unspaced else _GAP_PATTERN
            # Each part ends with a space, so the next one begins with its word.
            self._pattern = re.compile(gap.join(map(re.escape, (parts[0], *map(str.lstrip, parts[1:])))))
        # Two words are rarer than one, however long; of single words the longest is the rarest, near enough.
        pairs = [" ".join(part.split()[:2]) for part in parts if len(part.split()) > 1]
        self.key = "" if unspaced else max(pairs or [part.strip() for part in parts], key=len)

    def matches(self, words: str) -> bool:
        """Say whether the phrase is among the words, as `words_of` gives them."""
        if self._pattern is None:
            return self._phrase in words
        return self._pattern.search(words) is not None

    def covers(self, other: "Wording") -> bool:
        """Say whether this one matches whatever the other one does; False too where that is not plain to see."""
        if len(self.parts) > 1:
            return self.parts == other.parts
        return any(self._phrase in part for part in other.parts)


def compile_wordings(phrases: Iterable[str]) -> tuple[Wording, ...]:
    """Compile phrases; raises ValueError as `Wording` does."""
    return tuple(Wording(phrase) for phrase in phrases)
