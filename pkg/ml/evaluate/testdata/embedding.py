"""Trustworthiness of scikit-learn and rank correlations of SciPy: embedding.json. python embedding.py"""
import json
import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr
from sklearn.datasets import load_iris, load_wine
from sklearn.manifold import trustworthiness

out = []
for name, load in (("iris", load_iris), ("wine", load_wine)):
    x = load().data
    x = x + 1e-4 * np.sin(np.arange(x.size)).reshape(x.shape)  # against ties
    for map_, y in (("columns", x[:, :2]), ("product", np.c_[x[:, 0] * x[:, 1], x[:, 2]]), ("noise", np.random.default_rng(1).normal(size=(len(x), 2)))):
        a, b = pdist(x), pdist(y)
        out.append({"Data": name, "Map": map_, "Y": y.tolist() if map_ == "noise" else [], "Pearson": pearsonr(a, b)[0], "Spearman": spearmanr(a, b)[0],
                    "Trust": {str(k): trustworthiness(x, y, n_neighbors=k) for k in (1, 5, 12, 50)},
                    "Continuity": {str(k): trustworthiness(y, x, n_neighbors=k) for k in (1, 5, 12, 50)}})
json.dump(out, open("embedding.json", "w"))
