"""What coupling flows of both families have in common as plain PyTorch: layers, functions of coordinates, and the joint
map of particles and augmented particles. They read the same model files as openmm-flow.
"""

import json
import math

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file


def dense(weights, name, x):
    return F.linear(x, weights[name + ".weight"], weights.get(name + ".bias"))


def finish_residual(weights, name, argument):
    """A residual network of two layers, from what the first gives."""
    y = F.silu(argument)
    return y + F.silu(dense(weights, name, F.layer_norm(y, y.shape[-1:])))


def residual(weights, name, x):
    return finish_residual(weights, name + ".second", dense(weights, name + ".first", x))


def square_of(d):
    return (d * d).sum(-1)


def wrap(angle):
    return angle - 2 * math.pi * torch.floor(angle / (2 * math.pi) + 0.5)


class Splines:
    """Rational-quadratic splines of the coordinates of a point, circular or with free ends."""

    def __init__(self, bins, lower, upper, circular, min_fraction, min_derivative, dtype):
        self.bins, self.min_fraction, self.min_derivative = bins, min_fraction, min_derivative
        self.lower, self.upper = torch.tensor(lower, dtype=dtype), torch.tensor(upper, dtype=dtype)
        self.circular = torch.tensor(circular)
        self.offset = math.log(math.expm1(1 - min_derivative))
        self.num_parameters = 3 * bins + 1

    def knots(self, logits):
        fractions = self.min_fraction + (1 - self.min_fraction * self.bins) * F.softmax(logits, -1)
        sizes = (self.upper - self.lower)[:, None] * fractions
        return sizes, F.pad(torch.cumsum(sizes, -1), (1, 0)) + self.lower[:, None]

    def __call__(self, value, parameters, inverse):
        """Map values, (..., coordinates), by parameters, (..., coordinates, parameters); also log |derivative|."""
        bins = self.bins
        widths, x_knots = self.knots(parameters[..., :bins])
        heights, y_knots = self.knots(parameters[..., bins : 2 * bins])
        left = parameters[..., 2 * bins : 3 * bins]
        right = torch.where(self.circular[:, None], left.roll(-1, -1), parameters[..., 2 * bins + 1 :])
        phase = torch.where(self.circular, parameters[..., -1], torch.zeros_like(value))
        unshifted = torch.where(self.circular, wrap(value - phase), value) if inverse else value
        inside = torch.minimum(torch.maximum(unshifted, self.lower), self.upper)
        knots = y_knots if inverse else x_knots
        index = (inside[..., None] >= knots[..., 1:-1]).sum(-1, keepdim=True)

        def select(values):
            return values.gather(-1, index)[..., 0]

        w, h, x0, y0 = select(widths), select(heights), select(x_knots), select(y_knots)
        d0 = self.min_derivative + F.softplus(select(left) + self.offset)
        d1 = self.min_derivative + F.softplus(select(right) + self.offset)
        s = h / w
        curvature = d1 + d0 - 2 * s
        if inverse:
            dy = inside - y0
            a = h * (s - d0) + dy * curvature
            b = h * d0 - dy * curvature
            t = 2 * s * dy / (b + torch.sqrt((b * b + 4 * a * s * dy).clamp(min=0)))
            t = t.clamp(max=1)
        else:
            t = (inside - x0) / w
        u = t * (1 - t)
        denominator = s + curvature * u
        log_derivative = torch.log((s / denominator) ** 2 * (d1 * t * t + 2 * s * u + d0 * (1 - t) ** 2))
        result = x0 + t * w if inverse else y0 + h * (s * t * t + d0 * u) / denominator
        tail = torch.where(value > self.upper, d1, d0)
        is_inside = self.circular | ((value > self.lower) & (value < self.upper))
        log_derivative = torch.where(is_inside, log_derivative, torch.log(tail))
        beyond = value - inside
        result = torch.where(is_inside, result, inside + (beyond / tail if inverse else beyond * tail))
        if not inverse:
            result = torch.where(self.circular, wrap(result + phase), result)
        return result, -log_derivative if inverse else log_derivative


class Affine:
    """Affine functions of the coordinates of a point."""

    num_parameters = 2

    def __init__(self, min_derivative):
        self.min_derivative = min_derivative
        self.offset = math.log(math.expm1(1 - min_derivative))

    def __call__(self, value, parameters, inverse):
        scale = self.min_derivative + F.softplus(parameters[..., 0] + self.offset)
        shift = parameters[..., 1]
        if inverse:
            return (value - shift) / scale, -torch.log(scale)
        return value * scale + shift, torch.log(scale)


class TorchCouplingFlow:
    """Sampling and log q of joint configurations of one augmented copy, eager or compiled."""

    def __init__(self, path, dtype=torch.float32, compiled=False):
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            options = json.loads(file.metadata()["configuration"])
        if options["copies"] != 1 or options["base"] != "gaussian":
            raise NotImplementedError("only one copy and the Gaussian base")
        real = {name: tensor.to(dtype) for name, tensor in tensors.items() if tensor.is_floating_point()}
        self.dtype, self.types = dtype, tensors["types"]
        self.n, self.dim = int(options["particles"]), int(options["dimensions"])
        self.blocks, self.bins = int(options["blocks"]), int(options["bins"])
        self.unit = options["length_unit"]
        self.range = options["range"] / self.unit
        self.base_scale = options["base_scale"] / self.unit
        self.augmented_scale = options["base_augmented_scale"] / self.unit
        layers = range(int(options["layers"]))
        self.min_derivative, self.min_fraction = options["min_derivative"], options["min_bin_fraction"]
        self.scaling = [real[f"layers.{layer}.scaling"] for layer in layers] if options["scaling"] else None
        self.couplings = []
        for c in range(2 * len(layers)):
            prefix = f"couplings.{c}."
            self.couplings.append(
                {k.removeprefix(prefix): v for k, v in real.items() if k.startswith(prefix)}
            )
        self.configure(options)
        # All couplings are of one size: compiled once, with the weights as arguments.
        self.couple = torch.compile(self.couple, dynamic=False) if compiled else self.couple

    def configure(self, options):
        """Read what the family has."""
        raise NotImplementedError

    def couple(self, weights, moved, fixed, inverse):
        """Transform the points `moved` given `fixed`, (batch, N, D); also the log volume."""
        raise NotImplementedError

    def make_splines(self, lower, upper, circular):
        """Splines of coordinates."""
        return Splines(self.bins, lower, upper, circular, self.min_fraction, self.min_derivative, self.dtype)

    def _scale(self, layer, x, a, inverse):
        offset = math.log(math.expm1(1 - self.min_derivative))
        factors = self.min_derivative + F.softplus(self.scaling[layer] + offset)
        coordinates = self.dim * torch.tensor([self.n - 1, self.n - 1, 1], dtype=self.dtype)
        log_volume = (coordinates * factors.log()).sum()
        if inverse:
            factors, log_volume = 1 / factors, -log_volume
        origin, center = x.mean(1, keepdim=True), a.mean(1, keepdim=True)
        x = origin + factors[0] * (x - origin)
        a = origin + factors[2] * (center - origin) + factors[1] * (a - center)
        return x, a, log_volume

    def _base_log_density(self, x, a):
        n, dim, half = self.n, self.dim, 0.5 * math.log(2 * math.pi)
        x_squares = ((x - x.mean(1, keepdim=True)) ** 2).sum((1, 2)) / self.base_scale**2
        a_squares = ((a - x) ** 2).sum((1, 2)) / self.augmented_scale**2
        constant = (n - 1) * (half + math.log(self.base_scale * self.unit))
        constant += n * (half + math.log(self.augmented_scale * self.unit))
        return -0.5 * (x_squares + a_squares) - dim * constant

    def _joint(self, x, a):
        joint = torch.cat([x, a], 1) - x.mean(1, keepdim=True)
        return self.unit * F.pad(joint, (0, 3 - self.dim))

    @torch.no_grad()
    def sample(self, count):
        """Joint positions (count, 2N, 3) in nm and log q (count)."""
        x = self.base_scale * torch.randn(count, self.n, self.dim, dtype=self.dtype)
        x = x - x.mean(1, keepdim=True)
        a = x + self.augmented_scale * torch.randn(count, self.n, self.dim, dtype=self.dtype)
        log_q = self._base_log_density(x, a)
        for layer in range(len(self.couplings) // 2):
            if self.scaling is not None:
                x, a, log_volume = self._scale(layer, x, a, False)
                log_q = log_q - log_volume
            a, log_volume = self.couple(self.couplings[2 * layer], a, x, False)
            log_q = log_q - log_volume
            x, log_volume = self.couple(self.couplings[2 * layer + 1], x, a, False)
            log_q = log_q - log_volume
        return self._joint(x, a), log_q

    @torch.no_grad()
    def log_density(self, joint):
        """log q (count) of joint positions (count, 2N, 3) in nm."""
        return self._log_density(joint)

    def start_training(self, learning_rate):
        """Make the weights what train() optimises."""
        weights = [tensor for coupling in self.couplings for tensor in coupling.values()]
        weights = [tensor.requires_grad_() for tensor in weights + (self.scaling or [])]
        self.optimizer = torch.optim.Adam(weights, lr=learning_rate, fused=True)

    def train(self, joint):
        """One step of Adam on the likelihood of joint positions."""
        self.optimizer.zero_grad(set_to_none=True)
        (-self._log_density(joint).mean()).backward()
        self.optimizer.step()

    def _log_density(self, joint):
        x, a = (joint.to(self.dtype)[..., : self.dim] / self.unit).split(self.n, 1)
        log_q = torch.zeros(len(joint), dtype=self.dtype)
        for layer in reversed(range(len(self.couplings) // 2)):
            x, log_volume = self.couple(self.couplings[2 * layer + 1], x, a, True)
            log_q = log_q + log_volume
            a, log_volume = self.couple(self.couplings[2 * layer], a, x, True)
            log_q = log_q + log_volume
            if self.scaling is not None:
                x, a, log_volume = self._scale(layer, x, a, True)
                log_q = log_q + log_volume
        return log_q + self._base_log_density(x, a)
