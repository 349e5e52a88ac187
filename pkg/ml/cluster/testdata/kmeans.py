"""K-means of scikit-learn on its own data sets: kmeans.json from given centers, restarts.json at ten restarts. python kmeans.py"""
import json
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

data = {"iris": load_iris, "wine": load_wine, "digits": load_digits, "breast_cancer": load_breast_cancer}
fixed, restarts = [], []
for name, load in data.items():
    x = load().data
    # Iris is measured to 0.1 cm and full of exact ties, which rounding decides: moved by up to 1e-4 it has none.
    moved = x + 1e-4 * np.sin(np.arange(x.size)).reshape(x.shape) if name == "iris" else x
    for k in (1, 3, 10):
        init = moved[np.random.default_rng(k).choice(len(x), k, replace=False)]
        m = KMeans(k, init=init, n_init=1, max_iter=1000, tol=0, algorithm="lloyd").fit(moved)
        fixed.append({"Data": name, "Init": init.tolist(), "Inertia": m.inertia_, "Labels": m.labels_.tolist(), "Centers": m.cluster_centers_.tolist()})
    for k in (2, 3, 5, 10):
        runs = [KMeans(k, n_init=10, tol=0, max_iter=300, random_state=s).fit(x).inertia_ for s in range(10)]
        restarts.append({"Data": name, "K": k, "Inertia": runs})
json.dump(fixed, open("kmeans.json", "w"))
json.dump(restarts, open("restarts.json", "w"), indent=1)
