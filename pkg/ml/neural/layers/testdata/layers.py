"""Values of the layers and their gradients, by JAX 0.10.2 in float64: python layers.py > layers.json

Inputs are wave(phase, shape), weights weight(path, shape): see internal/graphtest.
"""
import json, math
import jax, jax.numpy as jnp
from jax import lax
jax.config.update("jax_enable_x64", True)
import numpy as np

def wave(phase, *shape):
    n = int(np.prod(shape))
    return jnp.array([math.sin(phase + 1.3 * i) for i in range(n)]).reshape(shape)

def weight(path, *shape):
    return wave(float(sum(path.encode()) % 17), *shape) / 2

cases = {}

def case(name, f, *inputs, gradients=None):
    """f returns a tuple; gradients is of how many of the first inputs, all without it."""
    inputs = [jnp.asarray(x) for x in inputs]
    out = f(*inputs)
    k = len(inputs) if gradients is None else gradients
    total = lambda *x: sum(jnp.sum(wave(float(i), *o.shape) * o) for i, o in enumerate(f(*x)))
    g = jax.grad(total, argnums=tuple(range(k)))(*inputs) if k else ()
    flat = lambda xs: [[float(v) for v in np.ravel(x)] for x in xs]
    cases[name] = {"Out": flat(out), "Gradient": flat(g)}

def conv(x, w, stride=1, dilation=1, valid=False):
    k = (w.shape[0] - 1) * dilation
    pad = (0, 0) if valid else (k // 2, k - k // 2)
    return lax.conv_general_dilated(x, w, (stride, stride), [pad, pad], rhs_dilation=(dilation, dilation),
                                    dimension_numbers=("NHWC", "HWIO", "NHWC"))

for size, stride, dilation, valid in [(3, 1, 1, False), (3, 2, 1, False), (3, 1, 2, False), (2, 1, 1, False), (4, 2, 1, False),
                                      (2, 2, 1, True), (3, 1, 1, True), (5, 2, 1, True), (1, 1, 1, False), (1, 2, 1, False), (4, 1, 1, False)]:
    case(f"conv {size} {stride} {dilation} {str(valid).lower()}",
         lambda x, w: (conv(x, w, stride, dilation, valid),), wave(0, 2, 7, 6, 3), wave(2, size, size, 3, 2))

x = wave(1, 2, 3, 5, 4)
case("bilinear up", lambda x: (jax.image.resize(x, (2, 6, 11, 4), "bilinear", antialias=False),), x)
case("bilinear down", lambda x: (jax.image.resize(x, (2, 2, 3, 4), "bilinear", antialias=False),), x)
ties = jnp.maximum(wave(1, 2, 5, 6, 2), 0)  # zeros that tie
case("max pool", lambda x: (lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),), ties)
case("mean pool", lambda x: (lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 3, 3, 1), "VALID") / 9,), wave(1, 2, 7, 6, 2))

def scale(path, x, name, start):
    return weight(path + "/" + name, x.shape[-1])

def standard(x, axes):
    return (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + 1e-5)

def affine(path, x, out):
    return x @ weight(path + "/weights", x.shape[-1], out) + weight(path + "/biases", out)

def layer_norm(path, x):
    return standard(x, -1) * weight(path + "/scale", x.shape[-1]) + weight(path + "/offset", x.shape[-1])

def group_norm(path, x, groups):
    b, c = x.shape[0], x.shape[-1]
    y = standard(x.reshape(b, -1, groups, c // groups), (1, 3)).reshape(x.shape)
    return y * weight(path + "/scale", c) + weight(path + "/offset", c)

x = wave(1, 2, 3, 2, 6)
case("layer norm", lambda x: (layer_norm("/n", x),), x)
case("group norm", lambda x: (group_norm("/n", x, 3),), x)
case("rms norm", lambda x: (x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weight("/n/scale", 6),), x)
case("batch norm", lambda x: (standard(x, (0, 1, 2)) * weight("/n/scale", 6) + weight("/n/offset", 6),), x)

def spectral(w, u):
    m = w.reshape(-1, w.shape[-1])
    fixed = lax.stop_gradient(m)
    v = fixed @ u; v = v / jnp.linalg.norm(v)
    u = fixed.T @ v; u = u / jnp.linalg.norm(u)
    return w / (v @ m @ u), u

case("spectral norm", spectral, wave(1, 3, 3, 2, 4), wave(2, 4), gradients=1)

for name, f in {"relu": jax.nn.relu, "leaky relu": lambda x: jax.nn.leaky_relu(x, 0.2), "elu": jax.nn.elu,
                "gelu": lambda x: jax.nn.gelu(x, approximate=False), "swish": jax.nn.swish, "softplus": jax.nn.softplus, "tanh": jnp.tanh,
                "sigmoid": jax.nn.sigmoid, "identity": lambda x: x}.items():
    case(name, lambda x: (f(4 * x),), wave(1, 30))

def attention(q, k, v, mask=None):
    logits = jnp.einsum("bnd,bmd->bnm", q, k) / math.sqrt(q.shape[-1])
    if mask is not None:
        logits = jnp.where(mask > 0, logits, -jnp.inf)
    w = jax.nn.softmax(logits, -1)
    return jnp.einsum("bnm,bme->bne", w, v), w

q, k, v = wave(0, 2, 3, 4), wave(1, 2, 5, 4), wave(2, 2, 5, 2)
padding = jnp.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]], float)[:, None, :]
case("attention", attention, q, k, v)
case("attention padding", lambda q, k, v: attention(q, k, v, padding), q, k, v)

def multi_head(path, x, context, mask, heads):
    b, n, c = x.shape
    split = lambda y: y.reshape(b, -1, heads, c // heads).transpose(0, 2, 1, 3).reshape(b * heads, -1, c // heads)
    if mask is not None:
        mask = jnp.repeat(mask, heads, 0)
    out, _ = attention(split(affine(path + "/query", x, c)), split(affine(path + "/key", context, c)),
                       split(affine(path + "/value", context, c)), mask)
    return affine(path + "/out", out.reshape(b, heads, n, -1).transpose(0, 2, 1, 3).reshape(b, n, c), c)

case("multi head", lambda x, y: (multi_head("/a", x, y, padding, 3),), wave(0, 2, 4, 6), wave(1, 2, 5, 4))

def sinusoidal(t, width):
    a = t[:, None] * 10000.0 ** (-2 * jnp.arange(width // 2) / width)[None]
    return jnp.concatenate([jnp.sin(a), jnp.cos(a)], -1)

swish = jax.nn.swish

def mlp(path, x, hidden, out, f):
    for i, h in enumerate(hidden):
        x = f(affine(f"{path}/hidden{i}", x, h))
    return affine(path + "/out", x, out)

def time_embedding(path, t, width):
    return mlp(path, sinusoidal(t, width), [width], width, swish)

case("time", lambda t: (time_embedding("/t", t, 8),), jnp.array([0.0, 3, 500]))
case("mlp", lambda x: (mlp("/m", x, [5, 4], 2, jnp.tanh),), wave(0, 2, 2, 3))

def conv_layer(path, x, out, size=3, stride=1):
    return conv(x, weight(path + "/weights", size, size, x.shape[-1], out), stride) + weight(path + "/biases", out)

def norm8(path, x):
    return group_norm(path, x, max(g for g in range(1, 9) if x.shape[-1] % g == 0))

def residual(path, x, e, channels):
    h = conv_layer(path + "/conv1", swish(norm8(path + "/norm1", x)), channels)
    if e is not None:
        h = h + affine(path + "/condition", swish(e), channels)[:, None, None]
    h = conv_layer(path + "/conv2", swish(norm8(path + "/norm2", h)), channels)
    if x.shape[-1] != channels:
        x = conv_layer(path + "/shortcut", x, channels, 1)
    return x + h

case("residual", lambda x, e: (residual("/r", x, e, 6),), wave(0, 2, 4, 3, 4), wave(1, 2, 5))
case("residual plain", lambda x: (residual("/r", x, None, 4),), wave(0, 2, 4, 3, 4))

def attend(path, x, heads):
    b, h, w, c = x.shape
    y = norm8(path + "/norm", x).reshape(b, h * w, c)
    return x + multi_head(path, y, y, None, heads).reshape(x.shape)

def unet(x, t, labels, channels, levels, blocks, attention, heads, classes):
    width = 4 * channels
    e = time_embedding("/time", t, width)
    e = e + weight("/class/weights", classes + 1, width).astype(jnp.float32).astype(jnp.float64)[labels]
    def block(path, h, c):
        h = residual(path, h, e, c)
        return attend(path + "/attention", h, heads) if h.shape[1] in attention else h
    h = conv_layer("/in", x, channels)
    skips = [h]
    for l, m in enumerate(levels):
        for i in range(blocks):
            h = block(f"/down{l}/block{i}", h, channels * m); skips.append(h)
        if l < len(levels) - 1:
            h = conv_layer(f"/down{l}/smaller", h, h.shape[-1], stride=2); skips.append(h)
    h = residual("/middle/block0", h, e, h.shape[-1])
    h = attend("/middle/attention", h, heads)
    h = residual("/middle/block1", h, e, h.shape[-1])
    for l in reversed(range(len(levels))):
        for i in range(blocks + 1):
            h = block(f"/up{l}/block{i}", jnp.concatenate([h, skips.pop()], -1), channels * levels[l])
        if l:
            rows, cols = skips[-1].shape[1:3]
            h = jnp.repeat(jnp.repeat(h, 2, 1), 2, 2)[:, :rows, :cols]
            h = conv_layer(f"/up{l}/larger", h, h.shape[-1])
    assert not skips
    return conv_layer("/out", swish(norm8("/norm", h)), x.shape[-1])

case("unet", lambda x, t: (unet(x, t, jnp.array([2, 0]), 4, (1, 2), 1, (3,), 2, 2),), wave(0, 2, 5, 6, 2), jnp.array([1.0, 40]))

print("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in cases.items()) + "\n}")
