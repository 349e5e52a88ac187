"""Non-negative least squares by SciPy: digits in atoms that are other digits of length 1."""
import json
from scipy.optimize import nnls
from sklearn.datasets import load_digits

x = load_digits().data
atoms = x[100:112]
atoms = atoms / (atoms ** 2).sum(1, keepdims=True) ** 0.5
out = []
for i in range(8):
    w, residual = nnls(atoms.T, x[i])
    out.append({"Row": i, "Weights": w.tolist(), "Residual": residual})
json.dump(out, open("nnk.json", "w"))
