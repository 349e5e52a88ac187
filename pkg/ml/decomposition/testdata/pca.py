"""PCA, incremental PCA and the density of probabilistic PCA by scikit-learn and LAPACK.
python pca.py > pca.json"""
import json
import numpy as np
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.preprocessing import StandardScaler

out = {}
for name, x, k in (("iris", load_iris().data, 2), ("wine", load_wine().data, 5), ("digits", load_digits().data, 16),
                   ("wide", load_digits().data[:20], 6)):
    m = PCA(k, svd_solver="full").fit(x)
    z = StandardScaler().fit_transform(x)
    s = PCA(k, svd_solver="full").fit(z)
    out[name] = {
        "k": k,
        "singular": np.linalg.svd(x - x.mean(0), compute_uv=False)[:k].tolist(),
        "components": m.components_.tolist(),
        "variance": m.explained_variance_.tolist(),
        "ratio": m.explained_variance_ratio_.tolist(),
        "noise": m.noise_variance_,
        "logprob": m.score_samples(x)[:10].tolist(),
        "standard_ratio": s.explained_variance_ratio_.tolist(),
        "standard_components": s.components_.tolist(),
    }
i = load_iris().data
inc = IncrementalPCA(2, batch_size=10).fit(i[:101])
out["incremental"] = {"singular": inc.singular_values_.tolist(), "mean": inc.mean_.tolist(), "components": inc.components_.tolist(),
                      "variance": inc.explained_variance_.tolist()}
print(json.dumps(out))
