"""Peers of pkg/ml/coding."""
import numpy as np
from driver import data, peer


@data
def letters2m():
    """Two million symbols of 64 with probabilities as of letters."""
    weights = np.exp(-np.arange(64) / 9)
    return np.random.default_rng(12).choice(64, 2_000_000, p=weights / weights.sum())


def static(p, encode, decode):
    from constriction import stream
    symbols = p.x.astype(np.int32).ravel()
    counts = np.bincount(symbols, minlength=64).astype(np.float64)
    model = stream.model.Categorical(counts / counts.sum(), perfect=False)
    packed = encode(stream, symbols, model)
    assert np.array_equal(decode(stream, packed, model, len(symbols)), symbols)
    return {"bits a symbol": 32 * len(packed) / len(symbols)}


@peer("coding-range", "constriction", "constriction")
def range_coder(p):
    def encode(stream, symbols, model):
        e = stream.queue.RangeEncoder()
        e.encode(symbols, model)
        return e.get_compressed()
    return static(p, encode, lambda stream, packed, model, n: stream.queue.RangeDecoder(packed).decode(model, n))


@peer("coding-ans", "constriction", "constriction")
def ans(p):
    def encode(stream, symbols, model):
        e = stream.stack.AnsCoder()
        e.encode_reverse(symbols, model)
        return e.get_compressed()
    return static(p, encode, lambda stream, packed, model, n: stream.stack.AnsCoder(packed).decode(model, n))
