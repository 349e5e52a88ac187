"""Peers of pkg/datasets."""
import io

import numpy as np
from driver import data, peer


@data
def csv1e6x20():
    """A text of a million rows and twenty columns, eight of its bytes in each number: four columns to seventeen digits, one
    of them with cells missing, four to three places, nine of whole numbers, two of words, one of truth values."""
    r = np.random.default_rng(21)
    n = 10**6
    exact = [[repr(v) for v in r.normal(2, 1, n).tolist()] for _ in range(4)]
    for i in np.flatnonzero(r.random(n) < 0.05):
        exact[2][i] = ""
    rounded = [["%.3f" % v for v in r.normal(2, 1, n).tolist()] for _ in range(4)]
    whole = [[str(v) for v in r.integers(0, 1000, n).tolist()] for _ in range(9)]
    words = [np.array(["oak", "ash", "elm", "fir"])[r.integers(0, 4, n)].tolist() for _ in range(2)]
    truth = [np.array(["True", "False"])[r.integers(0, 2, n)].tolist()]
    columns = exact + rounded + whole + words + truth
    lines = [",".join("v%d" % j for j in range(len(columns)))] + [",".join(cells) for cells in zip(*columns)]
    text = "\n".join(lines).encode()
    return np.frombuffer(text.ljust(n * 20 * 8, b"\n"), dtype="<f8").reshape(n, 20)


@peer("read-csv", "pandas", "pandas")
def read_csv(p):
    import pandas
    t = pandas.read_csv(io.BytesIO(memoryview(p.x).cast("B")))

    def judge():
        numbers = t.select_dtypes("number")
        return {"sum": float(numbers.sum().sum()), "missing": float(t.isna().sum().sum())}
    return judge
