"""Peers of pkg/ml/neighbors."""
from driver import peer


def exact(p):
    from sklearn.neighbors import NearestNeighbors
    return NearestNeighbors(n_neighbors=15, n_jobs=p.threads).fit(p.x).kneighbors()


@peer("knn-exact", "scikit-learn", "sklearn.neighbors")
def knn(p):
    return {"sum of 15th distances": exact(p)[0][:, -1].sum()}


@peer("knn-descent", "pynndescent", "pynndescent")
def descent(p):
    from pynndescent import NNDescent
    # It counts a row among its neighbors.
    found, _ = NNDescent(p.x, n_neighbors=16, n_jobs=p.threads, random_state=p.seed).neighbor_graph

    def judge():
        _, true = exact(p)
        return {"recall": sum(len(set(t) & set(f)) for t, f in zip(true, found)) / true.size}
    return judge
