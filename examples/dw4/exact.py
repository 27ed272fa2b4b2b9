#!/usr/bin/env python
"""The pair distances, mean energy and log Z of DW4 by numerical integration.

    python exact.py

Given the distance d of particles 1 and 2, the Boltzmann factor of 3 and 4 is w(r3) w(r4) f(r3 - r4), where f belongs to
one pair and w(r) to the two pairs of a particle with 1 and 2. Its integral is a convolution in the plane, and a sum over
a grid converges to it faster than any power of the spacing, because everything is smooth and vanishes at the borders.
"""

import numpy as np

# No pair is nearer or farther: exp(-u) is below 1e-28 of its largest value there.
NEAREST, FARTHEST = 0.8, 7.5


def energy(d):
    """Return the energy of a pair in kT, given its distance in nm."""
    return -4 * (d - 4) ** 2 + 0.9 * (d - 4) ** 4


def integrate(spacing=0.125, step=0.125):
    """Return the density of a pair's distance, the mean energy and log Z.

    Parameters
    ----------
    spacing : float
        of the grid in the plane, in nm
    step : float
        of the distances, in nm

    Returns
    -------
    distances, density : (count,)
        in nm and 1/nm
    mean_energy : float
        in kT, which is 1 kJ/mol
    log_z : float
        log of the integral of exp(-U/kT) over the subspace of zero centre of geometry, of 6 dimensions, in nm
    """
    # Particles 3 and 4 lie within FARTHEST of the midpoint; a period of three times that keeps images out of reach of f.
    size = 2 * int(np.ceil(1.5 * FARTHEST / spacing))
    x, y = np.meshgrid(*2 * [spacing * (np.arange(size) - size // 2)], indexing="ij")
    transform = np.fft.rfft2(np.fft.ifftshift(np.exp(-energy(np.hypot(x, y)))))
    distances = np.arange(NEAREST + step / 2, FARTHEST, step)
    integrals = []
    for d in distances:
        w = np.exp(-energy(np.hypot(x - d / 2, y)) - energy(np.hypot(x + d / 2, y)))
        convolution = np.fft.irfft2(np.fft.rfft2(w) * transform, s=w.shape)
        integrals.append(spacing**4 * np.sum(w * convolution))
    weights = 2 * np.pi * distances * np.exp(-energy(distances)) * integrals
    z = step * weights.sum()
    density = weights / z
    # All six pairs are alike. Positions relative to a particle fill N^(2/2) times the volume of the subspace.
    return distances, density, 6 * step * np.sum(density * energy(distances)), np.log(z / 4)


def main():
    distances, density, mean_energy, log_z = integrate()
    finer = integrate(0.1, 0.1)
    print(f"mean energy {mean_energy:.6f} kT, log Z {log_z:.6f}; entropy {mean_energy + log_z:.6f}")
    print(f"a finer grid changes them by {finer[2] - mean_energy:.1e} and {finer[3] - log_z:.1e}")
    for d, p in zip(distances, density, strict=True):
        print(f"{d:.4f} nm  {p:.6f} /nm")


if __name__ == "__main__":
    main()
