"""Peers of pkg/ml/topic."""
import numpy as np
from driver import data, peer

HELD_OUT = 500


@data
def corpus4k():
    """4,500 documents of 120 words from 20 topics over 2,000 words, and the topics; the last 500 are held out."""
    r = np.random.default_rng(9)
    phi = r.dirichlet(np.full(2000, 0.05), 20)
    theta = r.dirichlet(np.full(20, 0.1), 4500)
    return np.array([r.multinomial(120, p) for p in theta @ phi]), phi


def judge(phi, p):
    """Half of the words of each held-out document, dealt out in turn, give its proportions, the other half is foretold."""
    phi = phi / phi.sum(1, keepdims=True)
    logs, words = 0.0, 0
    for row in p.x[-HELD_OUT:]:
        w = np.repeat(np.arange(len(row)), row.astype(int))
        first, second = phi[:, w[::2]], phi[:, w[1::2]]
        theta = np.full(len(phi), 1 / len(phi))
        for _ in range(200):
            z = theta[:, None] * first
            theta = (z / z.sum(0)).sum(1) + 0.1
            theta /= theta.sum()
        logs -= np.log(theta @ second).sum()
        words += second.shape[1]
    a, b = p.y / np.linalg.norm(p.y, axis=1, keepdims=True), phi / np.linalg.norm(phi, axis=1, keepdims=True)
    return {"perplexity of held-out words": np.exp(logs / words), "cosine with the true topics": (a @ b.T).max(1).mean()}


def variational(p):
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import LatentDirichletAllocation
    m = LatentDirichletAllocation(20, doc_topic_prior=0.1, topic_word_prior=0.05, max_iter=30, random_state=p.seed, n_jobs=p.threads)
    m.fit(csr_matrix(p.x[:-HELD_OUT]))
    return lambda: judge(m.components_, p)


@peer("lda-topics", "scikit-learn", "sklearn.decomposition")
def lda_topics(p):
    return variational(p)


@peer("lda-variational", "scikit-learn", "sklearn.decomposition")
def lda_variational(p):
    return variational(p)


@peer("lda-gibbs", "tomotopy", "tomotopy")
def lda_gibbs(p):
    import tomotopy as tp
    m = tp.LDAModel(k=20, alpha=0.1, eta=0.05, seed=p.seed + 1)
    names = [str(j) for j in range(p.x.shape[1])]
    for row in p.x[:-HELD_OUT]:
        m.add_doc([names[j] for j in np.flatnonzero(row) for _ in range(int(row[j]))])
    m.train(100, workers=p.threads)

    def figures():
        phi = np.full((20, p.x.shape[1]), 1e-9)
        columns = [int(w) for w in m.used_vocabs]
        for k in range(20):
            phi[k, columns] = m.get_topic_word_dist(k)
        return judge(phi, p)
    return figures
