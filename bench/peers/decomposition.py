"""Peers of pkg/ml/decomposition."""
import numpy as np
from driver import data, peer


@data
def lowrank20k500():
    """30 hidden factors behind 500 columns, with noise."""
    r = np.random.default_rng(10)
    return r.normal(size=(20000, 30)) @ r.normal(size=(30, 500)) + 0.5 * r.normal(size=(20000, 500))


def explained(m):
    return lambda: {"share of the variance": m.explained_variance_ratio_.sum()}


@peer("pca-full", "scikit-learn", "sklearn.decomposition")
def pca_full(p):
    from sklearn.decomposition import PCA
    return explained(PCA(30, svd_solver="covariance_eigh").fit(p.x))


@peer("pca-randomized", "scikit-learn", "sklearn.decomposition")
def pca_randomized(p):
    from sklearn.decomposition import PCA
    return explained(PCA(30, svd_solver="randomized", random_state=p.seed).fit(p.x))


@peer("pca-incremental", "scikit-learn", "sklearn.decomposition")
def pca_incremental(p):
    from sklearn.decomposition import IncrementalPCA
    return explained(IncrementalPCA(30, batch_size=2500).fit(p.x))


@data
def mixed20k8():
    """Sines, square waves and Laplacian noise by turns, mixed by a random matrix."""
    r = np.random.default_rng(8)
    t = np.linspace(0, 64, 20000)
    s = [np.sin((i + 1) * t) if i % 3 == 0 else np.sign(np.sin((i + 1.5) * t)) if i % 3 == 1 else r.laplace(size=len(t))
         for i in range(8)]
    s = np.array(s).T
    s = (s - s.mean(0)) / s.std(0)
    return s @ r.normal(size=(8, 8)), s


def unmixed(s, truth):
    k = s.shape[1]
    return np.abs(np.corrcoef(s.T, truth.T)[:k, k:]).max(1).mean()


@peer("factor-analysis", "scikit-learn", "sklearn.decomposition")
def factor_analysis(p):
    from sklearn.decomposition import FactorAnalysis
    m = FactorAnalysis(30, random_state=p.seed).fit(p.x)
    return lambda: {"mean loglik": m.score(p.x)}


@peer("nmf", "scikit-learn", "sklearn.decomposition")
def nmf(p):
    from sklearn.decomposition import NMF
    m = NMF(16, init="nndsvda", max_iter=400, tol=1e-5, random_state=p.seed).fit(p.x)
    return lambda: {"Frobenius error": m.reconstruction_err_}


@peer("fastica", "scikit-learn", "sklearn.decomposition")
def fastica(p):
    from sklearn.decomposition import FastICA
    s = FastICA(8, whiten="unit-variance", random_state=p.seed, max_iter=500).fit_transform(p.x)
    return lambda: {"mean |corr| with the sources": unmixed(s, p.y)}


@peer("picard", "python-picard", "picard")
def picard(p):
    from picard import picard
    _, _, y = picard(p.x.T, random_state=p.seed)
    return lambda: {"mean |corr| with the sources": unmixed(y.T, p.y)}


@data
def demixed1200x400():
    """Means of 400 neurons under 6 stimuli and 2 decisions at 100 steps: a few signals of each, with overlapping weights, and noise."""
    r = np.random.default_rng(11)
    t = np.linspace(0, 1, 100)
    s, q, t = np.meshgrid(np.linspace(-1, 1, 6), [-1, 1], t, indexing="ij")
    signals = np.array([3 * np.sin(4 * t), 2 * np.exp(-30 * (t - .3) ** 2), 1.5 * s * t, s ** 2 * np.sin(6 * t), 1.5 * q * t ** 2,
                        q * (t > .6), 0.7 * s * q * np.exp(-40 * (t - .7) ** 2)]).reshape(7, -1).T
    return signals @ (r.normal(size=(7, 400)) + 0.6 * r.normal(size=400)) + 0.7 * r.normal(size=(1200, 400))


@peer("dpca", "dpca", "dPCA.dPCA")
def dpca(p):
    import contextlib
    import io
    from dPCA.dPCA import dPCA
    x = p.x.T.reshape(400, 6, 2, 100)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        m = dPCA("sqt", join={"st": ["s", "st"], "qt": ["q", "qt"], "sqt": ["sq", "sqt"]}, n_components=5, regularizer=1e-6)
        m.fit(x)

    def judge():
        y = x - x.reshape(400, -1).mean(1)[:, None, None, None]
        left = sum(np.sum((part - m.P[k] @ (m.D[k].T @ y.reshape(400, -1))) ** 2) for k, part in m._marginalize(y).items())
        return {"share of marginals rebuilt": 1 - left / np.sum(y ** 2)}
    return judge
