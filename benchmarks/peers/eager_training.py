"""Training of the internal-coordinate spline flow by likelihood as plain eager PyTorch: what one writes without
openmm-flow."""

import math

import torch
import torch.nn.functional as F
from eager_torch import EagerFlow, find_bins, log_slope, wrap


def inverse_rational_quadratic(y, *shape):
    """Invert splines at y, (batch, dims); arguments as for rational_quadratic(). Returns x and log dx/dy."""
    inside, w, h, x0, y0, d0, d1 = find_bins(y, True, *shape)
    s, rise = h / w, inside - y0
    curvature = d1 + d0 - 2 * s
    a, b, c = h * (s - d0) + rise * curvature, h * d0 - rise * curvature, -s * rise
    t = 2 * c / (-b - torch.sqrt((b * b - 4 * a * c).clamp_min(0)))
    u = t * (1 - t)
    return x0 + t * w, -log_slope(t, u, s, s + curvature * u, d0, d1)


class EagerTraining(EagerFlow):
    """One step of Adam on the likelihood of a batch of coordinates (batch, D): standardised, or in radians."""

    def __init__(self, path, learning_rate):
        super().__init__(path)
        self.weights = []
        for coupling in self.couplings:
            self.weights += [*coupling["input"], *coupling["output"]]
            self.weights += [weight for block in coupling["blocks"] for weight in block]
        for weight in self.weights:
            weight.requires_grad_()
        self.optimiser = torch.optim.Adam(self.weights, learning_rate, fused=True)

    def _inverse(self, coupling, z):
        parameters = self._parameters(coupling, z)
        options = self.options
        limits = options["min_bin_fraction"], options["min_derivative"]
        columns, values, log_derivatives = [coupling["conditioning"]], [z[:, coupling["conditioning"]]], []
        if coupling["linear_columns"] is not None:
            bins = self.linear_bins
            p = parameters[:, coupling["linear_columns"]].view(len(z), -1, 3 * bins - 1)
            bound = options["tail_bound"]
            knots = F.pad(p[..., 2 * bins :], (1, 1))
            y = z[:, coupling["linear"]]
            x, log_derivative = inverse_rational_quadratic(
                y, p[..., :bins], p[..., bins : 2 * bins], knots[..., :-1], knots[..., 1:], bound, *limits
            )
            inside = y.abs() < bound
            columns.append(coupling["linear"])
            values.append(torch.where(inside, x, y))
            log_derivatives.append(torch.where(inside, log_derivative, torch.zeros_like(y)))
        if coupling["circular_columns"] is not None:
            bins = self.bins
            p = parameters[:, coupling["circular_columns"]].view(len(z), -1, 3 * bins + 1)
            knots = p[..., 2 * bins : 3 * bins]
            x, log_derivative = inverse_rational_quadratic(
                wrap(z[:, coupling["circular"]] - p[..., 3 * bins]),
                p[..., :bins],
                p[..., bins : 2 * bins],
                knots,
                knots.roll(-1, -1),
                math.pi,
                *limits,
            )
            columns.append(coupling["circular"])
            values.append(x)
            log_derivatives.append(log_derivative)
        order = torch.argsort(torch.cat(columns))
        return torch.cat(values, -1)[:, order], torch.cat(log_derivatives, -1).sum(-1)

    def log_density(self, coordinates):
        """The log density of coordinates with respect to themselves."""
        z, log_q = coordinates, 0
        for coupling in reversed(self.couplings):
            z, log_derivative = self._inverse(coupling, z)
            log_q = log_q + log_derivative
        half_log = 0.5 * math.log(2 * math.pi)
        base = torch.where(self.circular, torch.full_like(z, 2 * half_log), 0.5 * z * z + half_log)
        return log_q - base.sum(-1)

    def train(self, coordinates):
        """Take one step."""
        self.optimiser.zero_grad()
        loss = -self.log_density(coordinates).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 10)
        self.optimiser.step()
        return loss.item()

    def draw_coordinates(self, count):
        """Coordinates of the base, which take as long as any."""
        normal, uniform = (
            torch.randn(count, len(self.circular)),
            math.pi * (2 * torch.rand(count, len(self.circular)) - 1),
        )
        return torch.where(self.circular, uniform, normal)
