"""The internal-coordinate spline flow as plain eager PyTorch: what one writes without openmm-flow.

It reads the same model file, and is written for speed as eager Torch allows: splines of a coupling are evaluated
together, one call for all linear coordinates and one for all circular ones, and gathers pick the bin.
"""

import json
import math

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, safe_open


def find_bins(values, inverse, widths, heights, left, right, bound, min_fraction, min_derivative):
    """Return values within the bounds, and width, height, corner (x, y) and derivatives at both ends of their bins.

    They are x, or y if `inverse`, shape (batch, dims); the rest is as for rational_quadratic().
    """
    bins = widths.shape[-1]
    offset = math.log(math.expm1(1 - min_derivative))
    widths = 2 * bound * (min_fraction + (1 - min_fraction * bins) * F.softmax(widths, -1))
    heights = 2 * bound * (min_fraction + (1 - min_fraction * bins) * F.softmax(heights, -1))
    x_knots = F.pad(torch.cumsum(widths, -1), (1, 0)) - bound
    y_knots = F.pad(torch.cumsum(heights, -1), (1, 0)) - bound
    inside = values.clamp(-bound, bound)
    knots = y_knots if inverse else x_knots
    index = torch.searchsorted(knots[..., 1:-1].detach().contiguous(), inside[..., None], right=True)
    w = widths.gather(-1, index)[..., 0]
    h = heights.gather(-1, index)[..., 0]
    x0 = x_knots.gather(-1, index)[..., 0]
    y0 = y_knots.gather(-1, index)[..., 0]
    d0 = min_derivative + F.softplus(left.gather(-1, index)[..., 0] + offset)
    d1 = min_derivative + F.softplus(right.gather(-1, index)[..., 0] + offset)
    return inside, w, h, x0, y0, d0, d1


def rational_quadratic(x, *shape):
    """Evaluate splines at x, shape (batch, dims).

    `shape` is widths, heights (batch, dims, K), derivatives at both ends of each bin, half the width of the interval, the
    smallest part of it for a bin, and the smallest derivative. Returns y and log dy/dx.
    """
    inside, w, h, x0, y0, d0, d1 = find_bins(x, False, *shape)
    s = h / w
    t = (inside - x0) / w
    u = t * (1 - t)
    denominator = s + (d1 + d0 - 2 * s) * u
    y = y0 + h * (s * t * t + d0 * u) / denominator
    return y, log_slope(t, u, s, denominator, d0, d1)


def log_slope(t, u, s, denominator, d0, d1):
    """Return log dy/dx at the part t of the way through bins, u = t (1 - t), with derivatives d0 and d1 at their ends."""
    return torch.log((s / denominator) ** 2 * (d1 * t * t + 2 * s * u + d0 * (1 - t) ** 2))


def wrap(angle):
    return angle - 2 * math.pi * torch.floor(angle / (2 * math.pi) + 0.5)


class EagerFlow:
    """Sampling with log q, float32."""

    def __init__(self, path):
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            self.options = json.loads(file.metadata()["configuration"])
        real = {name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()}
        self.placements = tensors["coordinates.placements"].tolist()
        self.circular = tensors["coordinates.circular"].bool()
        self.center, self.scale = real["coordinates.center"], real["coordinates.scale"]
        self.bins = int(self.options["bins"])
        self.linear_bins = int(self.options.get("linear_bins", self.bins))
        self.harmonics = int(self.options.get("harmonics", 1))
        self.activation = {"silu": F.silu, "relu": F.relu}[self.options["activation"]]
        self.couplings = []
        while f"couplings.{len(self.couplings)}.transformed" in tensors:
            name = f"couplings.{len(self.couplings)}."
            mask = tensors[name + "transformed"].bool()
            columns = torch.arange(len(mask))
            linear_columns, circular_columns = [], []
            offset = 0
            for j in columns[mask].tolist():
                count = 3 * self.bins + 1 if self.circular[j] else 3 * self.linear_bins - 1
                (circular_columns if self.circular[j] else linear_columns).append(
                    torch.arange(offset, offset + count)
                )
                offset += count
            blocks = []
            while f"{name}blocks.{len(blocks)}.first.weight" in tensors:
                block = f"{name}blocks.{len(blocks)}."
                blocks.append(
                    [
                        real[block + part]
                        for part in ("first.weight", "first.bias", "second.weight", "second.bias")
                    ]
                )
            self.couplings.append(
                {
                    "conditioning": columns[~mask],
                    "linear": columns[mask & ~self.circular],
                    "circular": columns[mask & self.circular],
                    "linear_columns": torch.cat(linear_columns) if linear_columns else None,
                    "circular_columns": torch.cat(circular_columns) if circular_columns else None,
                    "input": (real[name + "input.weight"], real[name + "input.bias"]),
                    "blocks": blocks,
                    "output": (real[name + "output.weight"], real[name + "output.bias"]),
                    "features": self._feature_order(self.circular[columns[~mask]].tolist()),
                    "angles": columns[~mask & self.circular],
                    "pairs": torch.combinations(torch.arange(int((~mask & self.circular).sum())))
                    if self.options.get("products", False)
                    else torch.zeros(0, 2, dtype=torch.long),
                }
            )

    def _feature_order(self, circular):
        """Where each feature but products comes from in the row (z, all cos kz for each k, all sin kz)."""
        order, number, angles = [], 0, sum(circular)
        for j, is_circular in enumerate(circular):
            if is_circular:
                cosines = [len(circular) + k * angles + number for k in range(self.harmonics)]
                order += [c + part * self.harmonics * angles for c in cosines for part in (0, 1)]
                number += 1
            else:
                order.append(j)
        return torch.tensor(order)

    def _features(self, coupling, z):
        angles, pairs = z[:, coupling["angles"]], coupling["pairs"]
        multiples = torch.cat([k * angles for k in range(1, self.harmonics + 1)], -1)
        cosines, sines = torch.cos(multiples), torch.sin(multiples)
        features = torch.cat([z[:, coupling["conditioning"]], cosines, sines], -1)[:, coupling["features"]]
        if len(pairs) == 0:
            return features
        a, b = ([part[:, pairs[:, i]] for part in (cosines, sines)] for i in (0, 1))
        products = torch.stack([x * y for x in a for y in b], -1)
        return torch.cat([features, products.flatten(1)], -1)

    def _parameters(self, coupling, z):
        h = self.activation(F.linear(self._features(coupling, z), *coupling["input"]))
        for w1, b1, w2, b2 in coupling["blocks"]:
            h = h + F.linear(self.activation(F.linear(h, w1, b1)), w2, b2)
        return F.linear(h, *coupling["output"])

    def _splines(self, coupling, z, log_q):
        parameters = self._parameters(coupling, z)
        options = self.options
        limits = options["min_bin_fraction"], options["min_derivative"]
        z = z.clone()
        if coupling["linear_columns"] is not None:
            bins = self.linear_bins
            p = parameters[:, coupling["linear_columns"]].view(len(z), -1, 3 * bins - 1)
            bound = options["tail_bound"]
            knots = F.pad(p[..., 2 * bins :], (1, 1))
            x = z[:, coupling["linear"]]
            y, log_derivative = rational_quadratic(
                x, p[..., :bins], p[..., bins : 2 * bins], knots[..., :-1], knots[..., 1:], bound, *limits
            )
            inside = x.abs() < bound
            z[:, coupling["linear"]] = torch.where(inside, y, x)
            log_q = log_q - torch.where(inside, log_derivative, torch.zeros_like(x)).sum(-1)
        if coupling["circular_columns"] is not None:
            bins = self.bins
            p = parameters[:, coupling["circular_columns"]].view(len(z), -1, 3 * bins + 1)
            knots = p[..., 2 * bins : 3 * bins]
            y, log_derivative = rational_quadratic(
                z[:, coupling["circular"]],
                p[..., :bins],
                p[..., bins : 2 * bins],
                knots,
                knots.roll(-1, -1),
                math.pi,
                *limits,
            )
            z[:, coupling["circular"]] = wrap(y + p[..., 3 * bins])
            log_q = log_q - log_derivative.sum(-1)
        return z, log_q

    def _place(self, values):
        """Positions (batch, N, 3) from the values of the internal coordinates, (batch, 3N-6)."""
        count, n = len(values), len(self.placements)
        bonds, angles, torsions = values[:, : n - 1], values[:, n - 1 : 2 * n - 3], values[:, 2 * n - 3 :]
        cos_angle, sin_angle, cos_torsion, sin_torsion = (
            angles.cos(),
            angles.sin(),
            torsions.cos(),
            torsions.sin(),
        )
        zero = torch.zeros(count)
        positions = [None] * n
        positions[self.placements[0][0]] = torch.zeros(count, 3)
        positions[self.placements[1][0]] = torch.stack([bonds[:, 0], zero, zero], -1)
        for i in range(2, n):
            atom, parent, angle_reference, torsion_reference = self.placements[i]
            p, g = positions[parent], positions[angle_reference]
            t = torch.tensor([0.0, 1.0, 0.0]).expand(count, 3) if i == 2 else positions[torsion_reference]
            axis = F.normalize(p - g, dim=-1)
            normal = F.normalize(torch.linalg.cross(g - t, axis), dim=-1)
            in_plane = torch.linalg.cross(normal, axis)
            b, c, s = bonds[:, i - 1, None], cos_angle[:, i - 2, None], sin_angle[:, i - 2, None]
            ct = 1.0 if i == 2 else cos_torsion[:, i - 3, None]
            st = 0.0 if i == 2 else sin_torsion[:, i - 3, None]
            positions[atom] = p - b * c * axis + b * s * (ct * in_plane + st * normal)
        return torch.stack(positions, 1)

    @torch.no_grad()
    def sample(self, count):
        """Positions (count, N, 3) in nm and log q (count)."""
        n = len(self.placements)
        normal, uniform = (
            torch.randn(count, len(self.circular)),
            math.pi * (2 * torch.rand(count, len(self.circular)) - 1),
        )
        z = torch.where(self.circular, uniform, normal)
        half_log = 0.5 * math.log(2 * math.pi)
        log_q = -torch.where(self.circular, torch.full_like(z, 2 * half_log), 0.5 * z * z + half_log).sum(-1)
        for coupling in self.couplings:
            z, log_q = self._splines(coupling, z, log_q)
        values = torch.where(self.circular, z, self.center + self.scale * z)
        bonds, angles = values[:, : n - 1], values[:, n - 1 : 2 * n - 3]
        log_q = (
            log_q
            - 2 * bonds.log().sum(-1)
            - angles.sin().log().sum(-1)
            - math.log(8 * math.pi**2)
            + 1.5 * math.log(n)
        )
        log_q = log_q - self.scale[~self.circular].log().sum()
        positions = self._place(values)
        positions = positions - positions.mean(1, keepdim=True)
        q = F.normalize(torch.randn(count, 4), dim=-1)
        w, axis = q[:, None, :1], q[:, None, 1:].expand_as(positions)
        t = 2 * torch.linalg.cross(axis, positions)
        return positions + w * t + torch.linalg.cross(axis, t), log_q
