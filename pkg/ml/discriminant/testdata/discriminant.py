"""Discriminant analysis of scikit-learn 1.9.1, and of SciPy's normal densities where covariances are divided by n−K: discriminant.json.
python discriminant.py"""
import json
import numpy as np
from scipy.special import log_softmax
from scipy.stats import multivariate_normal
from sklearn.covariance import OAS, ledoit_wolf_shrinkage, oas
from sklearn.datasets import load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

priors = [0.5, 0.2, 0.3]
cases = []
for name, raw in {"iris": load_iris(), "wine": load_wine()}.items():
    x, y = raw.data, raw.target
    far = x.mean(0) + 3 * x.std(0) * np.sin(1.7 * np.arange(4 * x.shape[1])).reshape(4, -1)
    ask = np.vstack([x[::7], far])

    def add(method, m, alpha=None, **options):
        m.fit(x, y)
        case = {"Data": name, "Method": method, "Ask": ask.tolist(), "Posterior": m.predict_proba(ask).tolist(), "Alpha": alpha or [0.0] * 3}
        case["Log"] = m.predict_log_proba(far).tolist()
        if method == "lda" and not alpha:
            case |= {"Coefficients": m.coef_.tolist(), "Intercepts": m.intercept_.tolist(), "Axes": m.scalings_.tolist(), "Ratio": m.explained_variance_ratio_.tolist(),
                     "Transform": m.transform(ask).tolist()}
        cases.append(case | options)

    groups = [x[y == k] for k in range(3)]
    auto = [ledoit_wolf_shrinkage(StandardScaler().fit_transform(g)) for g in groups]
    approximated = [oas(g)[1] for g in groups]
    LDA, QDA = LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    add("lda", LDA())
    add("lda", LDA(priors=priors), Priors=priors)
    add("lda", LDA(solver="eigen", shrinkage="auto"), auto, Shrinkage="ledoit-wolf")
    add("lda", LDA(solver="eigen", covariance_estimator=OAS()), approximated, Shrinkage="oas")
    add("lda", LDA(solver="eigen", shrinkage=0.3), [0.3] * 3, Shrinkage="fixed", Amount=0.3)
    add("qda", QDA())
    add("qda", QDA(priors=priors), Priors=priors)
    add("qda", QDA(solver="eigen", shrinkage="auto"), auto, Shrinkage="ledoit-wolf")
    add("qda", QDA(solver="eigen", covariance_estimator=OAS()), approximated, Shrinkage="oas")
    add("qda", QDA(solver="eigen", shrinkage=0.3), [0.3] * 3, Shrinkage="fixed", Amount=0.3)

    # The other divisor.
    own = [np.cov(g.T) for g in groups]
    pooled = sum((len(g) - 1) * c for g, c in zip(groups, own)) / (len(x) - 3)
    for method, covs in {"lda": [pooled] * 3, "qda": own}.items():
        joint = lambda z: np.column_stack([np.log(len(g) / len(x)) + multivariate_normal(g.mean(0), c).logpdf(z) for g, c in zip(groups, covs)])
        log = log_softmax(joint(ask), axis=1)
        cases.append({"Data": name, "Method": method, "Ask": ask.tolist(), "Posterior": np.exp(log).tolist(), "Alpha": [0.0] * 3, "Log": log[-4:].tolist(), "Divisor": "n-K"})
with open("discriminant.json", "w") as f:
    f.write("[" + ",\n".join(map(json.dumps, cases)) + "]\n")
