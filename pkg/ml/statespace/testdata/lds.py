"""Smoothers and EM of dynamax 1.0.3 (JAX, in float64) and pykalman 0.11.2: lds.json. python lds.py"""
import json
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
from dynamax.linear_gaussian_ssm import LinearGaussianSSM, lgssm_smoother
from dynamax.linear_gaussian_ssm.inference import ParamsLGSSM, ParamsLGSSMInitial, ParamsLGSSMDynamics, ParamsLGSSMEmissions
from pykalman import KalmanFilter

r = np.random.default_rng(9)
k, d = 3, 5
turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 0.8]]) * np.array([0.95, 0.95, 1])
spread = lambda n: (lambda a: a @ a.T / n + 0.2 * np.eye(n))(r.normal(size=(n, n)))
system = {"Mean": r.normal(size=k), "Cov": spread(k), "A": turn, "Drift": 0.3 * r.normal(size=k), "Q": spread(k), "C": r.normal(size=(d, k)),
          "Offset": r.normal(size=d), "R": spread(d)}
z = [r.multivariate_normal(system["Mean"], system["Cov"])]
for _ in range(29):
    z.append(system["A"] @ z[-1] + system["Drift"] + r.multivariate_normal(np.zeros(k), system["Q"]))
x = np.array([system["C"] @ v + system["Offset"] + r.multivariate_normal(np.zeros(d), system["R"]) for v in z])

kf = KalmanFilter(system["A"], system["C"], system["Q"], system["R"], system["Drift"], system["Offset"], system["Mean"], system["Cov"])
missing = np.ma.array(x, mask=np.zeros_like(x, bool))
missing[[4, 5, 6, 20, 29]] = np.ma.masked  # whole steps: pykalman knows no others
mean, cov = kf.smooth(missing)
out = {"System": {n: v.tolist() for n, v in system.items()}, "Data": x.tolist(), "Lost": [4, 5, 6, 20, 29],
       "Pykalman": {"Mean": mean.tolist(), "Cov": cov.reshape(len(x), -1).tolist(), "LogLikelihood": kf.loglikelihood(missing)}}

model = LinearGaussianSSM(k, d)
params = ParamsLGSSM(ParamsLGSSMInitial(jnp.array(system["Mean"]), jnp.array(system["Cov"])),
                     ParamsLGSSMDynamics(jnp.array(system["A"]), jnp.array(system["Drift"]), jnp.zeros((k, 0)), jnp.array(system["Q"])),
                     ParamsLGSSMEmissions(jnp.array(system["C"]), jnp.array(system["Offset"]), jnp.zeros((d, 0)), jnp.array(system["R"])))
s = lgssm_smoother(params, jnp.array(x))
out["Dynamax"] = {"Mean": np.array(s.smoothed_means).tolist(), "Cov": np.array(s.smoothed_covariances).reshape(len(x), -1).tolist(),
                  "LogLikelihood": float(s.marginal_loglik)}
# Ten steps of EM on a trial of a hundred steps, from the true parameters, with full covariances. With several trials the
# covariance that dynamax 1.0.3 gives the first state is not one, since it divides a product of two sums by N and not N².
batch, z = [], system["Mean"]
for t in range(100):
    z = system["A"] @ z + system["Drift"] + r.multivariate_normal(np.zeros(k), system["Q"])
    batch.append(system["C"] @ z + system["Offset"] + r.multivariate_normal(np.zeros(d), system["R"]))
batch = np.array(batch)
_, props = model.initialize(jax.random.PRNGKey(0))
fitted, logliks = model.fit_em(params, props, jnp.array(batch[None]), num_iters=10, verbose=False)
out["EM"] = {"Data": batch.tolist(), "LogLikelihood": np.array(logliks).tolist(), "Eigenvalues": np.sort(np.abs(np.linalg.eigvals(np.array(fitted.dynamics.weights))))[::-1].tolist(),
             "R": np.array(fitted.emissions.cov).tolist(), "Offset": np.array(fitted.emissions.bias).tolist()}
with open("lds.json", "w") as f:
    json.dump(out, f)
    f.write("\n")
