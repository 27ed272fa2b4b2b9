"""The augmented coupling flow that is not equivariant as plain PyTorch: what one writes without openmm-flow."""

import torch.nn.functional as F
from torch_couplings import Affine, TorchCouplingFlow, dense, residual


def normalize(x):
    return F.layer_norm(x, x.shape[-1:])


class TorchTransformerFlow(TorchCouplingFlow):
    """An AugmentedCouplingModel."""

    def configure(self, options):
        self.heads = int(options["attention_heads"])
        if options["transform"] == "affine":
            self.function = Affine(self.min_derivative)
        else:
            bounds = [self.range] * self.dim
            self.function = self.make_splines([-bound for bound in bounds], bounds, [False] * self.dim)

    def _attend(self, weights, name, x):
        query, key, value = (
            dense(weights, name + kind, x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for kind in (".query", ".key", ".value")
        )
        sums = F.scaled_dot_product_attention(query, key, value)
        return dense(weights, name + ".attention", sums.transpose(1, 2).flatten(2))

    def couple(self, weights, moved, fixed, inverse):
        origin = fixed.mean(1, keepdim=True)
        h = F.silu(dense(weights, "input", fixed - origin) + weights["embedding"][self.types])
        for b in range(self.blocks):
            name = f"blocks.{b}"
            h = h + self._attend(weights, name, normalize(h))
            hidden = residual(weights, name + ".feed_forward", normalize(h))
            h = h + dense(weights, name + ".feed_forward.output", hidden)
        parameters = dense(weights, "head.output", residual(weights, "head", h))
        parameters = parameters.unflatten(-1, (self.dim, -1))
        mapped, log_volume = self.function(moved - origin, parameters, inverse)
        return origin + mapped, log_volume.sum((1, 2))
