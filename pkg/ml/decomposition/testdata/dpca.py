"""Demixed PCA of the package dpca 1.0.5 (numexpr, numba, scikit-learn beside it): dpca.json. python dpca.py

Its decomposition is randomized: with as many iterations as here it is exact to rounding."""
import contextlib
import io
import json
import numpy as np
from dPCA.dPCA import dPCA

r = np.random.default_rng(10)
d, s, q, t = 12, 3, 2, 8
time = np.linspace(0, 1, t)
x = np.zeros((d, s, q, t))
for part in (lambda a, b: 3 * np.sin(3 * time), lambda a, b: 2 * (a - 1) * time, lambda a, b: 1.5 * (a == 1) * (1 - time), lambda a, b: 2.5 * (b - 0.5) * time ** 2,
             lambda a, b: (a - 1) * (b - 0.5) * np.cos(2 * time)):
    w = r.normal(size=d) + 0.5
    for a in range(s):
        for b in range(q):
            x[:, a, b] += w[:, None] * part(a, b)
x += r.normal(size=d)[:, None, None, None] + 0.2 * r.normal(size=x.shape)
x = np.round(x, 4)
joins = {"joined": {"st": ["s", "st"], "qt": ["q", "qt"], "sqt": ["sq", "sqt"]}, "apart": None}
sets = {"s": [["s"]], "q": [["q"]], "t": [["time"]], "sq": [["s", "q"]], "st": [["s", "time"]], "qt": [["q", "time"]], "sqt": [["s", "q", "time"]]}
cases = []
for name, join in joins.items():
    for lam in (0, 1e-3, 2e-2):
        with contextlib.redirect_stdout(io.StringIO()):
            m = dPCA(labels="sqt", join=join, n_components=2, regularizer=lam or None, n_iter=60)
            m.fit(x.copy())
        marginals = []
        for key in m.P:
            of = [sets[k][0] for k in join[key]] if join and key in join else sets[key]
            rank = {"s": 2, "q": 1, "sq": 2}.get(key, 9) if not join else 9
            k = min(2, rank)
            marginals.append({"Name": key, "Sets": of, "Encoder": m.P[key].T[:k].tolist(), "Decoder": m.D[key].T[:k].tolist()})
        cases.append({"Name": name, "Lambda": lam, "Marginals": marginals})
# The series of each condition, a step a row; q changes fastest.
series = [x[:, a, b].T.tolist() for a in range(s) for b in range(q)]
with open("dpca.json", "w") as f:
    json.dump({"Stimuli": s, "Decisions": q, "Series": series, "Cases": cases}, f)
    f.write("\n")
