"""How much of the speaker is left in frames: how well a fresh linear classifier names who spoke."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from voxrelay.checks.content.frames import Floats, Spoken

Labels = NDArray[np.intp]

_FOLDS = 5
_MOST_FRAMES = 20_000


@dataclass(frozen=True)
class Leakage:
    """Balanced accuracies; ``chance`` is 1/speakers.

    ``frame``: from one frame; ``utterance``: from the mean and the spread of each feature over an utterance.
    """

    frame: float
    utterance: float
    chance: float


def leak(spoken: list[Spoken]) -> Leakage:
    """Name the speaker by logistic regression; no sentence is in both training and test.

    Utterances must be of two speakers and five sentences at least.
    """
    known = sorted({one.speaker for one in spoken})
    sentences = sorted({one.sentence for one in spoken})
    speaker = np.array([known.index(one.speaker) for one in spoken])
    sentence = np.array([sentences.index(one.sentence) for one in spoken])
    step = -(-sum(len(one.frames) for one in spoken) // _MOST_FRAMES)
    frames = np.concatenate([one.frames[::step] for one in spoken])
    owner = np.concatenate([np.full(len(one.frames[::step]), index) for index, one in enumerate(spoken)])
    pooled = np.stack([np.concatenate([one.frames.mean(axis=0), one.frames.std(axis=0)]) for one in spoken])
    return Leakage(_named(frames, speaker[owner], sentence[owner]), _named(pooled, speaker, sentence), 1 / len(known))


def _named(features: Floats, speaker: Labels, sentence: Labels) -> float:
    """Return how many of the features' speakers are named, cross-validated over sentences."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, class_weight="balanced"))
    named = cross_val_predict(model, features, speaker, groups=sentence, cv=GroupKFold(_FOLDS))
    return float(balanced_accuracy_score(speaker, named))
