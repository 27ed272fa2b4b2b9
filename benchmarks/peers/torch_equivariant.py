"""The equivariant coupling flow as plain PyTorch: what one writes without openmm-flow.

Written for speed as Torch allows: all samples, particles and edges at once, the first layer of the edges split by its
inputs, so that what belongs to a particle is computed once a particle.
"""

import math

import torch
import torch.nn.functional as F
from torch_couplings import Affine, TorchCouplingFlow, dense, finish_residual, residual, square_of

# As in platforms/shared/frames.cc.
TINY_SQUARE = 1e-30


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


class TorchEquivariantFlow(TorchCouplingFlow):
    """An EquivariantCouplingModel."""

    def configure(self, options):
        if options["reflections"]:
            raise NotImplementedError("no reflections")
        self.repeats, self.kind = int(options["repeats"]), options["transform"]
        is_vector = self.kind == "vector"
        self.vectors_per_frame = 1 if is_vector else self.dim
        self.vectors = self.repeats * self.vectors_per_frame
        self.coordinates = 1 if is_vector else self.dim
        self.function = self._make_function()
        count = torch.arange(self.n - 1)
        # Row i: all particles but i.
        self.senders = torch.stack([count + (count >= i) for i in range(self.n)])
        self.pairs = torch.triu_indices(self.vectors, self.vectors, 1)
        others = torch.arange(max(self.vectors - 1, 0))
        self.others = torch.stack([others + (others >= k) for k in range(self.vectors)])

    def _make_function(self):
        if self.kind == "cartesian-affine":
            return Affine(self.min_derivative)
        lower, upper, circular = [0.0], [self.range], [False]
        if self.kind == "spherical":
            lower += [0.0] * (self.dim - 2) + [-math.pi]
            upper += [math.pi] * (self.dim - 1)
            circular += [False] * (self.dim - 2) + [True]
        elif self.kind == "cartesian-spline":
            lower, upper = [-self.range] * self.dim, [self.range] * self.dim
            circular = [False] * self.dim
        return self.make_splines(lower, upper, circular)

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

    def couple(self, weights, moved, fixed, inverse):
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
