"""Ten steps of elephant 1.2.1's GPFA on trials of two lengths, from factor analysis: gpfa.json. python gpfa.py"""
import json
import numpy as np
from elephant.gpfa import gpfa_core
from sklearn.decomposition import FactorAnalysis

r = np.random.default_rng(3)
d, k = 8, 2
c, offset = r.normal(size=(d, k)), r.normal(size=d)
lengths = [20, 20, 14, 20, 14, 20]
series = []
for n in lengths:
    t = np.arange(n)
    z = np.array([r.multivariate_normal(np.zeros(n), np.exp(-(t[:, None] - t) ** 2 / (2 * tau ** 2)) + 1e-6 * np.eye(n)) for tau in (3., 7.)])
    series.append(c @ z + offset[:, None] + 0.5 * r.normal(size=(d, n)))
train = np.zeros(len(lengths), dtype=[("T", int), ("y", object)])
for i, y in enumerate(series):
    train[i] = (y.shape[1], y)
everything = np.hstack(series)
fa = FactorAnalysis(k, tol=1e-9, max_iter=100000).fit(everything.T)
start = {"covType": "rbf", "gamma": np.full(k, 1 / 5. ** 2), "eps": np.full(k, 1e-3), "d": everything.mean(1), "C": fa.components_.T.copy(),
         "R": np.diag(fa.noise_variance_), "notes": {"learnKernelParams": True, "learnGPNoise": False, "RforceDiagonal": True}}
keep = {"C": start["C"].tolist(), "Offset": start["d"].tolist(), "R": fa.noise_variance_.tolist(), "Timescales": [5.] * k, "Noise": 1e-3}
found, latents, logs, _ = gpfa_core.em(start, train, max_iters=10, freq_ll=1, min_var_frac=0.01)
exact, log = gpfa_core.exact_inference_with_ll(train, found)
out = {"Lengths": lengths, "Data": everything.T.tolist(), "Start": keep, "LogLikelihood": [float(v) for v in logs],
       "End": {"C": found["C"].tolist(), "Offset": found["d"].tolist(), "R": np.diag(found["R"]).tolist(), "Timescales": (1 / np.sqrt(found["gamma"])).tolist(),
               "Noise": 1e-3, "LogLikelihood": float(log), "Mean": np.hstack([l["latent_variable"] for l in exact]).T.tolist(),
               "Cov": np.moveaxis(exact[0]["Vsm"], 2, 0).reshape(lengths[0], -1).tolist()},
       "FactorAnalysis": {"LogLikelihood": float(fa.score(everything.T) * everything.shape[1]), "Covariance": fa.get_covariance().tolist()}}
with open("gpfa.json", "w") as f:
    json.dump(out, f)
    f.write("\n")
print(logs, log, out["End"]["Timescales"])
