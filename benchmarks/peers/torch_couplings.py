"""The equivariant coupling flow as plain PyTorch, eager or compiled: what one writes without openmm-flow.

It reads the same model file, and is written for speed as Torch allows: all samples, particles and edges at once, the
first layer of the edges split by its inputs, so that what belongs to a particle is computed once a particle.
"""

import json
import math

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

# As in platforms/shared/frames.cc.
TINY_SQUARE = 1e-30


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


def make_axes(moves):
    """The axes of the frames as rows, (..., D, D), from the moves of the vectors after the first."""
    if moves.shape[-1] == 2:
        x = F.normalize(moves[..., 0, :], dim=-1)
        return torch.stack([x, torch.stack([-x[..., 1], x[..., 0]], -1)], -2)
    first, second = moves.unbind(-2)
    z = F.normalize(first, dim=-1)
    x = F.normalize(second - (second * z).sum(-1, keepdim=True) * z, dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], -2)


def to_polar(c):
    """Polar or spherical coordinates, and the logarithm of their volume element."""
    planar = c[..., 0] ** 2 + c[..., 1] ** 2 + TINY_SQUARE
    around = torch.atan2(c[..., 1], c[..., 0])
    if c.shape[-1] == 2:
        return torch.stack([torch.sqrt(planar), around], -1), 0.5 * torch.log(planar)
    square = planar + c[..., 2] ** 2
    tilt = torch.atan2(torch.sqrt(planar), c[..., 2])
    return torch.stack([torch.sqrt(square), tilt, around], -1), 0.5 * (torch.log(planar) + torch.log(square))


def from_polar(s):
    if s.shape[-1] == 2:
        r, around = s.unbind(-1)
        return torch.stack([r * torch.cos(around), r * torch.sin(around)], -1), torch.log(r)
    r, tilt, around = s.unbind(-1)
    planar = r * torch.sin(tilt)
    c = torch.stack([planar * torch.cos(around), planar * torch.sin(around), r * torch.cos(tilt)], -1)
    return c, 2 * torch.log(r) + torch.log(torch.sin(tilt))


class TorchCouplingFlow:
    """Sampling and log q of joint configurations of one augmented copy."""

    def __init__(self, path, dtype=torch.float32, compiled=False):
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            options = json.loads(file.metadata()["configuration"])
        if options["copies"] != 1 or options["reflections"] or options["base"] != "gaussian":
            raise NotImplementedError("only one copy, no reflections and the Gaussian base")
        real = {name: tensor.to(dtype) for name, tensor in tensors.items() if tensor.is_floating_point()}
        self.dtype, self.types = dtype, tensors["types"]
        self.n, self.dim = int(options["particles"]), int(options["dimensions"])
        self.blocks, self.repeats = int(options["blocks"]), int(options["repeats"])
        self.unit = options["length_unit"]
        self.base_scale = options["base_scale"] / self.unit
        self.augmented_scale = options["base_augmented_scale"] / self.unit
        self.kind = options["transform"]
        is_vector = self.kind == "vector"
        self.vectors_per_frame = 1 if is_vector else self.dim
        self.vectors = self.repeats * self.vectors_per_frame
        self.coordinates = 1 if is_vector else self.dim
        self.function = self._make_function(options)
        count = torch.arange(self.n - 1)
        # Row i: all particles but i.
        self.senders = torch.stack([count + (count >= i) for i in range(self.n)])
        self.pairs = torch.triu_indices(self.vectors, self.vectors, 1)
        others = torch.arange(max(self.vectors - 1, 0))
        self.others = torch.stack([others + (others >= k) for k in range(self.vectors)])
        layers = range(int(options["layers"]))
        self.min_derivative = options["min_derivative"]
        self.scaling = [real[f"layers.{layer}.scaling"] for layer in layers] if options["scaling"] else None
        self.couplings = []
        for c in range(2 * len(layers)):
            prefix = f"couplings.{c}."
            self.couplings.append(
                {k.removeprefix(prefix): v for k, v in real.items() if k.startswith(prefix)}
            )
        # All couplings are of one size: compiled once, with the weights as arguments.
        self.couple = torch.compile(self._couple, dynamic=False) if compiled else self._couple

    def _make_function(self, options):
        if self.kind == "cartesian-affine":
            return Affine(options["min_derivative"])
        bound = options["range"] / self.unit
        lower, upper, circular = [0.0], [bound], [False]
        if self.kind == "spherical":
            lower += [0.0] * (self.dim - 2) + [-math.pi]
            upper += [math.pi] * (self.dim - 1)
            circular += [False] * (self.dim - 2) + [True]
        elif self.kind == "cartesian-spline":
            lower, upper, circular = [-bound] * self.dim, [bound] * self.dim, [False] * self.dim
        return Splines(
            int(options["bins"]),
            lower,
            upper,
            circular,
            options["min_bin_fraction"],
            options["min_derivative"],
            self.dtype,
        )

    def _block(self, weights, b, h, v, points):
        """Features and vectors after a block; h is (1, N, F) in block 0, where it is known by type."""
        name = f"blocks.{b}."
        has_cross = b > 0 and self.vectors > 1
        own = h
        if has_cross:
            first, second = self.pairs
            own = torch.cat([h, torch.log1p(square_of(v[:, :, first] - v[:, :, second]))], -1)
        origin = points[:, :, None] if b == 0 else v
        d = origin[:, :, None] - origin[:, self.senders]
        square = square_of(d)
        argument = (
            dense(weights, name + "edge.distances", torch.log1p(square))
            + dense(weights, name + "edge.receiver", own)[:, :, None]
            + dense(weights, name + "edge.sender", own)[:, self.senders]
        )
        m = finish_residual(weights, name + "edge.second", argument)
        gate = torch.sigmoid(dense(weights, name + "gate", m))
        message = (gate * m).sum(2) / math.sqrt(self.n - 1)
        shift = dense(weights, name + "shift.output", residual(weights, name + "shift", m))
        factor = shift / ((1 + torch.sqrt(square)) * (self.n - 1))
        moved = v + (factor[..., None] * d).sum(2)
        if has_cross:
            cross = dense(weights, name + "cross.output", residual(weights, name + "cross", message))
            cross = cross.unflatten(-1, (self.vectors, self.vectors - 1))
            between = v[:, :, :, None] - v[:, :, self.others]
            factor = cross / ((1 + square_of(between)) * (self.vectors - 1))
            moved = moved + (factor[..., None] * between).sum(3)
        weight, hidden = weights[name + "node.first.weight"], message.shape[-1]
        argument = F.linear(message, weight[:, :hidden], weights[name + "node.first.bias"]) + F.linear(
            h, weight[:, hidden:]
        )
        node = finish_residual(weights, name + "node.second", argument)
        return h + dense(weights, name + "node.output", node), moved

    def _map(self, u, moves, parameters, inverse):
        """What a repeat makes of points in frames, and the log volume."""
        if self.kind == "vector":
            length = torch.sqrt(square_of(u) + TINY_SQUARE)[..., None]
            mapped, log_volume = self.function(length, parameters, inverse)
            ratio = mapped / length
            return ratio * u, (log_volume + (self.dim - 1) * torch.log(ratio)).sum((-2, -1))
        axes = make_axes(moves)
        c = (axes * u[..., None, :]).sum(-1)
        if self.kind == "spherical":
            values, before = to_polar(c)
            values, log_volume = self.function(values, parameters, inverse)
            c, after = from_polar(values)
            log_volume = log_volume.sum(-1) + after - before
        else:
            c, log_volume = self.function(c, parameters, inverse)
            log_volume = log_volume.sum(-1)
        return (axes * c[..., None]).sum(-2), log_volume.sum(-1)

    def _couple(self, weights, moved, fixed, inverse):
        """Transform the points `moved` given `fixed`, (batch, N, D)."""
        h = weights["embedding"][self.types][None]
        start = fixed[:, :, None].expand(-1, -1, self.vectors, -1)
        v = start
        for b in range(self.blocks):
            h, v = self._block(weights, b, h, v, fixed)
        moves = (v - start).unflatten(2, (self.repeats, self.vectors_per_frame))
        features = h.shape[-1] * F.softmax(h, -1)
        log_volume = torch.zeros_like(moved[:, 0, 0])
        for repeat in reversed(range(self.repeats)) if inverse else range(self.repeats):
            name = f"heads.{repeat}"
            parameters = dense(weights, name + ".output", residual(weights, name, features))
            parameters = parameters.unflatten(-1, (self.coordinates, self.function.num_parameters))
            origin = fixed + moves[:, :, repeat, 0]
            mapped, volume = self._map(moved - origin, moves[:, :, repeat, 1:], parameters, inverse)
            moved = origin + mapped
            log_volume = log_volume + volume
        return moved, log_volume

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
