"""How well embeddings fall into speakers: clusterings held against the truth, and verification of pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, roc_curve, silhouette_score

Floats = NDArray[np.floating]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Clustering:
    """Clusters, as many as there are speakers, and how they agree with them.

    ``purity``: share of utterances whose cluster's commonest speaker is their own. ``ari``: the adjusted
    Rand index, 0 for chance and 1 for agreement. ``silhouette`` of the clusters themselves, in cosine
    distance, from -1 to 1.
    """

    name: str
    clusters: Labels
    purity: float
    ari: float
    silhouette: float


@dataclass(frozen=True)
class Verification:
    """All pairs of utterances, and the threshold at which both errors are equally frequent.

    ``similarity`` [pairs] are cosines, ``same`` [pairs] tells whether one speaker said both.
    """

    similarity: Floats
    same: NDArray[np.bool_]
    eer: float
    threshold: float


def agglomerate(embeddings: Floats, speakers: Labels) -> Clustering:
    """Cluster by average linkage of cosine distances."""
    count = speakers.max() + 1
    found = AgglomerativeClustering(count, metric="cosine", linkage="average").fit_predict(embeddings)
    return _score("agglomerative", found, embeddings, speakers)


def k_means(embeddings: Floats, speakers: Labels) -> Clustering:
    """Cluster by k-means, the best of ten starts; the same embeddings give the same clusters."""
    found = KMeans(speakers.max() + 1, n_init=10, random_state=0).fit_predict(embeddings)
    return _score("k-means", found, embeddings, speakers)


def verify(embeddings: Floats, speakers: Labels) -> Verification:
    """Compare every utterance with every other."""
    first, second = np.triu_indices(len(embeddings), 1)
    similarity = (embeddings @ embeddings.T)[first, second]
    same = speakers[first] == speakers[second]
    accepted, found, thresholds = roc_curve(same, similarity)
    missed = 1 - found
    at = np.abs(accepted - missed).argmin()
    return Verification(similarity, same, float((accepted[at] + missed[at]) / 2), float(thresholds[at]))


def contingency(clustering: Clustering, speakers: Labels) -> NDArray[np.intp]:
    """Count utterances: [speakers, clusters], clusters in the order of the speakers they hold most of."""
    counts = np.zeros((speakers.max() + 1, clustering.clusters.max() + 1), dtype=np.intp)
    np.add.at(counts, (speakers, clustering.clusters), 1)
    ordered: NDArray[np.intp] = counts[:, np.argsort(counts.argmax(axis=0), kind="stable")]
    return ordered


def _score(name: str, clusters: Labels, embeddings: Floats, speakers: Labels) -> Clustering:
    counts = np.zeros((clusters.max() + 1, speakers.max() + 1))
    np.add.at(counts, (clusters, speakers), 1)
    purity = float(counts.max(axis=1).sum() / len(speakers))
    ari = float(adjusted_rand_score(speakers, clusters))
    return Clustering(name, clusters, purity, ari, float(silhouette_score(embeddings, clusters, metric="cosine")))
