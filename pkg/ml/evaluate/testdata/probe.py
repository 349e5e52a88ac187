"""Linear and nearest-neighbor probes of scikit-learn, and SciPy's assignments. python probe.py > probe.json"""
import json
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

linear, nearest, matches = [], [], []
for name, load, step in (("iris", load_iris, 3), ("wine", load_wine, 3), ("digits", load_digits, 2)):
    x, y = load(return_X_y=True)
    held = np.arange(len(y)) % step == 0
    for penalty in (1, 30):
        m = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=100000, solver="newton-cg"))
        m.fit(x[~held], y[~held])
        w = m[-1].coef_
        p = m.predict_proba(x[held])
        linear.append({"Data": name, "Step": step, "Penalty": penalty, "Coefficients": w.tolist(),
                       "Intercepts": (m[-1].intercept_ - m[-1].intercept_.mean()).tolist(), "Accuracy": m.score(x[held], y[held]),
                       "Probabilities": p[:5].tolist(), "Loss": -np.log(m.predict_proba(x[~held])[np.arange((~held).sum()), y[~held]]).mean()})
    for k in (1, 5):
        for metric in ("euclidean", "cosine"):
            m = KNeighborsClassifier(k, metric=metric).fit(x[~held], y[~held])
            votes = np.sort(m.predict_proba(x[held]), 1)
            clear = votes[:, -1] > votes[:, -2]  # others depend on how ties are broken
            nearest.append({"Data": name, "Step": step, "K": k, "Metric": metric, "Labels": m.predict(x[held]).tolist(), "Clear": clear.tolist()})
r = np.random.default_rng(0)
for classes, clusters in ((3, 3), (4, 7), (9, 5), (30, 30)):
    truth, labels = r.integers(0, classes, 400), r.integers(0, clusters, 400)
    labels[:200] = (truth[:200] * 7 + 2) % clusters
    t = np.zeros((classes, clusters))
    np.add.at(t, (truth, labels), 1)
    i, j = linear_sum_assignment(-t)
    matches.append({"Truth": truth.tolist(), "Labels": labels.tolist(), "Total": t[i, j].sum()})
print(json.dumps({"Linear": linear, "Nearest": nearest, "Matches": matches}))
