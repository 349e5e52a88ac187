"""Writes the files that numpy_test.go reads. Run in this folder with NumPy: python arrays.py"""
import numpy as np

rng = np.random.default_rng(3)
n = 6
np.savez_compressed("mixed.npz", x=rng.normal(size=(n, 2)).astype("f4"), y=np.array(["a", "b", "a", "ü", "b", "a"]),
                    flag=np.array([1, 0, 1, 1, 0, 0], bool), when=np.array(["2024-01-01", "NaT"] + ["2024-01-02"] * 4, "M8[D]"),
                    count=np.arange(n, dtype="u2"), z=np.arange(n) + 1j, pictures=np.arange(n * 4, dtype="u1").reshape(n, 2, 2))
np.savez("unequal.npz", x=np.zeros((4, 2)), mean=np.zeros(2))
np.save("x.npy", np.array([[1, np.nan], [3, 4], [5, 6]], ">f4", order="F"))
np.save("ids.npy", np.array([2**63 + 3, 7], "u8"))
np.save("cube.npy", np.arange(24, dtype="i2").reshape(2, 3, 4))
