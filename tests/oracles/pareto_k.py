"""Makes pareto_k.inc, the Pareto k of arviz for the weights that tests/TestParetoK.cpp makes by the same formulas.

pip install arviz==0.23.4
python tests/oracles/pareto_k.py > tests/oracles/pareto_k.inc
"""

import arviz
import numpy as np


def log_weights(kind, count, scale):
    u = np.mod(np.arange(1, count + 1) * 0.6180339887498949, 1.0)
    if kind == "pareto":  # shape k = scale
        return -scale * np.log(u)
    if kind == "logistic":
        return scale * np.log(u / (1 - u))
    if kind == "bounded":
        return scale * u
    if kind == "ties":  # 20 different weights
        return scale * np.floor(20 * u)
    if kind == "zeros":  # every third weight is zero
        return np.where(np.arange(count) % 3 == 0, -np.inf, -scale * np.log(u))
    if kind == "mostly zeros":
        return np.where(np.arange(count) % 10 != 0, -np.inf, -scale * np.log(u))
    raise ValueError(kind)


print("// kind, count, scale, k: made by pareto_k.py with arviz", arviz.__version__)
for kind in ("pareto", "logistic", "bounded", "ties", "zeros", "mostly zeros"):
    for count in (20, 25, 100, 225, 1000, 10007, 100000):
        for scale in (0.1, 0.5, 0.9, 2.0, 300.0):
            with np.errstate(all="ignore"):
                k = float(arviz.psislw(log_weights(kind, count, scale).copy())[1])
            text = "infinity" if np.isposinf(k) else repr(k)
            print(f'{{"{kind}", {count}, {scale}, {text}}},')
