"""Writes umap.json: the curve's a and b, fuzzy graphs, and the scores of maps as umap-learn 0.5.12 gives them.

    python pkg/ml/manifold/testdata/umap_reference.py
"""
import json
import pathlib
import warnings

import numpy as np
import umap
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier
from umap.umap_ import find_ab_params, fuzzy_simplicial_set

warnings.simplefilter("ignore")
x, y = load_digits(return_X_y=True)
out = {"curve": [], "graph": {}, "trust": [], "transform": []}

for spread, min_dist in [(1, 0.1), (1, 0.0), (1, 0.5), (1, 0.99), (1.5, 0.25), (2, 0.1), (0.5, 0.05)]:
    a, b = find_ab_params(spread, min_dist)
    out["curve"].append({"spread": spread, "min_dist": min_dist, "a": float(a), "b": float(b)})

rows = {"plain": x[:120], "duplicates": np.r_[x[:70], x[:10], x[:10], x[:10]]}
for name, data, metric, k in [("plain", rows["plain"], "euclidean", 15), ("cosine", rows["plain"], "cosine", 15), ("few", rows["plain"], "euclidean", 4),
                              ("duplicates", rows["duplicates"], "euclidean", 8)]:
    d = pairwise_distances(data, metric=metric)
    np.fill_diagonal(d, -1)  # the point itself comes first, whatever else is at distance 0
    index = np.argsort(d, axis=1, kind="stable")[:, :k]
    near = np.take_along_axis(d, index, axis=1)
    near[:, 0] = 0
    g, _, _ = fuzzy_simplicial_set(data, k, np.random.RandomState(0), metric, knn_indices=index, knn_dists=near.astype(np.float32))
    g = g.tocsr()
    g.sort_indices()
    out["graph"][name] = {"start": g.indptr.tolist(), "index": g.indices.tolist(), "weight": [round(float(v), 7) for v in g.data]}

train, test = np.arange(1500), np.arange(1500, len(x))
for seed in range(4):
    z = umap.UMAP(random_state=seed).fit_transform(x)
    out["trust"].append(round(float(trustworthiness(x, z, n_neighbors=12)), 6))
    m = umap.UMAP(random_state=seed).fit(x[train])
    placed = m.transform(x[test])
    knn = KNeighborsClassifier(5).fit(m.embedding_, y[train])
    out["transform"].append(round(float(knn.score(placed, y[test])), 6))

pathlib.Path(__file__).with_name("umap.json").write_text(json.dumps(out))
