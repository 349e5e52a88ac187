#!/usr/bin/env python3
"""Make hierarchical.json: what SciPy, fastcluster and a plain DIANA say of some data sets. Needs scipy, fastcluster and scikit-learn (bench/requirements.txt)."""
import json
import os

import fastcluster
import numpy as np
from scipy.cluster import hierarchy as h
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_digits, load_iris, load_wine


def diana(d):
    """Kaufman & Rousseeuw (1990), chapter 6, step by step: the diameters of the clusters that are split, and the first split."""
    heights, first = [], None
    pending = [list(range(len(d)))]
    while pending:
        c = pending.pop()
        if len(c) == 1:
            continue
        heights.append(max(d[i, j] for i in c for j in c))
        stay, left = list(c), []
        while len(stay) > 1:
            gains = []
            for i in stay:
                others = np.mean([d[i, j] for j in stay if j != i])
                gains.append(others - (np.mean([d[i, j] for j in left]) if left else 0))
            k = int(np.argmax(gains))
            if left and gains[k] <= 1e-12:
                break
            left.append(stay.pop(k))
        if first is None:
            first = sorted(left)
        pending += [stay, left]
    return sorted(heights), first


r = np.random.default_rng(5)
iris, wine, digits = load_iris().data, load_wine().data, load_digits().data[:300]
sets = {
    "iris": iris,  # some distances are equal, two rows are
    "wine": wine,  # scales differ a hundredfold
    "digits": digits,  # whole numbers, 64 columns
    "blobs": r.normal(size=(5, 3))[r.integers(0, 5, 200)] * 6 + r.normal(size=(200, 3)),
    "grid": np.array([[i, j] for i in range(7) for j in range(6)], dtype=float),  # nearly all distances are equal
    "duplicates": np.repeat(r.normal(size=(12, 4)), [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], axis=0),
    "far": 1e6 + r.normal(size=(60, 2)),
}
# 1,500 rows that Go can make too, to the last bit
i = np.arange(1500)[:, None]
j = np.arange(3)[None, :]
many = np.sqrt(i * (i + 17) * (j + 3) * 7919 % 10007)
out = {"many": {k: {"heights": h.linkage(many, k)[:, 2].tolist()[::-50]} for k in ("single", "complete", "average", "ward", "centroid")}}
for name, x in sets.items():
    y = pdist(x)
    one = {}
    if name not in ("iris", "wine", "digits"):
        one["x"] = x.tolist()
    for kind in ("single", "complete", "average", "ward", "centroid"):
        z = h.linkage(x, kind)
        fast = fastcluster.linkage(x, kind)
        k = 4
        ordered = h.optimal_leaf_ordering(z, y)
        leaves = h.leaves_list(ordered)
        one[kind] = {
            "heights": z[:, 2].tolist(),
            "fastcluster": fast[:, 2].tolist(),
            "cophenetic": float(h.cophenet(z, y)[0]) if np.ptp(z[:, 2]) > 0 else None,
            "cut": (h.cut_tree(z, n_clusters=k)[:, 0]).tolist(),
            "neighbors": float(squareform(y)[leaves[:-1], leaves[1:]].sum()),
            "linkage": z[:, :2].astype(int).tolist(),
        }
    for kind, metric in (("average", "cityblock"), ("complete", "cosine")):
        if name == "grid" and metric == "cosine":
            continue  # the row of zeros has no direction
        one[kind + " " + metric] = {"heights": h.linkage(pdist(x, metric), kind)[:, 2].tolist()}
    if len(x) <= 200:
        heights, first = diana(squareform(y))
        one["diana"] = {"heights": heights, "first": first}
    out[name] = one
with open(os.path.join(os.path.dirname(__file__), "hierarchical.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
