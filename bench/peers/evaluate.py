"""Peers of pkg/ml/evaluate."""
import numpy as np
from driver import peer


@peer("linear-probe", "scikit-learn", "sklearn.linear_model")
def linear_probe(p):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    z = StandardScaler().fit_transform(p.x)
    m = LogisticRegression(C=1, tol=1e-8, max_iter=1000).fit(z, p.y)
    return lambda: {"mean -log p": -np.mean(m.predict_log_proba(z)[np.arange(len(z)), p.y.astype(int)])}


@peer("silhouette", "scikit-learn", "sklearn.metrics")
def silhouette(p):
    from sklearn.metrics import silhouette_score
    return {"silhouette": silhouette_score(p.x, p.y)}
