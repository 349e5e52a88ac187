"""Inputs that several families share, and what makes them."""
import gzip
import os

import numpy as np
from driver import data

DATASETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "pkg", "datasets", "data")


def blobs(seed, n, d, k, spread):
    r = np.random.default_rng(seed)
    c = r.normal(size=(k, d)) * spread
    y = r.integers(0, k, n)
    return c[y] + r.normal(size=(n, d)), y


def unzipped(name):
    with gzip.open(os.path.join(DATASETS, name)) as f:
        return f.read()


@data
def digits():
    from sklearn.datasets import load_digits
    return load_digits(return_X_y=True)


@data
def blobs20k50():
    return blobs(5, 20000, 50, 10, 3.0)


def mnist(what):
    """The 8,500 to train on and the 1,500 to test on, one after the other."""
    header, shape = (16, (-1, 784)) if what == "images" else (8, -1)
    sides = [unzipped(f"mnist10k-{side}-{what}-idx{3 if what == 'images' else 1}-ubyte.gz") for side in ("train", "test")]
    return np.concatenate([np.frombuffer(b, np.uint8, offset=header).astype(float).reshape(shape) for b in sides])


@data
def mnist10k():
    return mnist("images"), mnist("labels")
