"""Neighbors by scikit-learn, for exact_test.go: python reference.py > sklearn.json"""
import json
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors, radius_neighbors_graph

x = load_digits().data[:120]
out = {}
for metric in ("euclidean", "cosine", "correlation", "manhattan", "chebyshev"):
    d, i = NearestNeighbors(n_neighbors=8, metric=metric, algorithm="brute").fit(x).kneighbors()
    out[metric] = {"distance": d.tolist(), "index": i.tolist()}
g = radius_neighbors_graph(x, 25.0, mode="distance")
out["radius 25"] = np.diff(g.indptr).tolist()
print(json.dumps(out))
