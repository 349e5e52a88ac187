"""Peers of pkg/ml/statespace."""
import functools
import numpy as np
from driver import data, peer

STEPS, K, D = 500, 8, 20


@data
def turning100x500x20():
    """100 trials of 500 steps of 20 variables that four turning planes of hidden states drive, one behind the other."""
    r = np.random.default_rng(9)
    a = np.zeros((K, K))
    for i in range(K // 2):
        c, s = 0.98 * np.cos(0.05 * (i + 1)), 0.98 * np.sin(0.05 * (i + 1))
        a[2 * i:2 * i + 2, 2 * i:2 * i + 2] = [[c, -s], [s, c]]
    c, z, x = r.normal(size=(D, K)), r.normal(size=(100, K)), []
    for _ in range(STEPS):
        x.append(z @ c.T + r.normal(size=(100, D)))
        z = z @ a.T + 0.3 * r.normal(size=(100, K))
    return np.swapaxes(np.array(x), 0, 1).reshape(-1, D)


@functools.cache
def dynamax():
    """The model of dynamax in double precision, as the library has it: in single precision ten steps of EM on 50,000 steps keep
    four digits of the likelihood. What JAX compiles stays for the next fits of the process."""
    import jax
    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from dynamax.linear_gaussian_ssm import LinearGaussianSSM, lgssm_smoother
    from dynamax.linear_gaussian_ssm.inference import (ParamsLGSSM, ParamsLGSSMDynamics, ParamsLGSSMEmissions, ParamsLGSSMInitial)
    start = ParamsLGSSM(ParamsLGSSMInitial(jnp.zeros(K), jnp.eye(K)), ParamsLGSSMDynamics(0.9 * jnp.eye(K), jnp.zeros(K), jnp.zeros((K, 0)), jnp.eye(K)),
                        ParamsLGSSMEmissions(jnp.cos(jnp.outer(jnp.arange(1., D + 1), jnp.arange(1., K + 1))), jnp.zeros(D), jnp.zeros((D, 0)), jnp.eye(D)))
    model = LinearGaussianSSM(K, D, has_dynamics_bias=False)
    _, props = model.initialize(jax.random.PRNGKey(0))

    def smooth(params, x):
        s = jax.vmap(functools.partial(lgssm_smoother, params))(x)
        return s.marginal_loglik, s.smoothed_means, s.smoothed_covariances

    def step(params, x):
        stats, loglik = jax.vmap(functools.partial(model.e_step, params))(x)
        new, _ = model.m_step(params, props, stats, None)
        # dynamax 1.0.3 divides the product of two sums by N and not N², which is no covariance where there are trials.
        first, second, n = stats[0]
        mean = first.sum(0) / n.sum()
        cov = second.sum(0) / n.sum() - jnp.outer(mean, mean)
        return new._replace(initial=ParamsLGSSMInitial(mean, cov),
                            dynamics=new.dynamics._replace(bias=jnp.zeros(K))), loglik.sum()

    return jnp, start, jax.jit(smooth), jax.jit(step)


@peer("kalman-smoother", "dynamax", "dynamax.linear_gaussian_ssm")
def kalman_smoother(p):
    jnp, start, smooth, _ = dynamax()
    loglik, means, covs = smooth(start, jnp.array(p.x.reshape(-1, STEPS, D)))
    means.block_until_ready(), covs.block_until_ready()
    return {"loglik a step": float(loglik.sum()) / len(p.x)}


@peer("lds-em", "dynamax", "dynamax.linear_gaussian_ssm")
def lds_em(p):
    jnp, params, _, step = dynamax()
    x = jnp.array(p.x.reshape(-1, STEPS, D))
    for _ in range(10):
        params, _ = step(params, x)
    _, loglik = step(params, x)
    return {"loglik a step": float(loglik) / len(p.x)}
