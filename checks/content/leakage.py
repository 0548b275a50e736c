"""How much of the speaker is left in frames: how well a fresh linear classifier names who spoke."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from voxrelay.checks.content.frames import Spoken

_FOLDS = 5
_MOST_FRAMES = 20_000


@dataclass(frozen=True)
class Leakage:
    """Balanced accuracies: from one frame, and from all frames of an utterance together; ``chance`` is 1/speakers."""

    frame: float
    utterance: float
    chance: float


def leak(spoken: list[Spoken]) -> Leakage:
    """Name the speaker by logistic regression; no sentence is in both training and test.

    Utterances must be of two speakers and five sentences at least.
    """
    step = -(-sum(len(one.frames) for one in spoken) // _MOST_FRAMES)
    frames = np.concatenate([one.frames[::step] for one in spoken])
    owner = np.concatenate([np.full(len(one.frames[::step]), index) for index, one in enumerate(spoken)])
    known = sorted({one.speaker for one in spoken})
    speaker = np.array([known.index(one.speaker) for one in spoken])
    sentences = sorted({one.sentence for one in spoken})
    sentence = np.array([sentences.index(one.sentence) for one in spoken])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, class_weight="balanced"))
    guessed = cross_val_predict(
        model, frames, speaker[owner], groups=sentence[owner], cv=GroupKFold(_FOLDS), method="predict_log_proba"
    )
    votes = np.stack([guessed[owner == index].sum(axis=0) for index in range(len(spoken))])
    return Leakage(
        float(balanced_accuracy_score(speaker[owner], guessed.argmax(axis=1))),
        float(balanced_accuracy_score(speaker, votes.argmax(axis=1))),
        1 / len(known),
    )
