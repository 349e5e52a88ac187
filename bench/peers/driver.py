"""What all peers share: which there are, their inputs, and the clock.

    python bench/peers data DIR INPUT...      write each input as DIR/INPUT.npy (float64, C order), and its truth as
                                              DIR/INPUT_y.npy where it has one
    python bench/peers run DIR INPUT PEER [--threads N] [--repeat R] [--seed S]
                                              fit R times and print one line of JSON
    python bench/peers list                   name the peers

A family's file beside this one declares peers and the inputs that only they have. A new one is a function

    @peer("pca-full", "scikit-learn", "sklearn.decomposition")
    def pca(p):
        m = PCA(30).fit(p.x)
        return {"explained variance": m.explained_variance_ratio_.sum()}

and a row of that name in the family's rows_*.go, which names the input and says of each figure whether higher or lower
is better. p holds x, y (or None), seed and threads. The clock runs over the function; what it takes to judge a solution
and is no part of finding it goes into a function that is returned in place of the figures, and runs off the clock.

A line of JSON: {"method", "impl", "n", "d", "seconds", "cpu_seconds", "threads", "first_seconds", "import_seconds",
"peak_mb", "fits": {figure: [one number a fit]}}. "seconds" is the best fit; "first_seconds" the first, with whatever is
compiled just in time; "import_seconds" what importing the peer cost. On a busy machine two threads can be many times
slower than one, since BLAS threads spin while they wait: run with one and with two, and let the better count.
"""
import argparse
import hashlib
import importlib
import importlib.metadata
import inspect
import json
import os
import resource
import sys
import time
import types
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
FAMILIES = sorted(f[:-3] for f in os.listdir(HERE) if f.endswith(".py") and f not in ("__main__.py", "driver.py"))
PEERS, INPUTS = {}, {}


def peer(name, distribution, module):
    """Declare the function below as the peer of the row with this name; module is what is imported of a distribution."""
    def declare(fit):
        PEERS[name] = (distribution, module, fit)
        return fit
    return declare


def data(make):
    """Declare the function below, which gives x or (x, y), as the input of its name."""
    INPUTS[make.__name__] = make
    return make


def write(directory, name):
    """Write an input, unless what is there was made by the same text of the files that make it."""
    import numpy as np
    make = INPUTS[name]
    digest = hashlib.sha256()
    for file in sorted({inspect.getsourcefile(make), os.path.join(HERE, "inputs.py")}):
        with open(file, "rb") as f:
            digest.update(f.read())
    stamp = os.path.join(directory, name + ".sha256")
    if os.path.exists(stamp):
        with open(stamp) as f:
            if f.read() == digest.hexdigest():
                return
    made = make()
    x, y = made if isinstance(made, tuple) else (made, None)
    for suffix, values in (("", x), ("_y", y)):
        if values is not None:
            path = os.path.join(directory, name + suffix + ".npy")
            with open(path + ".part", "wb") as f:
                np.save(f, np.ascontiguousarray(values, dtype=np.float64))
            os.replace(path + ".part", path)
    with open(stamp, "w") as f:
        f.write(digest.hexdigest())


def measure(a):
    import numpy as np
    distribution, module, fit = PEERS[a.peer]
    row = {"method": a.peer, "impl": distribution + " " + importlib.metadata.version(distribution), "threads": a.threads}
    began = time.perf_counter()
    importlib.import_module(module)
    row["import_seconds"] = round(time.perf_counter() - began, 3)
    path = os.path.join(a.dir, a.input)
    p = types.SimpleNamespace(x=np.load(path + ".npy"), y=None, threads=a.threads, first_seed=a.seed)
    if os.path.exists(path + "_y.npy"):
        p.y = np.load(path + "_y.npy")
    row["n"], row["d"] = p.x.shape[0], p.x.shape[1] if p.x.ndim > 1 else 1
    wall, cpu, found = [], [], []
    for k in range(a.repeat):
        p.seed = a.seed + k
        np.random.seed(p.seed)  # for peers that draw from the global generator, so that they may use all threads
        w, c = time.perf_counter(), sum(os.times()[:4])
        found.append(fit(p))
        wall.append(time.perf_counter() - w)
        cpu.append(sum(os.times()[:4]) - c)
    row |= {"seconds": round(min(wall), 4), "cpu_seconds": round(min(cpu), 3), "first_seconds": round(wall[0], 4),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20))}
    found = [f() if callable(f) else f for f in found]
    row["fits"] = {figure: [float(f[figure]) for f in found] for figure in found[0]}
    return row


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = ap.add_subparsers(dest="what", required=True)
    sub = what.add_parser("data")
    sub.add_argument("dir")
    sub.add_argument("inputs", nargs="+")
    sub = what.add_parser("run")
    sub.add_argument("dir")
    sub.add_argument("input")
    sub.add_argument("peer")
    sub.add_argument("--repeat", type=int, default=2)
    sub.add_argument("--threads", type=int, default=2)
    sub.add_argument("--seed", type=int, default=0, help="of the first fit; each next one has the next")
    what.add_parser("list")
    a = ap.parse_args()
    # Before NumPy is imported: they are read once.
    for v in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[v + "_NUM_THREADS"] = str(getattr(a, "threads", 1))
    warnings.filterwarnings("ignore")
    for family in FAMILIES:
        importlib.import_module(family)
    if a.what == "list":
        print(*sorted(PEERS), sep="\n")
    elif a.what == "data":
        os.makedirs(a.dir, exist_ok=True)
        for name in a.inputs:
            write(a.dir, name)
    else:
        try:
            row = measure(a)
        except Exception as e:  # noqa: BLE001: whatever it is, the table's writer is told
            row = {"method": a.peer, "impl": PEERS[a.peer][0] if a.peer in PEERS else "?", "error": repr(e)[:500]}
        print(json.dumps(row), flush=True)
