"""Peers of pkg/ml/manifold."""
import numpy as np
from driver import data, peer
from inputs import digits


@data
def digits600():
    x, y = digits()
    return x[:600], y[:600]


@data
def swiss2k():
    r = np.random.default_rng(6)
    t = 1.5 * np.pi * (1 + 2 * r.random(2000))
    return np.c_[t * np.cos(t), 21 * r.random(2000), t * np.sin(t)], t


@peer("mds-classical", "scikit-learn", "sklearn.manifold")
def mds_classical(p):
    from sklearn.manifold import ClassicalMDS
    return {"sum of eigenvalues": ClassicalMDS(2).fit(p.x).eigenvalues_.sum()}


@peer("mds-metric", "scikit-learn", "sklearn.manifold")
def mds_metric(p):
    from sklearn.manifold import MDS
    m = MDS(2, n_init=1, init="classical_mds", max_iter=200, eps=1e-6, normalized_stress=False).fit(p.x)
    return {"raw stress": m.stress_}


@peer("mds-nonmetric", "scikit-learn", "sklearn.manifold")
def mds_nonmetric(p):
    from sklearn.manifold import MDS
    m = MDS(2, metric_mds=False, n_init=1, init="classical_mds", max_iter=200, eps=1e-6, normalized_stress=True).fit(p.x)
    return lambda: {"stress-1": stress1(p.x, m.embedding_)}


def stress1(x, z):
    """Kruskal's stress-1 of a map, with the disparities that are best for it."""
    from scipy.spatial.distance import pdist
    from sklearn.isotonic import IsotonicRegression
    delta, d = pdist(x), pdist(z)
    order = np.lexsort((d, delta))  # of equal dissimilarities the nearer pair first: ties are free
    fit = IsotonicRegression().fit_transform(np.arange(len(d)), d[order])
    size = (d[order] @ fit) / (d @ d)  # the map's best
    return np.sqrt(((size * d[order] - fit) ** 2).sum() / (fit @ fit))


@peer("isomap", "scikit-learn", "sklearn.manifold")
def isomap(p):
    from sklearn.manifold import Isomap
    z = Isomap(n_neighbors=10, n_components=2).fit_transform(p.x)
    return {"|corr| with the roll's parameter": max(abs(np.corrcoef(z.T, p.y)[-1, :2]))}


@peer("lle", "scikit-learn", "sklearn.manifold")
def lle(p):
    from sklearn.manifold import LocallyLinearEmbedding
    m = LocallyLinearEmbedding(n_neighbors=12, n_components=2, random_state=p.seed).fit(p.x)
    return {"reconstruction error": m.reconstruction_error_}


def trust(x, z):
    """Trustworthiness of at most 3,000 rows, evenly spread: those that rows_manifold.go takes too."""
    from sklearn.manifold import trustworthiness
    m = min(len(x), 3000)
    i = np.arange(m) * len(x) // m
    return trustworthiness(x[i], z[i], n_neighbors=12)


def tsne(p):
    import openTSNE
    z = openTSNE.TSNE(perplexity=30, random_state=p.seed, n_jobs=p.threads, initialization="pca").fit(p.x)
    return lambda: {"KL": z.kl_divergence, "trustworthiness@12": trust(p.x, np.asarray(z))}


# With a random_state both of the next would run on one thread: they draw from NumPy's global generator, which the driver
# seeds.
def umap(p):
    from umap import UMAP
    z = UMAP(n_neighbors=15, n_jobs=p.threads).fit_transform(p.x)
    return lambda: {"trustworthiness@12": trust(p.x, z)}


def pacmap(p):
    from pacmap import PaCMAP
    z = PaCMAP(n_components=2, n_neighbors=10, random_state=None).fit_transform(p.x)
    return lambda: {"trustworthiness@12": trust(p.x, z)}


peer("tsne-digits", "openTSNE", "openTSNE")(tsne)
peer("tsne-20k", "openTSNE", "openTSNE")(tsne)
peer("umap-digits", "umap-learn", "umap")(umap)
peer("umap-20k", "umap-learn", "umap")(umap)
peer("pacmap-digits", "pacmap", "pacmap")(pacmap)
peer("pacmap-20k", "pacmap", "pacmap")(pacmap)
