"""Codes of digits by dictionaries that scikit-learn learns: squared relative errors with six atoms. python dictionary.py > dictionary.json   (scikit-learn 1.9.1)"""
import json
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import MiniBatchDictionaryLearning

x = load_digits().data
x = x - x.mean(0)
out = {}
for alpha in (1, 5):
    m = MiniBatchDictionaryLearning(64, alpha=alpha, batch_size=64, max_iter=20, random_state=0, transform_algorithm="omp", transform_n_nonzero_coefs=6).fit(x)
    out[alpha] = float(((x - m.transform(x) @ m.components_) ** 2).sum() / (x ** 2).sum())
print(json.dumps(out))
