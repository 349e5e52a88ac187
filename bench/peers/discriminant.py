"""Peers of pkg/ml/discriminant."""
from driver import data, peer
from inputs import blobs


@data
def classes20k50():
    return blobs(6, 20000, 50, 10, 0.3)


def judged(m, p):
    return lambda: {"mean log posterior": m.predict_log_proba(p.x)[range(len(p.y)), p.y.astype(int)].mean()}


@peer("lda", "scikit-learn", "sklearn.discriminant_analysis")
def lda(p):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    return judged(LinearDiscriminantAnalysis().fit(p.x, p.y), p)


@peer("qda", "scikit-learn", "sklearn.discriminant_analysis")
def qda(p):
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    return judged(QuadraticDiscriminantAnalysis().fit(p.x, p.y), p)
