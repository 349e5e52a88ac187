"""Writes the .npy files that npy_test.go reads: every type, both byte orders, both memory orders, versions 1 to 3.

Run in this folder with NumPy: python arrays.py
"""
import numpy as np

rng = np.random.default_rng(0)
a = rng.integers(-100, 100, (3, 4, 5))
for t in ("<f8", ">f8", "<f4", ">f4", "<i8", ">i8", "<i4", ">i4", "|u1", "|b1"):
    v = (a % 2 if t == "|b1" else a % 256 if t == "|u1" else a).astype(t)
    name = {"<": "le", ">": "be", "|": "b"}[t[0]] + t[1:]
    np.save(f"{name}.npy", v)
    np.save(f"{name}-fortran.npy", np.asfortranarray(v))
np.save("elements-as-f8.npy", a.astype("<f8"))
np.save("scalar.npy", np.float64(2.5))
np.save("empty.npy", np.zeros((0, 7)))
for major in (1, 2, 3):
    with open(f"version{major}.npy", "wb") as f:
        np.lib.format.write_array(f, np.arange(6.0).reshape(2, 3), version=(major, 0))
