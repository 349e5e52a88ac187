"""Codes by scikit-learn, of signals and a dictionary that formulas make. python coders.py > coders.json   (numpy 2.4.6, scikit-learn 1.9.1)"""
import json
import numpy as np
from scipy.optimize import linprog
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import lars_path, lasso_path, orthogonal_mp


def spread(n, d, step):
    """Numbers from -1 to 1 that need no generator: the fractional parts of multiples of the golden ratio and of a step."""
    i = np.arange(1, n * d + 1)
    return (2 * ((i * 0.6180339887498949 + (i * i % 97) * step) % 1) - 1).reshape(n, d)


K, d, n = 30, 12, 8
D = spread(K, d, 0.37)
D /= np.linalg.norm(D, axis=1)[:, None]
y = spread(n, d, 0.19)
out = {"Dictionary": D.tolist(), "Signals": y.tolist(), "OMP": {}, "Lasso": {}, "Positive": {}, "Path": [], "Forward": [], "Threshold": {}, "BasisPursuit": []}
for k in (1, 3, 6, 12):
    out["OMP"][k] = orthogonal_mp(D.T, y.T, n_nonzero_coefs=k).T.tolist()
for alpha in (0.05, 0.2, 0.5):
    out["Lasso"][alpha] = sparse_encode(y, D, algorithm="lasso_cd", alpha=alpha, max_iter=100000).tolist()
    w = [lasso_path(D.T, r, alphas=[alpha / d], tol=1e-14, max_iter=1000000)[1][:, 0].tolist() for r in y]
    assert np.abs(np.array(w) - out["Lasso"][alpha]).max() < 1e-2
    out["Lasso"][alpha] = w
    out["Positive"][alpha] = [lasso_path(D.T, r, alphas=[alpha / d], tol=1e-14, max_iter=1000000, positive=True)[1][:, 0].tolist() for r in y]
    out["Threshold"][alpha] = sparse_encode(y, D, algorithm="threshold", alpha=alpha).tolist()
for r in y[:3]:
    for method, name, atoms in (("lasso", "Path", D), ("lar", "Forward", D[:10])):
        alphas, _, coefs = lars_path(atoms.T, r, method=method, alpha_min=0.02 / d)
        out[name].append({"Lambda": (alphas * d).tolist(), "Coefficients": coefs.T.tolist()})
for r in y:
    p = linprog(np.ones(2 * K), A_eq=np.c_[D.T, -D.T], b_eq=r, method="highs")
    out["BasisPursuit"].append((p.x[:K] - p.x[K:]).tolist())


def rounded(v):
    if isinstance(v, dict):
        return {k: rounded(w) for k, w in v.items()}
    if isinstance(v, list):
        return [rounded(w) for w in v]
    return float(f"{v:.14g}")


full = {k: out[k] for k in ("Dictionary", "Signals")}
print(json.dumps(full | rounded({k: v for k, v in out.items() if k not in full})))
