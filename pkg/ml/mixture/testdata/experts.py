"""Conditional mixtures by EM whose inner steps are scikit-learn's weighted regressions, ended by SciPy's BFGS on the objective as it is written down: experts.json.
python experts.py"""
import json
import warnings
import numpy as np
from scipy.optimize import minimize
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression

warnings.filterwarnings("ignore")
iris, wine, cancer = load_iris(), load_wine(), load_breast_cancer()
data = {
    "iris": (iris.data[:, :1], iris.data[:, 1]),             # sepal length, sepal width
    "wine": (wine.data[:, [0, 6, 9]], wine.data[:, 12]),     # alcohol, flavanoids, color; proline
    "cancer": (cancer.data[:, [0, 1]], cancer.target.astype(float)),
}


def fit(name, k, gating, lam):
    raw, y = data[name]
    logistic = name == "cancer"
    n, d = raw.shape
    mean, sd = raw.mean(0), raw.std(0)
    ym, ys = (0.0, 1.0) if logistic else (y.mean(), y.std())
    t = (y - ym) / ys
    x = np.column_stack([np.ones(n), (raw - mean) / sd])
    wave = np.sin(1.0 + 2.3 * np.arange(k * (d + 1))).reshape(k, d + 1)
    w, v, var = wave.copy(), np.zeros((k, d + 1)), np.ones(k)

    def joint(v, w, var):
        gate = log_softmax(x @ v.T, axis=1)
        m = x @ w.T
        if logistic:
            return gate + np.where(t[:, None] == 1, log_expit(m), log_expit(-m))
        return gate - 0.5 * (np.log(2 * np.pi * var) + (t[:, None] - m) ** 2 / var)

    def objective(v, w, var):
        held = lam / 2 * ((v**2).sum() * (gating == "softmax") + (w**2).sum() * logistic)
        return (logsumexp(joint(v, w, var), axis=1).sum() - held) / n

    start = raw_units(v, w, var, mean, sd, ym, ys, logistic)
    for _ in range(150 if k > 1 else 1):
        j = joint(v, w, var)
        r = np.exp(j - logsumexp(j, axis=1, keepdims=True))
        for c in range(k):
            if logistic:
                w[c] = LogisticRegression(C=1 / lam, fit_intercept=False, tol=1e-10, max_iter=10000, solver="newton-cholesky").fit(x, t, r[:, c]).coef_[0]
            else:
                w[c] = LinearRegression(fit_intercept=False).fit(x, t, r[:, c]).coef_
                var[c] = (r[:, c] * (t - x @ w[c]) ** 2).sum() / r[:, c].sum()
        if k > 1 and gating == "constant":
            v[:] = 0
            v[:, 0] = np.log(r.mean(0))
        elif k > 1:  # soft targets: every row once for each expert
            xx, cc = np.concatenate([x] * k), np.repeat(np.arange(k), n)
            if k == 2:  # scikit-learn's binary form penalizes one vector u, ours the two halves u/2 and −u/2
                u = LogisticRegression(C=2 / lam, fit_intercept=False, tol=1e-10, max_iter=10000, solver="newton-cholesky").fit(xx, cc, r.T.ravel()).coef_[0]
                v = np.vstack([-u / 2, u / 2])
            else:
                g = LogisticRegression(C=1 / lam, fit_intercept=False, tol=1e-10, max_iter=10000, solver="lbfgs").fit(xx, cc, r.T.ravel())
                v = g.coef_ - g.coef_.mean(0)
    columns = d + 1 if gating == "softmax" else 1

    def unpack(theta):
        v = np.zeros((k, d + 1))
        v[:, :columns] = theta[: k * columns].reshape(k, columns)
        theta = theta[k * columns :]
        return v, theta[: k * (d + 1)].reshape(k, d + 1), np.exp(theta[k * (d + 1) :]) if not logistic else var

    theta = np.concatenate([v[:, :columns].ravel(), w.ravel(), [] if logistic else np.log(var)])
    for _ in range(3):
        res = minimize(lambda th: -objective(*unpack(th)), theta, method="BFGS", jac="3-point", options={"gtol": 1e-10, "maxiter": 5000})
        theta = res.x
    v, w, var = unpack(theta)
    v = v - v.mean(0)
    out = raw_units(v, w, var, mean, sd, ym, ys, logistic)
    ll = logsumexp(joint(v, w, var), axis=1).mean() - np.log(ys)
    out.update(Data=name, K=k, Gating=gating, Penalty=lam, Start=start, LogLikelihood=ll, Objective=objective(v, w, var) - np.log(ys), Slope=float(np.abs(res.jac).max()))
    print(name, k, gating, lam, out["LogLikelihood"], out["Objective"], out["Slope"], None if logistic else var.min())
    return out


def raw_units(v, w, var, mean, sd, ym, ys, logistic):
    lines = w[:, 1:] / sd * ys
    gate = v[:, 1:] / sd
    c = v[:, 0] - gate @ mean
    return {"Coefficients": lines.tolist(), "Intercepts": (w[:, 0] * ys + ym - lines @ mean).tolist(), "Variances": None if logistic else (var * ys**2).tolist(),
            "Gate": gate.tolist(), "GateIntercepts": (c - c.mean()).tolist()}


cases = [fit(*a) for a in [("iris", 1, "softmax", 1e-3), ("wine", 1, "constant", 1e-3), ("cancer", 1, "softmax", 1e-3), ("cancer", 1, "softmax", 1.0),
                           ("iris", 2, "softmax", 1e-3), ("iris", 2, "softmax", 1.0), ("iris", 2, "constant", 1e-3), ("wine", 2, "softmax", 1e-2), ("wine", 2, "constant", 1e-3),
                           ("wine", 3, "softmax", 1e-1), ("cancer", 2, "softmax", 1e-1), ("cancer", 2, "softmax", 1.0), ("cancer", 2, "constant", 1.0), ("cancer", 3, "softmax", 1.0)]]
with open("experts.json", "w") as f:
    f.write("[" + ",\n".join(map(json.dumps, cases)) + "]\n")
