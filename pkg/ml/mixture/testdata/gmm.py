"""Gaussian mixtures of scikit-learn from given starts, without regularization: gmm.json. python gmm.py"""
import json
import warnings
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.mixture import GaussianMixture

warnings.filterwarnings("ignore")
wave = lambda n, d: np.sin(np.arange(n * d) * 1.7).reshape(n, d)
data = {"iris": load_iris().data, "wine": load_wine().data[:, :6], "breast_cancer": load_breast_cancer().data[:, :3] @ np.diag([1, 1, 0.1])}
cases = []
for name, x in data.items():
    cov = np.cov(x.T, bias=True)
    n, d = x.shape
    starts = {"full": lambda k: np.array([np.linalg.inv(cov)] * k), "tied": lambda k: np.linalg.inv(cov), "diag": lambda k: np.array([1 / np.diag(cov)] * k),
              "spherical": lambda k: np.full(k, 1 / np.diag(cov).mean())}
    for kind, precisions in starts.items():
        for k in (1, 2, 3):
            for steps in (3, 20000):
                rows = [(i * n) // k + n // (2 * k) for i in range(k)]
                g = GaussianMixture(k, covariance_type=kind, reg_covar=0, tol=0 if steps < 9 else 1e-14, max_iter=steps, means_init=x[rows], weights_init=np.full(k, 1 / k), precisions_init=precisions(k)).fit(x)
                least = min(np.linalg.eigvalsh(c).min() for c in (g.covariances_ if kind == "full" else [np.atleast_2d(cov)]))
                assert least > 1e-3 * np.linalg.eigvalsh(cov).min(), (name, kind, k, least)
                far = x[:5] + 20 * np.sqrt(np.diag(cov)) * wave(5, d)
                cases.append({"Data": name, "Covariance": {"diag": "diagonal"}.get(kind, kind), "K": k, "Steps": steps, "Rows": rows, "LogLikelihood": g.score(x),
                              "Weights": g.weights_.tolist(), "Means": g.means_.tolist(), "BIC": g.bic(x), "AIC": g.aic(x),
                              "Far": far.tolist(), "Scores": g.score_samples(far).tolist(), "Posterior": g.predict_proba(far).tolist()})
with open("gmm.json", "w") as f:
    f.write("[" + ",\n".join(map(json.dumps, cases)) + "]\n")
