"""Steps of SciPy 1.17's RK45, which is Dormand and Prince's method: python ode.py > ode.json"""
import json
import numpy as np
from scipy.integrate import RK45

def van_der_pol(t, y):
    return np.array([y[1], 5 * (1 - y[0] ** 2) * y[1] - y[0]])

def forced(t, y):
    return np.array([-y[0] * np.cos(3 * t), y[0] - 0.5 * y[1] ** 2, np.sin(t) * y[2]])

cases = []
for name, f, y0, t0, t1, rtol, atol in [
    ("van der pol", van_der_pol, [2.0, 0.0], 0, 12, 1e-5, 1e-5),
    ("van der pol", van_der_pol, [2.0, 0.0], 0, 12, 1e-8, 1e-10),
    ("forced", forced, [1.0, 0.0, 2.0], 1, 0, 1e-4, 1e-6),
    ("forced", forced, [0.0, 0.0, 0.0], 0, 1, 1e-3, 1e-3),
]:
    s = RK45(f, t0, np.array(y0), t1, rtol=rtol, atol=atol)
    times = [s.t]
    while s.status == "running":
        s.step()
        times.append(s.t)
    cases.append(dict(Name=name, Y0=y0, T0=t0, T1=t1, RelTol=rtol, AbsTol=atol, Times=times, Y=list(s.y), Evaluations=s.nfev))
print(json.dumps(cases))
