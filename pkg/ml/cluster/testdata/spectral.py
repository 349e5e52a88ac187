"""Eigenvalues of graph Laplacians by NumPy, for spectral_test.go: python spectral.py > spectral.json"""
import json
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances

x = load_digits().data[:400]
d = pairwise_distances(x)
near = np.argsort(d + 1e9 * np.eye(400), axis=1, kind="stable")[:, :10]
a = np.zeros((400, 400))
for i in range(400):
    a[i, near[i]] = 1
graphs = {"nearest": np.maximum(a, a.T), "mutual": np.minimum(a, a.T), "gaussian": np.exp(-d**2 / 2 / 12.0**2) * (1 - np.eye(400)), "epsilon": (d <= 26) * (1 - np.eye(400))}
out = {}
for name, w in graphs.items():
    for tau in (0.0, 3.0):
        v = w + tau / 400
        deg = v.sum(1)
        root = np.sqrt(np.where(deg > 0, deg, 1))
        sym = np.diag((deg > 0) * 1.0) - v / root[:, None] / root[None]
        out[f"{name} {tau}"] = {
            "edges": int((w > 0).sum()),
            "symmetric": np.linalg.eigvalsh(sym)[:8].tolist(),
            "unnormalized": np.linalg.eigvalsh(np.diag(deg) - v)[:8].tolist(),
        }
print(json.dumps(out))
