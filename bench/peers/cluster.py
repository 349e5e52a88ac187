"""Peers of pkg/ml/cluster."""
import numpy as np
from driver import data, peer
from inputs import blobs


@data
def blobs100k50():
    return blobs(3, 100000, 50, 50, 2.0)


@data
def blobs10k10():
    return blobs(2, 10000, 10, 10, 4.0)


@data
def moons3k():
    """Two half moons with so much noise that the graph of ten neighbors is connected."""
    r = np.random.default_rng(7)
    t = np.pi * r.random(3000)
    y = np.arange(3000) % 2
    x = np.where(y[:, None] == 0, np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 0.5 - np.sin(t)])
    return x + 0.15 * r.normal(size=x.shape), y


def kmeans(algorithm):
    def fit(p):
        from sklearn.cluster import KMeans
        m = KMeans(50, n_init=1, algorithm=algorithm, random_state=p.seed, max_iter=100, tol=0).fit(p.x)
        return {"inertia": m.inertia_}
    return fit


peer("kmeans-lloyd", "scikit-learn", "sklearn.cluster")(kmeans("lloyd"))
peer("kmeans-elkan", "scikit-learn", "sklearn.cluster")(kmeans("elkan"))


@peer("kmeans-faiss", "faiss-cpu", "faiss")
def kmeans_faiss(p):
    """All points, in single precision: it has no other. The inertia is measured in double precision afterwards."""
    import faiss
    k = faiss.Kmeans(p.x.shape[1], 50, niter=100, seed=p.seed, max_points_per_centroid=len(p.x),
                     init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS)
    k.train(p.x.astype(np.float32))

    def judge():
        c = k.centroids.astype(float)
        square = (p.x ** 2).sum(1)[:, None] - 2 * p.x @ c.T + (c ** 2).sum(1)
        return {"inertia": square.min(1).sum()}
    return judge


@peer("kmeans-minibatch", "scikit-learn", "sklearn.cluster")
def minibatch(p):
    from sklearn.cluster import MiniBatchKMeans
    m = MiniBatchKMeans(50, batch_size=1024, n_init=1, max_iter=10, max_no_improvement=None, tol=0, reassignment_ratio=0,
                        init_size=3 * 1024, random_state=p.seed).fit(p.x)
    return {"inertia": m.inertia_}


def linkage(kind):
    def fit(p):
        import fastcluster
        z = fastcluster.linkage_vector(p.x, kind) if kind in ("single", "ward") else fastcluster.linkage(p.x, kind)
        return {"sum of heights": z[:, 2].sum()}
    return fit


peer("linkage-single", "fastcluster", "fastcluster")(linkage("single"))
peer("linkage-complete", "fastcluster", "fastcluster")(linkage("complete"))
peer("linkage-average", "fastcluster", "fastcluster")(linkage("average"))
peer("linkage-ward", "fastcluster", "fastcluster")(linkage("ward"))


@peer("spectral", "scikit-learn", "sklearn.cluster")
def spectral(p):
    """The graph is made here: scikit-learn's own counts a row among its neighbors and halves edges of one direction."""
    from sklearn.cluster import SpectralClustering
    from sklearn.metrics import adjusted_rand_score
    from sklearn.neighbors import kneighbors_graph
    a = kneighbors_graph(p.x, 10, n_jobs=p.threads)
    a = a.maximum(a.T)
    z = SpectralClustering(2, affinity="precomputed", random_state=p.seed).fit_predict(a)

    def judge():
        one = (z == 0).astype(float)
        cut, degree = one @ (a @ (1 - one)), np.asarray(a.sum(1)).ravel()
        return {"normalized cut": cut / (degree @ one) + cut / (degree @ (1 - one)), "ARI": adjusted_rand_score(p.y, z)}
    return judge
