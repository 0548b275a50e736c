"""Everything that is found out about a set of embeddings, before it is drawn and written."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from voxrelay.checks.speakers import notable
from voxrelay.checks.speakers.clusters import Clustering, Verification, agglomerate, k_means, verify

_PERPLEXITY = 30.0


@dataclass(frozen=True)
class Study:
    """Utterances of speakers who have two or more each.

    ``embeddings`` float32 [utterances, dimensions] of unit norm; ``files``, ``names`` and ``sexes`` of
    their recordings and speakers, by utterance.
    """

    embeddings: NDArray[np.float32]
    files: list[str]
    names: list[str]
    sexes: list[str]

    @cached_property
    def known(self) -> list[str]:
        """The speakers, those of one sex beside each other."""
        return [name for _sex, name in sorted({(sex, name) for name, sex in zip(self.names, self.sexes, strict=True)})]

    @cached_property
    def speakers(self) -> NDArray[np.intp]:
        """Number of each utterance's speaker among ``known``."""
        return np.array([self.known.index(name) for name in self.names])

    @cached_property
    def agglomerative(self) -> Clustering:
        """Clusters by average linkage."""
        return agglomerate(self.embeddings, self.speakers)

    @cached_property
    def k_means(self) -> Clustering:
        """Clusters by k-means."""
        return k_means(self.embeddings, self.speakers)

    @cached_property
    def verification(self) -> Verification:
        """All pairs."""
        return verify(self.embeddings, self.speakers)

    @cached_property
    def placement(self) -> notable.Placement:
        """Every utterance among the centres."""
        return notable.place(self.embeddings, self.speakers)

    @cached_property
    def extremes(self) -> list[int]:
        """The most typical utterance of each speaker."""
        return notable.extremes(self.placement, self.speakers)

    @cached_property
    def boundary(self) -> list[int]:
        """The utterances nearest to another speaker."""
        return notable.boundary(self.placement)

    @cached_property
    def pca(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The two directions of most variance: [utterances, 2], and their shares of all variance."""
        fitted = PCA(2, random_state=0)
        flat = fitted.fit_transform(self.embeddings)
        return flat, fitted.explained_variance_ratio_

    @cached_property
    def tsne(self) -> NDArray[np.float64]:
        """Neighbourhoods by t-SNE in cosine distance: [utterances, 2]."""
        perplexity = min(_PERPLEXITY, (len(self.names) - 1) / 3)
        fitted = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0)
        flat: NDArray[np.float64] = fitted.fit_transform(self.embeddings)
        return flat

    def sex(self, speaker: int) -> str:
        """Return F, M or nothing."""
        return self.sexes[self.names.index(self.known[speaker])]
