"""Peers of pkg/ml/distance."""
import numpy as np
from driver import data, peer
from inputs import blobs


@data
def blobs5k50():
    return blobs(1, 5000, 50, 10, 3.0)


@data
def strings2k():
    """2,000 words of 40 to 80 letters and as many made of them by some twenty edits: codes of letters, then −1."""
    r = np.random.default_rng(11)
    words = [r.integers(97, 123, r.integers(40, 81)) for _ in range(2000)]
    tables = []
    for _ in range(2):
        tables.append(np.array([np.r_[w, np.full(80 - len(w), -1)] for w in words], dtype=float))
        words = [np.where(r.random(len(w)) < 0.3, r.integers(97, 123, len(w)), w)[r.random(len(w)) < 0.95] for w in words]
        words = [w if len(w) >= 40 else np.r_[w, r.integers(97, 123, 40 - len(w))] for w in words]
    return tuple(tables)


def cdist(rows, metric, **how):
    def fit(p):
        from scipy.spatial.distance import cdist as table
        return {"sum": table(p.x[:rows], p.x, metric, **how).sum()}
    return fit


peer("pairwise-euclidean", "scipy", "scipy.spatial.distance")(cdist(5000, "euclidean"))
peer("pairwise-manhattan", "scipy", "scipy.spatial.distance")(cdist(5000, "cityblock"))
peer("pairwise-minkowski3", "scipy", "scipy.spatial.distance")(cdist(2000, "minkowski", p=3))


@peer("edit-distance", "rapidfuzz", "rapidfuzz.process")
def edits(p):
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist as table
    a, b = (["".join(chr(int(v)) for v in row if v > 0) for row in words] for words in (p.x, p.y))
    return {"sum": table(a, b, scorer=Levenshtein.distance, workers=p.threads).sum()}
