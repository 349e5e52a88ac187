"""Multidimensional scaling of scikit-learn and SciPy: mds.json. python mds.py"""
import json
import warnings
import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_iris, load_wine
from sklearn.isotonic import IsotonicRegression
from sklearn.manifold import ClassicalMDS, smacof

warnings.filterwarnings("ignore")
out = {"D": {}, "Classical": [], "Metric": [], "Nonmetric": [], "Isotonic": []}
# No two distances are equal: how ties are treated is another question.
x = load_iris().data[::5] + 1e-3 * np.sin(np.arange(120)).reshape(30, 4)
w = load_wine().data[::6, :6]
for name, d in {"iris euclidean": squareform(pdist(x)), "iris manhattan": squareform(pdist(x, "cityblock")), "wine chebyshev": squareform(pdist(w / w.std(0), "chebyshev"))}.items():
    out["D"][name] = d.tolist()
    m = ClassicalMDS(2, metric="precomputed").fit(d)
    out["Classical"].append({"Name": name, "Map": pdist(m.embedding_).tolist(), "Eigenvalues": np.asarray(m.eigenvalues_).tolist()})
    for k in (1, 2, 3):
        # In one dimension the start decides where it ends: the classical map, as the library takes it.
        init = ClassicalMDS(k, metric="precomputed").fit(d).embedding_
        y, stress = smacof(d, n_components=k, init=init, n_init=1, max_iter=20000, eps=1e-15, normalized_stress=False)
        out["Metric"].append({"Name": name, "Init": init.tolist(), "Stress": stress})
    init = ClassicalMDS(2, metric="precomputed").fit(d).embedding_
    y, stress = smacof(d, metric=False, n_components=2, init=init, n_init=1, max_iter=20000, eps=1e-15, normalized_stress=True)
    out["Nonmetric"].append({"Name": name, "Init": init.tolist(), "Stress1": stress})
r = np.random.default_rng(1)
for n in (1, 2, 5, 40):
    v = np.arange(n) * 0.1 + r.normal(size=n)
    out["Isotonic"].append({"V": v.tolist(), "Fit": IsotonicRegression().fit_transform(np.arange(n), v).tolist()})
json.dump(out, open("mds.json", "w"))
