"""Training in JAX for the peers that are networks: Adam written out, minibatches cut by the host.

A network is compiled at the first fit of a process and kept for the next, on both sides, and nothing waits for a step but
the end. Starting weights are drawn from the distributions that the Go side draws from, by seeds of this side's own.
"""
import numpy as np

kept = {}


def adam(loss, rate, clip):
    import jax
    import jax.numpy as jnp

    def step(state, batch, t):
        p, m, v = state
        value, g = jax.value_and_grad(loss)(p, *batch)
        if clip:
            norm = jnp.sqrt(sum(jnp.sum(d * d) for d in jax.tree.leaves(g)))
            g = jax.tree.map(lambda d: d * jnp.minimum(clip / norm, 1), g)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        p = jax.tree.map(lambda p, m, v: p - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), p, m, v)
        return (p, m, v), value
    return jax.jit(step, donate_argnums=0)


def he(r, inputs, outputs):
    """A matrix by He et al. (2015), and biases of zero."""
    return np.float32(r.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs)), np.zeros(outputs, np.float32)


def glorot(r, *shape):
    """Weights by Glorot & Bengio (2010), uniform; all axes but the last are inputs."""
    return np.float32(r.uniform(-1, 1, shape) * np.sqrt(6 / (np.prod(shape[:-1]) + shape[-1])))


def relu(x):
    """GoMLX's: its derivative at 0 is 1, jax.nn.relu's is 0. Where pixels are black and biases 0 at first, it matters."""
    import jax.numpy as jnp
    return jnp.where(x >= 0, x, 0)


class Training:
    """A network on its way: make(r) gives its starting weights, loss(weights, *batch) what falls."""

    def __init__(self, make, loss, arrays, seed, batch=128, noise=0, clip=0, rate=1e-3):
        import jax
        weights = make(np.random.default_rng([0, seed]))
        zeros = jax.tree.map(np.zeros_like, weights)
        self.state = jax.tree.map(jax.numpy.array, (weights, zeros, jax.tree.map(np.zeros_like, weights)))
        self.step, self.t, self.r = adam(loss, rate, clip), 0, np.random.default_rng([1, seed])
        self.arrays, self.batch, self.noise, self.order = arrays, batch, noise, []

    @property
    def weights(self):
        return self.state[0]

    def steps(self, n):
        """Take n steps; returns the mean loss of the last 100."""
        losses = []
        for _ in range(n):
            if len(self.order) < self.batch:
                self.order = self.r.permutation(len(self.arrays[0]))
            rows, self.order = self.order[:self.batch], self.order[self.batch:]
            batch = [a[rows] for a in self.arrays]
            if self.noise:
                batch.append(self.r.standard_normal((self.batch, self.noise), np.float32))
            self.t += 1
            self.state, value = self.step(self.state, batch, np.float32(self.t))
            losses.append(value)
        return float(np.mean([float(v) for v in losses[-100:]]))


def going_on(p, n, make, loss, arrays, **how):
    """n steps of one training, which goes on from where the fit before stopped. arrays() gives what batches are cut of."""
    if "training" not in kept:
        kept["training"] = Training(make, loss, arrays(), p.first_seed, **how)
    return {"training loss": kept["training"].steps(n)}
