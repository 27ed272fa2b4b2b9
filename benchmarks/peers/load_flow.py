"""Coupling flows of files as plain PyTorch."""

from safetensors import safe_open
from torch_equivariant import TorchEquivariantFlow
from torch_transformer import TorchTransformerFlow

FAMILIES = {"equivariant-coupling": TorchEquivariantFlow, "augmented-coupling": TorchTransformerFlow}


def load_flow(path, **options):
    """The flow of a model file."""
    with safe_open(path, "pt") as file:
        family = file.metadata()["family"]
    return FAMILIES[family](path, **options)
