"""Who is converted to whom: pairs of a source utterance and a target voice, drawn by a seed."""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadInputError

LONGEST = 2  # times the least length of a reference, at which it is cut
_SOURCE_SECONDS = (2.0, 15.0)  # a shorter utterance has too few words to be judged by
_SEXES = {"MF": "male to female", "FM": "female to male", "MM": "same sex", "FF": "same sex"}

Speaker = tuple[str, str]


@dataclass(frozen=True)
class Pair:
    """One conversion to be made; no recording is in two roles.

    ``others`` are recordings of the target that are not in the reference, as many seconds of them; there
    may be none.
    """

    name: str
    group: str
    source: Utterance
    reference: tuple[Utterance, ...]
    others: tuple[Utterance, ...]

    @property
    def target(self) -> Speaker:
        """Corpus and speaker of the target."""
        return self.reference[0].corpus, self.reference[0].speaker


def draw(recordings: Sequence[Utterance], count: int, seed: int, seconds: float) -> list[Pair]:
    """Draw pairs: male to female, female to male and same sex in turn, each couple of speakers as often.

    Where there are several corpora, source and target are of two of them, so that nothing but
    the voice is the same.

    Args:
        recordings: of two speakers at least.
        count: how many pairs.
        seed: the same seed draws the same pairs.
        seconds: of a reference, at least; short recordings are joined.

    Raises:
        BadInputError: all recordings are of one speaker.

    """
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    speakers = by_speaker(recordings)
    couples = {group: _endless(members, dice) for group, members in sorted(_couples(speakers).items())}
    if not couples:
        raise BadInputError("recordings of one speaker alone make no pair", hint="bring those of two or more")
    turns = itertools.islice(itertools.cycle(couples.items()), count)
    return [_pair(i, group, next(several), speakers, dice, seconds) for i, (group, several) in enumerate(turns)]


def by_speaker(recordings: Sequence[Utterance]) -> dict[Speaker, list[Utterance]]:
    """Sort recordings by corpus and speaker."""
    speakers = defaultdict(list)
    for recording in recordings:
        speakers[recording.corpus, recording.speaker].append(recording)
    return dict(speakers)


def take(recordings: Sequence[Utterance], seconds: float) -> tuple[Utterance, ...]:
    """Take recordings from the front until they last ``seconds``."""
    total, taken = 0.0, []
    for recording in recordings:
        if total >= seconds:
            break
        taken.append(recording)
        total += recording.seconds
    return tuple(taken)


def _couples(speakers: dict[Speaker, list[Utterance]]) -> dict[str, list[tuple[Speaker, Speaker]]]:
    across = len({corpus for corpus, _ in speakers}) > 1
    groups = defaultdict(list)
    for source, target in itertools.permutations(speakers, 2):
        if not across or source[0] != target[0]:
            sexes = speakers[source][0].sex + speakers[target][0].sex
            groups[_SEXES.get(sexes, "any")].append((source, target))
    return groups


def _endless(couples: list[tuple[Speaker, Speaker]], dice: random.Random) -> Iterator[tuple[Speaker, Speaker]]:
    while True:
        yield from dice.sample(couples, len(couples))


def _pair(
    index: int,
    group: str,
    couple: tuple[Speaker, Speaker],
    speakers: dict[Speaker, list[Utterance]],
    dice: random.Random,
    seconds: float,
) -> Pair:
    said, voices = (speakers[speaker] for speaker in couple)
    shortest, longest = _SOURCE_SECONDS
    source = dice.choice([one for one in said if shortest <= one.seconds <= longest] or said)
    # Parallel corpora name a sentence alike for everybody: the target must not be heard saying it.
    rest = [one for one in dice.sample(voices, len(voices)) if one.path.stem != source.path.stem] or voices
    reference = take(rest, seconds)
    others = take(rest[len(reference) :], seconds)
    return Pair(f"{index + 1:03}-{couple[0][1]}-{couple[1][1]}", group, source, reference, others)
