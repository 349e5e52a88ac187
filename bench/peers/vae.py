"""Peers of pkg/ml/vae."""
import numpy as np
from driver import peer
from training import Training, going_on, he


def elbo(w, x, eps):
    import jax
    import jax.numpy as jnp

    def net(layers, h):
        for a, b in layers:
            h = jax.nn.silu(h @ a + b)
        return h
    h = net(w["encoder"], x)
    mean, logvar = h @ w["mean"][0] + w["mean"][1], h @ w["logvar"][0] + w["logvar"][1]
    logits = net(w["decoder"], mean + jnp.exp(logvar / 2) * eps) @ w["out"][0] + w["out"][1]
    logp = jnp.sum(x * logits - jax.nn.softplus(logits), -1)
    return jnp.mean(logp - 0.5 * jnp.sum(mean**2 + jnp.exp(logvar) - logvar - 1, -1))


def loss(w, x, eps):
    return -elbo(w, x, eps)


def make(r):
    return {"encoder": [he(r, 784, 256), he(r, 256, 256)], "mean": he(r, 256, 16),
            "logvar": (np.zeros((256, 16), np.float32), np.zeros(16, np.float32)),
            "decoder": [he(r, 16, 256), he(r, 256, 256)], "out": he(r, 256, 784)}


@peer("vae-step", "jax", "jax")
def vae_step(p):
    return going_on(p, 200, make, loss, lambda: (np.float32(p.x[:8500] > 127),), noise=16)


@peer("vae-mnist", "jax", "jax")
def vae_mnist(p):
    import jax
    jax.clear_caches()  # each fit compiles anew, as the other side does
    bits = np.float32(p.x > 127)
    t = Training(make, loss, (bits[:8500],), p.seed, noise=16)
    t.steps(1980)

    def judge():
        r, f = np.random.default_rng([2, p.seed]), jax.jit(elbo)
        bounds = [float(f(t.weights, bits[8500:], r.standard_normal((1500, 16), np.float32))) for _ in range(16)]
        return {"-ELBO on the test images": -np.mean(bounds)}
    return judge
