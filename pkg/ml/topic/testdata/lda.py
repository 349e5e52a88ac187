"""Variational Bayes of scikit-learn 1.9.1, batch and online, from a start that is kept: lda.json. python lda.py"""
import json
import numpy as np
from scipy.special import digamma, gammaln
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.decomposition._online_lda_fast import _dirichlet_expectation_2d

r = np.random.default_rng(3)
K, V, N = 3, 15, 40
phi = r.dirichlet(np.full(V, 0.2), K)
x = np.array([r.multinomial(n, p) for n, p in zip(r.integers(5, 40, N), r.dirichlet(np.full(K, 0.3), N) @ phi)], dtype=float)
x[7] = 0  # a document without words
x[:, 4] = 0  # a word that is never used
start = r.gamma(100, 0.01, (K, V))
alpha, eta = 0.4, 0.2


def model(**more):
    m = LatentDirichletAllocation(K, doc_topic_prior=alpha, topic_word_prior=eta, mean_change_tol=1e-13, max_doc_update_iter=5000, **more)
    m.partial_fit(x[:1])  # sets it up
    m.components_ = start.copy()
    m.exp_dirichlet_component_ = np.exp(_dirichlet_expectation_2d(m.components_))
    m.n_batch_iter_, m.n_iter_ = 1, 0
    e_step = m._e_step  # γ starts from ones and not from chance, so that there is one answer
    m._e_step = lambda X, cal_sstats, random_init, parallel=None: e_step(X, cal_sstats, False, parallel)
    return m


def bound(m, gamma):
    """The lower bound as it is defined; scikit-learn's own takes the topics' part over the test words."""
    lam = m.components_
    lt = digamma(gamma) - digamma(gamma.sum(1, keepdims=True))
    lb = digamma(lam) - digamma(lam.sum(1, keepdims=True))
    total = 0.0
    for d in range(N):
        for w in np.nonzero(x[d])[0]:
            total += x[d, w] * np.log(np.exp(lt[d] + lb[:, w]).sum())
    total += ((alpha - gamma) * lt + gammaln(gamma) - gammaln(alpha)).sum() + (gammaln(K * alpha) - gammaln(gamma.sum(1))).sum()
    total += ((eta - lam) * lb + gammaln(lam) - gammaln(eta)).sum() + (gammaln(V * eta) - gammaln(lam.sum(1))).sum()
    return total


batch = model(learning_method="batch")
bounds = []
for _ in range(8):
    gamma, stats = batch._e_step(x, cal_sstats=True, random_init=False)
    batch.components_ = eta + stats
    batch.exp_dirichlet_component_ = np.exp(_dirichlet_expectation_2d(batch.components_))
    bounds.append(bound(batch, gamma))
online = model(learning_method="online", learning_decay=0.6, learning_offset=5.0, total_samples=N)
for lo in range(0, N, 16):
    online._em_step(x[lo:lo + 16], total_samples=N, batch_update=False)
with open("lda.json", "w") as f:
    json.dump({"Counts": x.tolist(), "Start": start.tolist(), "Alpha": alpha, "Eta": eta, "Lambda": batch.components_.tolist(),
               "Documents": (gamma / gamma.sum(1, keepdims=True)).tolist(), "Bounds": bounds,
               "Transform": batch.transform(x).tolist(), "Online": online.components_.tolist()}, f)
print(bounds, online.n_batch_iter_)
