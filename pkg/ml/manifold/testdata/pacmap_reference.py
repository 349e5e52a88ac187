"""Writes pacmap.json: pairs, a gradient, some iterations and the scores of maps as pacmap 0.9.1 gives them.

    python pkg/ml/manifold/testdata/pacmap_reference.py
"""
import json
import pathlib
import warnings

import numpy as np
import pacmap
from pacmap.pacmap import find_weight, pacmap_grad, update_embedding_adam
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

warnings.simplefilter("ignore")
x, y = load_digits(return_X_y=True)
out = {"trust": [], "transform": []}

# The near pairs of 200 digits: few enough for the index to be exact.
m = pacmap.PaCMAP(n_neighbors=8, random_state=0)
m.fit(x[:200].astype(np.float32))
out["near"] = m.pair_neighbors[:, 1].reshape(200, 8).tolist()
out["per_point"] = [len(m.pair_MN) // 200, len(m.pair_FP) // 200]

# From given pairs and a given start: the loss and the gradient in each phase, and the map after some iterations.
r = np.random.default_rng(0)
n, k, mid, far = 40, 4, 2, 8
pick = lambda c: np.array([[i, j] for i in range(n) for j in r.choice(np.delete(np.arange(n), i), c, replace=False)], dtype=np.int32)
near, mn, fp = pick(k), pick(mid), pick(far)
start = (r.normal(size=(n, 2)) * 3).astype(np.float32)
out["n"], out["start"] = n, start.tolist()
out["pairs"] = {"near": near[:, 1].tolist(), "mid": mn[:, 1].tolist(), "further": fp[:, 1].tolist()}
out["gradient"] = []
for w_near, w_mid in [(2, 700), (3, 3), (1, 0)]:
    g = pacmap_grad(start, near, mn, fp, w_near, w_mid, 1)
    out["gradient"].append({"near": w_near, "mid": w_mid, "loss": float(g[-1, 0]), "gradient": g[:-1].tolist()})
z, a, b = start.copy(), np.zeros_like(start), np.zeros_like(start)
for t in range(30):
    w_mid, w_near, w_far = find_weight(1000, t, num_iters=(10, 10, 10))
    update_embedding_adam(z, pacmap_grad(z, near, mn, fp, w_near, w_mid, w_far), a, b, 0.9, 0.999, 1, t)
out["after"] = z.tolist()

train, test = np.arange(1500), np.arange(1500, len(x))
for seed in range(6):
    z = pacmap.PaCMAP(n_neighbors=10, random_state=seed).fit_transform(x)
    out["trust"].append(round(float(trustworthiness(x, z, n_neighbors=12)), 6))
    m = pacmap.PaCMAP(n_neighbors=10, random_state=seed)
    z = m.fit_transform(x[train])
    placed = m.transform(x[test], basis=x[train].copy())
    out["transform"].append(round(float(KNeighborsClassifier(5).fit(z, y[train]).score(placed, y[test])), 6))

pathlib.Path(__file__).with_name("pacmap.json").write_text(json.dumps(out))
