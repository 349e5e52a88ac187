"""What scikit-learn makes of ten iterations from one start, and where it ends: nmf.json.

    python nmf.py > nmf.json
"""
import json
import sys
import warnings

import numpy as np
from sklearn.decomposition import NMF
from sklearn.datasets import load_digits

warnings.filterwarnings("ignore")
r = np.random.default_rng(1)
n, d, k = 12, 9, 3
x = r.random((n, k)) @ r.random((k, d)) + 0.05 * r.random((n, d)) + 0.01
w, h = r.random((n, k)) + 0.1, r.random((k, d)) + 0.1
new = r.random((4, k)) @ r.random((k, d)) + 0.01
digits = load_digits().data
out = {"x": x.tolist(), "w": w.tolist(), "h": h.tolist(), "new": new.tolist(), "fits": []}
for solver, loss in (("cd", "frobenius"), ("mu", "frobenius"), ("mu", "kullback-leibler"), ("mu", "itakura-saito")):
    for aw, ah, ratio in ((0, 0, 0), (0.02, 0.01, 1), (0.02, 0.01, 0), (0.02, 0.01, 0.4)):
        if solver == "mu" and loss != "frobenius" and ratio < 1 and aw > 0:
            continue  # its update for L2 is not the minimum of a bound there
        one = dict(solver=solver, loss=loss, l1w=aw * ratio, l2w=aw * (1 - ratio), l1h=ah * ratio, l2h=ah * (1 - ratio))
        for name, steps in (("ten", 10), ("end", 20000)):
            m = NMF(k, init="custom", solver=solver, beta_loss=loss, max_iter=steps, tol=0, alpha_W=aw, alpha_H=ah, l1_ratio=ratio)
            wm = m.fit_transform(x.copy(), W=w.copy(), H=h.copy())
            one[name] = dict(w=wm.tolist(), h=m.components_.tolist(), error=m.reconstruction_err_)
            if name == "end":
                m.set_params(max_iter=20000, tol=0 if solver == "mu" else 1e-14)  # with a penalty, mu's own test ends too early
                t = m.transform(new)
                if loss == "kullback-leibler" and aw > 0:
                    # scikit-learn 1.9.1 adds the penalty to the sums of H anew at each step here, and ends at nearly 0.
                    hm, t = m.components_, np.full((4, k), 0.5)
                    for _ in range(200000):
                        t *= ((new / (t @ hm)) @ hm.T) / (hm.sum(1) + d * one["l1w"])
                one["transform"] = t.tolist()
        out["fits"].append(one)
from sklearn.decomposition import _nmf


def exact(x, k, random_state=None):
    u, s, v = np.linalg.svd(x, full_matrices=False)
    return u[:, :k], s[:k], v[:k]


randomized, _nmf._randomized_svd = _nmf._randomized_svd, exact
wi, hi = _nmf._initialize_nmf(digits, 16, init="nndsvd", random_state=0)
_nmf._randomized_svd = randomized
out["digits"] = dict(w=wi[:5].tolist(), h=hi[:5].tolist(), error=NMF(16, init="nndsvda", max_iter=400, tol=1e-5, random_state=0).fit(digits).reconstruction_err_)


def rounded(v):
    if isinstance(v, float):
        return float(f"{v:.10g}")
    if isinstance(v, dict):
        return {a: rounded(b) for a, b in v.items()}
    return [rounded(b) for b in v] if isinstance(v, list) else v


json.dump(rounded(out), sys.stdout)
