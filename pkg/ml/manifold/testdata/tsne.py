"""Affinities, divergences and gradients of t-SNE by openTSNE and scikit-learn on given maps: tsne.json. python tsne.py"""
import json
import numpy as np
from openTSNE import affinity
from sklearn.datasets import load_iris
from sklearn.manifold import _t_sne

x = load_iris().data[::3] + 1e-3 * np.sin(np.arange(200)).reshape(50, 4)
y = np.random.default_rng(1).normal(size=(50, 2)) * 3
out = {"Y": y.tolist(), "Cases": []}
for perplexity in (5, 10, 16):
    p = affinity.PerplexityBasedNN(x, perplexity=perplexity, method="exact", n_jobs=1).P.toarray()
    d2 = ((y[:, None] - y[None]) ** 2).sum(-1)
    q = 1 / (1 + d2)
    np.fill_diagonal(q, 0)
    q /= q.sum()
    kl = float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())
    # scikit-learn's own gradient of the same divergence.
    upper = p[np.triu_indices(50, 1)]
    kl_sk, grad = _t_sne._kl_divergence(y.ravel(), upper, 1, 50, 2)
    out["Cases"].append({"Perplexity": perplexity, "P": p.tolist(), "KL": kl, "Gradient": (grad.reshape(50, 2)).tolist()})
json.dump(out, open("tsne.json", "w"))
