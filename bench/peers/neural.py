"""Peers of pkg/ml/neural."""
import numpy as np
from driver import peer
from training import going_on, he, relu


@peer("mlp-step", "jax", "jax")
def mlp(p):
    import jax
    import jax.numpy as jnp

    def loss(w, x, y):
        h = relu(x @ w[0][0] + w[0][1])
        logp = jax.nn.log_softmax(h @ w[1][0] + w[1][1])
        return -jnp.mean(jnp.take_along_axis(logp, y[:, None], 1))
    return going_on(p, 400, lambda r: [he(r, 784, 256), he(r, 256, 10)], loss,
                    lambda: (np.float32(p.x[:8500] / 255), p.y[:8500].astype(np.int32)))
