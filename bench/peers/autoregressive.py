"""Peers of pkg/ml/autoregressive."""
import numpy as np
from driver import data, peer
from inputs import unzipped
from training import glorot, going_on, relu


@data
def shakespeare200k():
    return np.frombuffer(unzipped("tinyshakespeare.txt.gz")[:200_000], np.uint8).astype(float)


def bits(p):
    return lambda: (np.float32(p.x[:8500] > 127),)


def affine(r, *shape):
    return glorot(r, *shape), np.zeros(shape[-1], np.float32)


@peer("lstm-step", "jax", "jax")
def lstm_step(p):
    """The recurrence is a lax.scan; the inputs' part of all steps is one product before it."""
    import jax
    import jax.numpy as jnp
    alphabet, s = np.unique(p.x, return_inverse=True)
    symbols, hidden, length = len(alphabet), 256, 64

    def make(r):
        b = np.zeros(4 * hidden, np.float32)
        b[hidden:2 * hidden] = 1  # it remembers at first
        return {"w": glorot(r, symbols, 4 * hidden), "u": glorot(r, hidden, 4 * hidden), "b": b, "out": affine(r, hidden, symbols)}

    def loss(w, x):
        x = x.T
        hot = jax.nn.one_hot(x, symbols, dtype=jnp.float32)
        a = jnp.concatenate([jnp.zeros_like(hot[:1]), hot[:-1]]) @ w["w"] + w["b"]

        def cell(state, a):
            h, c = state
            i, f, g, o = jnp.split(a + h @ w["u"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        zero = jnp.zeros((x.shape[1], hidden), jnp.float32)
        _, h = jax.lax.scan(cell, (zero, zero), a)
        logp = jax.nn.log_softmax(h @ w["out"][0] + w["out"][1])
        return -jnp.mean(jnp.sum(hot * logp, -1))

    def windows():
        return (np.stack([s[i:i + length].astype(np.int32) for i in range(0, len(s) - length + 1, length // 4)]),)
    return going_on(p, 100, make, loss, windows, batch=64, clip=1)


@peer("made-step", "jax", "jax")
def made_step(p):
    import jax
    import jax.numpy as jnp
    d, wide = 784, 500
    seen, own = np.arange(1, d + 1), 1 + np.arange(wide) * (d - 1) // wide

    def less(a, b):
        return np.float32(a[:, None] < b)

    def up_to(a, b):
        return np.float32(a[:, None] <= b)
    masks = up_to(seen, own), up_to(own, own), less(own, seen), less(seen, seen)

    def loss(w, x, noise):
        h = x
        for (a, b), mask, part in zip(w["hidden"], masks, (noise[:, :wide], noise[:, wide:])):
            h = relu(h @ (a * mask) + b) * jnp.float32(part < 0) * 2  # dropout of one half
        logits = h @ (w["out"] * masks[2]) + x @ (w["direct"][0] * masks[3]) + w["direct"][1]
        return -jnp.mean(jnp.sum(x * logits - jax.nn.softplus(logits), -1))

    def make(r):
        return {"hidden": [affine(r, d, wide), affine(r, wide, wide)], "out": glorot(r, wide, d), "direct": affine(r, d, d)}
    return going_on(p, 200, make, loss, bits(p), noise=2 * wide)


@peer("pixelcnn-step", "jax", "jax")
def pixelcnn_step(p):
    import jax
    import jax.numpy as jnp
    c = 16

    def conv(w, h, rows, columns):
        """rows above and columns to either side, as negative padding where a pixel's own row or column is left out"""
        return jax.lax.conv_general_dilated(h, w[0], (1, 1), (rows, columns), dimension_numbers=("NHWC", "HWIO", "NHWC")) + w[1]

    def gate(h):
        return jnp.tanh(h[..., :c]) * jax.nn.sigmoid(h[..., c:])

    def dense(w, h):
        return h @ w[0] + w[1]

    def loss(w, x):
        x = x.reshape(-1, 28, 28)
        h = jnp.stack([2 * x - 1, jnp.ones_like(x)], -1)
        v = conv(w["v"], h, (2, -1), (2, 2))
        h = conv(w["h"], h, (0, 0), (2, -1)) + dense(w["link"], v) + w["left"]
        v = v + w["above"]
        for q in w["layers"]:
            wide = conv(q["v"], v, (1, 0), (1, 1))
            long = conv(q["h"], h, (0, 0), (1, 0)) + dense(q["link"], wide)
            v = gate(wide)
            h = h + dense(q["mix"], gate(long))
        logits = dense(w["out"], relu(dense(w["last"], relu(h))))[..., 0]
        return -jnp.mean(jnp.sum(x * logits - jax.nn.softplus(logits), (-1, -2)))

    def make(r):
        place = np.zeros((28, 28, c), np.float32)
        layers = [{"v": affine(r, 2, 3, c, 2 * c), "h": affine(r, 1, 2, c, 2 * c), "link": affine(r, 2 * c, 2 * c),
                   "mix": affine(r, c, c)} for _ in range(2)]
        return {"v": affine(r, 2, 5, 2, c), "h": affine(r, 1, 2, 2, c), "link": affine(r, c, c), "above": place,
                "left": place.copy(), "last": affine(r, c, c), "out": affine(r, c, 1), "layers": layers}
    return going_on(p, 20, make, loss, bits(p))
