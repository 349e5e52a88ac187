"""Isomap and locally linear embedding of scikit-learn on a Swiss roll: isomap_lle.json. python isomap_lle.py"""
import json
import numpy as np
from sklearn.manifold import Isomap, LocallyLinearEmbedding

r = np.random.default_rng(3)
t = 1.5 * np.pi * (1 + 2 * r.random(250))
h = 21 * r.random(250)
x = np.round(np.c_[t * np.cos(t), h, t * np.sin(t)], 6)
new = np.round(x[::50] * 0.99 + 0.1, 6)
out = {"X": x.tolist(), "T": t.tolist(), "New": new.tolist()}
m = Isomap(n_neighbors=8, n_components=2, eigen_solver="dense").fit(x)
out["Isomap"] = {"Map": m.embedding_.tolist(), "New": m.transform(new).tolist(), "Error": float(m.reconstruction_error())}
for name, method in (("Standard", "standard"), ("Modified", "modified")):
    m = LocallyLinearEmbedding(n_neighbors=8, n_components=2, method=method, eigen_solver="dense", tol=0).fit(x)
    out[name] = {"Map": m.embedding_.tolist(), "New": m.transform(new).tolist(), "Error": float(m.reconstruction_error_)}
json.dump(out, open("isomap_lle.json", "w"))
