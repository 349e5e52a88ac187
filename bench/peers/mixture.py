"""Peers of pkg/ml/mixture."""
from driver import data, peer
from inputs import blobs


@data
def blobs20k10():
    return blobs(4, 20000, 10, 10, 2.0)


@peer("gmm-full", "scikit-learn", "sklearn.mixture")
def gmm(p):
    from sklearn.mixture import GaussianMixture
    m = GaussianMixture(10, random_state=p.seed, max_iter=100, tol=1e-4).fit(p.x)
    return lambda: {"mean loglik": m.score(p.x)}
