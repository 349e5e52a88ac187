"""Distances by SciPy, for distance_test.go: python reference.py > scipy.json"""
import json
import numpy as np
from scipy.spatial.distance import cdist

r = np.random.default_rng(1)
x = np.vstack([r.normal(size=(6, 7)), 1e3 * r.normal(size=(2, 7)), np.r_[r.normal(size=6), 0.0][None]])
y = np.vstack([r.normal(size=(4, 7)), x[2:3], 1e-3 * r.normal(size=(1, 7)) + x[3:4]])
b = (r.random((5, 11)) < 0.4).astype(float)
out = {"x": x.tolist(), "y": y.tolist(), "bits": b.tolist(), "cross": {}}
for name in ("euclidean", "sqeuclidean", "cityblock", "chebyshev", "cosine", "correlation"):
    out["cross"][name] = cdist(x, y, name).tolist()
for p in (1.0, 1.5, 2.0, 3.0, 4.0, 7.3, 0.5):
    out["cross"][f"minkowski {p}"] = cdist(x, y, "minkowski", p=p).tolist()
out["hamming"] = cdist(b, b, "hamming").tolist()
print(json.dumps(out))
