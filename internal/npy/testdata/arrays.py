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

# What only ReadEvery takes. The numbers have the values of a, as far as the type goes.
b = rng.integers(0, 100, (3, 4))
np.save("every-as-f8.npy", b.astype("<f8"))
for t in ("<f2", ">f2", "|i1", "<i2", ">i2", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"):
    np.save({"<": "le", ">": "be", "|": "b"}[t[0]] + t[1:] + ".npy", b.astype(t))
for t in ("<c8", ">c8", "<c16", ">c16"):
    np.save({"<": "le", ">": "be"}[t[0]] + t[1:] + ".npy", (b - 1j * b).astype(t))
np.save("half.npy", np.array([0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x3555, 0xc000], "<u2").view("<f2"))
np.save("half-as-f8.npy", np.load("half.npy").astype("<f8"))
words = ["setosa", "Größe", "", "日本"]
np.save("leU.npy", np.array(words, "<U8"))
np.save("beU.npy", np.array(words, ">U8"))
np.save("bS.npy", np.array([w.encode() for w in words]))
np.save("latinS.npy", np.array(["é".encode("latin-1")]))
for u in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"):
    np.save(f"date{u}.npy", np.array(["1969-07-20T20:17", "2024-02-29T12:30", "NaT"], f"<M8[{u}]"))
