#!/usr/bin/env python3
"""Values of the discretized mixture of logistics for logistic_test.go, by JAX in float64 from the definition: python logistics.py > logistics.json"""
import json

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def log_prob(out, x, levels, k):
    logits, mean, log_width = out[:k], out[k:2 * k], out[2 * k:]
    mean = mean + (2 * jnp.arange(k) + 1) / k - 1
    log_width = jnp.clip(log_width - jnp.log(2 * k), -7, 4)
    value, half, width = 2 * x / (levels - 1) - 1, 1 / (levels - 1), jnp.exp(log_width)
    upper = jnp.where(x == levels - 1, jnp.inf, (value + half - mean) / width)
    lower = jnp.where(x == 0, -jnp.inf, (value - half - mean) / width)
    # the difference in the tail where it does not cancel
    flip = lower > 0
    mass = jnp.where(flip, jax.nn.sigmoid(-lower) - jax.nn.sigmoid(-upper), jax.nn.sigmoid(upper) - jax.nn.sigmoid(lower))
    return jax.nn.logsumexp(jax.nn.log_softmax(logits) + jnp.log(mass))


cases, r = [], np.random.default_rng(1)
for levels, k, scale in [(2, 1, 1), (17, 5, 1), (17, 3, 3), (256, 5, 1), (256, 10, 2)]:
    for _ in range(6):
        out = np.float32(scale * r.normal(size=3 * k))
        x = int(r.choice([0, levels - 1, r.integers(levels)]))
        f = lambda o: log_prob(o, x, levels, k)
        # in halves, so that no sigmoid's derivative is asked for at an infinity
        grad = [float((f(jnp.float64(out) + e) - f(jnp.float64(out) - e)) / 2e-6) for e in 1e-6 * np.eye(3 * k)]
        cases.append({"levels": levels, "components": k, "x": x, "out": out.tolist(), "log_prob": float(f(jnp.float64(out))), "gradient": grad})
json.dump(cases, open("/dev/stdout", "w"))
