"""Shapes and sums of the embedded tables as scikit-learn loads them. python reference.py > reference.json"""
import json
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_sample_image, load_wine

out = {}
for name, f in {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}.items():
    d = f()
    out[name] = {"n": d.data.shape[0], "d": d.data.shape[1], "sums": d.data.sum(0).tolist(), "last": d.data[-1].tolist(),
                 "labels": d.target.tolist(), "classes": [str(c) for c in d.target_names]}
for name in ("china", "flower"):
    img = load_sample_image(name + ".jpg")
    out[name] = {"n": img.shape[0], "d": img.shape[1], "sums": (img.reshape(-1, 3).mean(0) / 255).tolist()}
print(json.dumps(out))
