"""Factor analysis of scikit-learn 1.9.1, run to the end, with promax in NumPy: factor.json. python factor.py"""
import json
import warnings
import numpy as np
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import FactorAnalysis
from sklearn.decomposition._factor_analysis import _ortho_rotation

warnings.filterwarnings("ignore")
data = {"iris": (load_iris().data[:50], [1]), "wine": (load_wine().data, [1, 2, 3])}
cases = []
for name, (raw, ks) in data.items():
    x = (raw - raw.mean(0)) / raw.std(0)
    for k in ks:
        m = FactorAnalysis(k, svd_method="lapack", tol=1e-11, max_iter=200000).fit(x)
        case = {"Data": name, "Factors": k, "LogLikelihood": m.score(x), "Uniqueness": m.noise_variance_.tolist(), "Covariance": m.get_covariance().tolist(),
                "Transform": m.transform(x[::30]).tolist()}
        for rotation in ("varimax", "quartimax") if k > 1 else ():
            case[rotation.capitalize()] = _ortho_rotation(m.components_.T, rotation, tol=1e-14, max_iter=10000).T.tolist()
        if k > 1:  # as R's promax does it
            l = np.array(case["Varimax"])
            u = np.linalg.lstsq(l, l * np.abs(l) ** 3, rcond=None)[0]
            u = u * np.sqrt(np.diag(np.linalg.inv(u.T @ u)))
            case["Promax"] = (l @ u).tolist()
            case["Correlation"] = np.sort(np.abs(np.linalg.inv(u.T @ u)[np.triu_indices(k, 1)])).tolist()
        cases.append(case)
        print(name, k, m.n_iter_, m.noise_variance_.min())
with open("factor.json", "w") as f:
    f.write("[" + ",\n".join(map(json.dumps, cases)) + "]\n")
