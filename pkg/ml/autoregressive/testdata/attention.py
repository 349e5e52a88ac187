"""Attention with and without a mask, and its gradient, by JAX in float64: attention.json. Run: python attention.py"""
import json
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(0)


def attention(q, k, v, mask):
    logits = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    e = jnp.where(mask > 0, jnp.exp(logits), 0)
    total = e.sum(-1, keepdims=True)
    w = e / jnp.where(total > 0, total, 1)
    return w @ v, w


cases = []
for b, n, m, d, e, kind in [(2, 5, 5, 3, 4, "before"), (1, 4, 6, 2, 3, "all"), (3, 6, 6, 4, 1, "groups")]:
    q, k, v, c = (rng.standard_normal(s).astype(np.float32).astype(np.float64) for s in [(b, n, d), (b, m, d), (b, m, e), (b, n, e)])
    rank = {"before": list(range(n)), "all": None, "groups": [0, 1, 0, 2, 1, 2]}[kind]
    mask = np.ones((n, m)) if rank is None else (np.array(rank)[None, :] < np.array(rank)[:, None]).astype(float)
    out, w = attention(q, k, v, mask)
    grads = jax.grad(lambda q, k, v: (attention(q, k, v, mask)[0] * c).sum(), argnums=(0, 1, 2))(q, k, v)
    flat = lambda x: np.asarray(x).ravel().tolist()
    cases.append(dict(B=b, N=n, M=m, D=d, E=e, Rank=rank, Q=flat(q), K=flat(k), V=flat(v), C=flat(c), Out=flat(out), Weights=flat(w), DQ=flat(grads[0]), DK=flat(grads[1]), DV=flat(grads[2])))
with open("attention.json", "w") as f:
    json.dump(cases, f)
