"""Values of the distributions and their gradients, by JAX 0.10.2 in float64: python dist.py > dist.json

Inputs are wave(phase, shape): see internal/graphtest.
"""
import json, math
import jax, jax.numpy as jnp
import numpy as np
jax.config.update("jax_enable_x64", True)
from jax.scipy.stats import bernoulli, norm, logistic

def wave(phase, *shape):
    n = int(np.prod(shape))
    return jnp.array([math.sin(phase + 1.3 * i) for i in range(n)]).reshape(shape)

cases = {}

def case(name, f, *inputs, gradients=None):
    out = f(*inputs)
    k = len(inputs) if gradients is None else gradients
    total = lambda *x: sum(jnp.sum(wave(float(i), *o.shape) * o) for i, o in enumerate(f(*x)))
    g = jax.grad(total, argnums=tuple(range(k)))(*inputs)
    flat = lambda xs: [[float(v) for v in np.ravel(x)] for x in xs]
    cases[name] = {"Out": flat(out), "Gradient": flat(g)}

x = 20 * wave(0, 12)
case("stable", lambda x: (jax.nn.softplus(x), jax.nn.log_sigmoid(x)), x)
case("log sum exp", lambda x: (jax.nn.logsumexp(x, -1),), 30 * wave(0, 3, 5))

bits = jnp.array([0.0, 1, 1, 0, 1, 0])
logits = 3 * wave(1, 6)
entropy = lambda p: -jnp.sum(p * jnp.log(p), -1)
case("bernoulli", lambda l: (bernoulli.logpmf(bits, jax.nn.sigmoid(l)), entropy(jnp.stack([jax.nn.sigmoid(l), jax.nn.sigmoid(-l)], -1))), logits)
classes = jnp.array([[0, 3], [1, 1]])
case("categorical", lambda l: (jnp.take_along_axis(jax.nn.log_softmax(l), classes[..., None], -1)[..., 0], entropy(jax.nn.softmax(l))), 3 * wave(1, 2, 2, 4))

def kl(m, v, n, w):
    return 0.5 * (jnp.exp(v - w) + (m - n) ** 2 / jnp.exp(w) - 1 - v + w)

case("gaussian", lambda x, m, v, n, w: (norm.logpdf(x, m, jnp.exp(v / 2)), 0.5 * (1 + jnp.log(2 * jnp.pi) + v), kl(m, v, n, w), kl(m, v, 0, 0)),
     wave(0, 5), wave(1, 5), 2 * wave(2, 5), wave(3, 5), wave(4, 5))

def mixed(l, terms):
    return jax.nn.logsumexp(jax.nn.log_softmax(l) + terms, -1)

def densities(x, l, m, s):
    x, scale = x[..., None], jnp.exp(s)
    cdf, sf = logistic.cdf(x, m, scale), logistic.sf(x, m, scale)
    return (mixed(l, logistic.logpdf(x, m, scale)), mixed(l, jnp.log(cdf)), mixed(l, jnp.log(sf)))

parameters = (2 * wave(1, 2, 4, 3), wave(2, 2, 4, 3), wave(3, 2, 4, 3) - 1)
case("logistics", densities, 2 * wave(0, 2, 4), *parameters)

def bins(levels):
    """By differences of the distribution function, which float64 has digits enough for here."""
    def f(x, l, m, s):
        x, half = x[..., None], 1 / (levels - 1)
        upper = jnp.where(x > 1 - half, 1.0, jax.nn.sigmoid((x + half - m) / jnp.exp(s)))
        lower = jnp.where(x < half - 1, 0.0, jax.nn.sigmoid((x - half - m) / jnp.exp(s)))
        return (jnp.log(jnp.sum(jax.nn.softmax(l) * (upper - lower), -1)),)
    return f

for levels, x in [(5, [-1, -0.5, 0, 0.5, 1, 0, 0.5, -1]), (2, [-1, 1, 1, -1, -1, -1, 1, 1])]:
    case(f"bins {levels}", bins(levels), jnp.array(x, float).reshape(2, 4), *parameters)

print("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in cases.items()) + "\n}")
