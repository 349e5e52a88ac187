"""Sparse component analysis by the formulas and defaults of its authors' program, with gradients by jax: sca.json. python sca.py

The data have a root mean square of 1, for which the library takes the same steps."""
import json
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
r = np.random.default_rng(16)
n, d, k = 40, 6, 3
z = np.maximum(r.normal(size=(n, k)) - 0.8, 0)
x = z @ r.normal(size=(k, d)) + 0.1 * r.normal(size=(n, d)) + 0.3
x = np.round(x / np.sqrt(np.mean(x ** 2)), 6)
x /= np.sqrt(np.mean(x ** 2))
w = 1 / (np.sqrt(np.sum(x ** 2, 1)) + .1)
w = w / w.mean()


def fit(weights):
    _, _, vt = np.linalg.svd(x * weights[:, None])
    u = vt[:k].T
    left = np.sum((x - x @ u @ u.T) ** 2)
    sparse, orth = .1 * left / np.sum(np.abs(x @ u)), .1 * left / (k * (k - 1) * .01)

    @jax.jit
    def loss(p):
        v = p["v"] / jnp.linalg.norm(p["v"], axis=0)
        s = x @ p["u"] + p["b"]
        return (jnp.sum((weights[:, None] * (s @ v.T + p["c"] - x)) ** 2) + sparse * jnp.sum(jnp.abs(s)) + orth * jnp.sum((v.T @ v - jnp.eye(k)) ** 2))

    gradient = jax.jit(jax.value_and_grad(loss))
    p = {"u": u, "v": u, "b": np.zeros(k), "c": np.zeros(d)}
    m, s = [{key: 0 * v for key, v in p.items()} for _ in range(2)]
    rate, best, bad, losses = 1e-3, np.inf, 0, []
    for step in range(1, 401):
        value, g = gradient(p)
        value = float(value)
        losses.append(value)
        for key in p:
            gk = np.array(g[key])
            m[key] = .9 * m[key] + .1 * gk
            s[key] = .999 * s[key] + .001 * gk ** 2
            p[key] = p[key] - rate / (1 - .9 ** step) * m[key] / (np.sqrt(s[key]) / np.sqrt(1 - .999 ** step) + 1e-8)
        if value < best * (1 - 1e-6):
            best, bad = value, 0
        else:
            bad += 1
            if bad > 100:
                rate, bad = max(rate * .5, 5e-4), 0
    losses.append(float(loss(p)))
    return {"Sparsity": sparse, "Orthogonality": orth, "Losses": [min(losses[:i + 1]) for i in (0, 1, 10, 100, 400)], "V": (p["v"] / np.linalg.norm(p["v"], axis=0)).tolist(),
            "U": p["u"].tolist(), "B": p["b"].tolist(), "C": p["c"].tolist(), "Falling": losses[-1] == min(losses)}


with open("sca.json", "w") as f:
    json.dump({"X": x.tolist(), "Weights": w.tolist(), "Plain": fit(np.ones(n)), "Weighted": fit(w)}, f)
    f.write("\n")
