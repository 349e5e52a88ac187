"""Peers of pkg/ml/sparse. The truth of an input is the dictionary, an atom a row."""
import numpy as np
from driver import data, peer


def patches(n):
    """Squares of 8×8 pixels of a photograph, less their means, and 256 others of them at norm 1."""
    from sklearn.datasets import load_sample_image
    gray = load_sample_image("china.jpg").mean(2) / 255
    r = np.random.default_rng(15)
    i, j = r.integers(0, gray.shape[0] - 8, n + 2000), r.integers(0, gray.shape[1] - 8, n + 2000)
    p = np.array([gray[a:a + 8, b:b + 8].ravel() for a, b in zip(i, j)])
    p -= p.mean(1)[:, None]
    norm = np.linalg.norm(p, axis=1)
    kept = p[n:][norm[n:] > 0.2][:256]
    return p[:n], kept / np.linalg.norm(kept, axis=1)[:, None]


@data
def patches5k64():
    return patches(5000)


@data
def patches2k64():
    return patches(2000)


@data
def planted200by64():
    """Rows of eight atoms each of 128 random ones in 64 dimensions."""
    r = np.random.default_rng(16)
    d = r.normal(size=(128, 64))
    d /= np.linalg.norm(d, axis=1)[:, None]
    z = np.zeros((200, 128))
    for row in z:
        row[r.permutation(128)[:8]] = r.normal(size=8)
    return z @ d, d


@data
def centereddigits():
    from sklearn.datasets import load_digits
    x = load_digits().data
    return x - x.mean(0)


def relative(x, z, d):
    return ((x - z @ d) ** 2).sum() / (x ** 2).sum()


def objective(p, z, penalty):
    return lambda: {"objective a row": (((p.x - z @ p.y) ** 2).sum() / 2 + penalty * np.abs(z).sum()) / len(z)}


@peer("omp", "scikit-learn", "sklearn.decomposition")
def omp(p):
    from sklearn.decomposition import sparse_encode
    z = sparse_encode(p.x, p.y, algorithm="omp", n_nonzero_coefs=10, n_jobs=p.threads)
    return lambda: {"relative error, ten atoms": relative(p.x, z, p.y)}


@peer("lasso-cd", "scikit-learn", "sklearn.decomposition")
def lasso(p):
    from sklearn.decomposition import sparse_encode
    return objective(p, sparse_encode(p.x, p.y, algorithm="lasso_cd", alpha=0.1, n_jobs=p.threads), 0.1)


@peer("lasso-lars", "scikit-learn", "sklearn.decomposition")
def lars(p):
    from sklearn.decomposition import sparse_encode
    return objective(p, sparse_encode(p.x, p.y, algorithm="lasso_lars", alpha=0.1, n_jobs=p.threads), 0.1)


@peer("basis-pursuit", "scipy", "scipy.optimize")
def basis_pursuit(p):
    from scipy.optimize import linprog
    k = len(p.y)
    sizes = [linprog(np.ones(2 * k), A_eq=np.c_[p.y.T, -p.y.T], b_eq=row, method="highs").fun for row in p.x]
    return lambda: {"size a row": np.mean(sizes)}


@peer("dictionary", "scikit-learn", "sklearn.decomposition")
def dictionary(p):
    from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
    m = MiniBatchDictionaryLearning(64, alpha=5, batch_size=64, max_iter=20, random_state=p.seed).fit(p.x)
    return lambda: {"relative error, six atoms": relative(p.x, sparse_encode(p.x, m.components_, algorithm="omp", n_nonzero_coefs=6), m.components_)}
