"""Indices of scikit-learn on random and real labelings. python reference.py > reference.json"""
import json
import numpy as np
from sklearn import metrics as m
from sklearn.datasets import load_iris, load_wine

out = []
r = np.random.default_rng(0)
sets = {"iris": load_iris(return_X_y=True), "wine": load_wine(return_X_y=True)}
for name, (x, y) in sets.items():
    for labels in (y, r.integers(0, 4, len(y)), (x[:, 0] > np.median(x[:, 0])).astype(int), np.where(r.random(len(y)) < 0.3, 7, y), np.arange(len(y)) // 2, -y):
        h, c, v = m.homogeneity_completeness_v_measure(y, labels)
        t = m.cluster.contingency_matrix(y, labels)
        out.append({"Data": name, "Labels": labels.tolist(), "Truth": y.tolist(), "ARI": m.adjusted_rand_score(y, labels), "AMI": m.adjusted_mutual_info_score(y, labels), "NMI": m.normalized_mutual_info_score(y, labels),
                    "H": h, "C": c, "V": v, "Purity": t.max(0).sum() / len(y), "Silhouette": m.silhouette_score(x, labels),
                    "Samples": m.silhouette_samples(x, labels).tolist(), "CH": m.calinski_harabasz_score(x, labels), "DB": m.davies_bouldin_score(x, labels)})
print(json.dumps(out))
