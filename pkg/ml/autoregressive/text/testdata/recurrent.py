"""Logits, loss and gradients of small recurrent networks and of a small WaveNet by JAX, for recurrent_test.go and wavenet_test.go.

    python recurrent.py        writes recurrent.json beside itself
"""
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
sigmoid = jax.nn.sigmoid
BLOCKS = {"gru": 3, "lstm": 4, "elman": 1}


def cell(kind, p, l, x, h, c, kept):
    w, u, b = p[f"/layer{l}/input"], p[f"/layer{l}/recurrent"], p[f"/layer{l}/biases"]
    a, s = x @ w + b, h @ u
    n = h.shape[-1]
    if kind == "gru":
        r = sigmoid(a[:, :n] + s[:, :n])
        z = sigmoid(a[:, n : 2 * n] + s[:, n : 2 * n])
        m = jnp.tanh(a[:, 2 * n :] + r * (s[:, 2 * n :] + p[f"/layer{l}/candidate"]))
        return (1 - z) * m * kept + z * h, c
    a = a + s
    if kind == "lstm":
        i, f, g, o = sigmoid(a[:, :n]), sigmoid(a[:, n : 2 * n]), jnp.tanh(a[:, 2 * n : 3 * n]), sigmoid(a[:, 3 * n :])
        c = f * c + i * g * kept
        return o * jnp.tanh(c), c
    return jnp.tanh(a), c


def recurrent(kind, layers, hidden, units=None, candidates=None):
    """units [layers, b, hidden] and candidates [layers, b, l, hidden] are factors of what each layer puts out and of its candidates."""

    def logits(p, x, symbols):  # [b, l] to [b, l, symbols]
        states = [(jnp.zeros((len(x), hidden)),) * 2 for _ in range(layers)]
        out = []
        for t in range(x.shape[1]):
            v = jax.nn.one_hot(x[:, t - 1], symbols, dtype=jnp.float64) if t else jnp.zeros((len(x), symbols))
            if "/embedding/weights" in p:
                v = v @ p["/embedding/weights"]
            for l in range(layers):
                states[l] = cell(kind, p, l, v, *states[l], 1 if candidates is None else candidates[l, :, t])
                v = states[l][0] * (1 if units is None else units[l])
            out.append(v @ p["/out/weights"] + p["/out/biases"])
        return jnp.stack(out, 1)

    return logits


def wavenet(dilations, channels):
    def logits(p, x, symbols):
        def dense(name, v):
            return v @ p[f"/{name}/weights"] + p[f"/{name}/biases"]

        def later(v, d):
            return jnp.pad(v, ((0, 0), (d, 0), (0, 0)))[:, : v.shape[1]]

        h, out = dense("in", later(jax.nn.one_hot(x, symbols, dtype=jnp.float64), 1)), 0
        for i, d in enumerate(dilations):
            a = dense(f"layer{i}/gated", jnp.concatenate([later(h, d), h], -1))
            both = dense(f"layer{i}/out", jnp.tanh(a[..., :channels]) * sigmoid(a[..., channels:]))
            h, out = h + both[..., :channels], out + both[..., channels:]
        return dense("logits", jax.nn.relu(dense("hidden", jax.nn.relu(out))))

    return logits


def case(r, logits, shapes, symbols, b, l):
    p = {k: jnp.asarray(np.float32(r.normal(size=s) * 0.6).astype(np.float64)) for k, s in shapes.items()}
    x = r.integers(0, symbols, (b, l))

    def loss(p):
        logp = jax.nn.log_softmax(logits(p, x, symbols))
        return -jnp.mean(jnp.take_along_axis(logp, x[..., None], -1))

    value, grads = jax.value_and_grad(loss)(p)
    flat = lambda a: np.asarray(a).ravel().tolist()  # noqa: E731
    return {"x": x.tolist(), "shapes": shapes, "weights": {k: flat(v) for k, v in p.items()}, "logits": flat(logits(p, x, symbols)), "loss": float(value),
            "gradients": {k: flat(v) for k, v in grads.items()}}


out, r = {}, np.random.default_rng(26)
symbols, hidden, b, l = 5, 4, 3, 7


def shapes_of(kind, layers, embed):
    g = BLOCKS[kind] * hidden
    shapes = {"/out/weights": [hidden, symbols], "/out/biases": [symbols]}
    if embed:
        shapes["/embedding/weights"] = [symbols, embed]
    for k in range(layers):
        shapes[f"/layer{k}/input"] = [hidden if k else embed or symbols, g]
        shapes[f"/layer{k}/recurrent"] = [hidden, g]
        shapes[f"/layer{k}/biases"] = [g]
        if kind == "gru":
            shapes[f"/layer{k}/candidate"] = [hidden]
    return shapes


for kind, layers, embed in (("gru", 1, 0), ("gru", 2, 3), ("lstm", 1, 0), ("lstm", 2, 3), ("elman", 2, 0)):
    out[f"{kind} {layers} {embed}"] = case(r, recurrent(kind, layers, hidden), shapes_of(kind, layers, embed), symbols, b, l)
channels, skip, dilations = 3, 4, [1, 2, 4]
shapes = {"/in": (symbols, channels), "/hidden": (skip, skip), "/logits": (skip, symbols)}
for i in range(len(dilations)):
    shapes |= {f"/layer{i}/gated": (2 * channels, 2 * channels), f"/layer{i}/out": (channels, channels + skip)}
shapes = {f"{k}/{name}": list(s) for k, (rows, cols) in shapes.items() for name, s in (("weights", (rows, cols)), ("biases", (cols,)))}
out["wavenet"] = case(r, wavenet(dilations, channels), shapes, symbols, b, 10)
# Dropout: noise below 1 − share is kept, and scaled up.
for kind in "gru", "lstm":
    noise = [np.float32(r.uniform(size=s)).astype(np.float64) for s in ((2, b, hidden), (2, b, l, hidden))]
    units, candidates = ((n < 1 - share) / (1 - share) for n, share in zip(noise, (0.25, 0.4)))
    out[f"{kind} dropout"] = case(r, recurrent(kind, 2, hidden, units, candidates), shapes_of(kind, 2, 3), symbols, b, l)
    out[f"{kind} dropout"]["noise"] = [n[layer].ravel().tolist() for layer in range(2) for n in noise]
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
print({k: v["loss"] for k, v in out.items()})
