"""Unmixing matrices by scikit-learn's FastICA and python-picard, of signals that formulas make.
python ica.py > ica.json   (numpy 2.4.6, scikit-learn 1.9.1, python-picard 0.8.2)"""
import json
import numpy as np
from picard import picard
from sklearn.decomposition import FastICA

A = np.array([[1.0, 0.5, 0.2], [-0.3, 1.0, 0.4], [0.6, -0.2, 1.0]])


def signals(kind, n=1000):
    """mixed: a sine, a sawtooth and a logistic noise. peaked: a logistic, a Laplacian and a cube."""
    i = np.arange(n)
    u, v, w = (((i * m) % p + 0.5) / p for m, p in ((53, 997), (37, 991), (71, 983)))
    logistic = np.log(u / (1 - u))
    laplace = -np.sign(v - 0.5) * np.log(1 - 2 * np.abs(v - 0.5))
    if kind == "mixed":
        return np.c_[np.sin(0.1 * i), 2 * v - 1, logistic] @ A.T
    return np.c_[logistic, laplace, (2 * w - 1) ** 3] @ A.T


def whitened(x):
    """Data with identity covariance by n, and the matrix that makes them so: the entry of largest size in a row is positive."""
    x = x - x.mean(0)
    values, v = np.linalg.eigh(x.T @ x / len(x))
    v = v[:, ::-1].T
    v *= np.sign(v[np.arange(3), np.abs(v).argmax(1)])[:, None]
    k = v / np.sqrt(values[::-1])[:, None]
    return x @ k.T, k


def fastica(x, fun, algorithm):
    z, k = whitened(x)
    m = FastICA(whiten=False, fun=fun, algorithm=algorithm, tol=1e-14, max_iter=5000, w_init=np.eye(3)).fit(z)
    return (m.components_ @ k).tolist()


def quasi_newton(x, **options):
    z, k = whitened(x)
    _, w, _ = picard(z.T, tol=1e-10, w_init=np.eye(3), whiten=False, centering=False, **options)
    return (w @ k / np.std(z @ w.T, axis=0)[:, None]).tolist()


out = {}
for kind in ("mixed", "peaked"):
    x = signals(kind)
    out[kind] = {f"{a} {f}": fastica(x, f, a) for a in ("parallel", "deflation") for f in ("logcosh", "exp", "cube")}
    out[kind]["picard orthogonal"] = quasi_newton(x, ortho=True)
    out[kind]["picard plain"] = quasi_newton(x, ortho=False, extended=True)
out["peaked"]["picard plain peaked"] = quasi_newton(signals("peaked"), ortho=False, extended=False)
print(json.dumps(out))
