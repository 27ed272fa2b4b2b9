"""The coupling flows of Midgley et al. 2023 (arXiv 2308.10364) in the code of the authors, compiled by XLA, on one core.

What `couplings.py` measures with `--jax-python` and `--jax-code`: a Python that has

    jax==0.4.13 jaxlib==0.4.13 dm-haiku==0.0.10 distrax==0.1.4 tensorflow-probability==0.20.1 e3nn-jax==0.20.3
    chex==0.1.82 optax==0.1.7 omegaconf hydra-core mdtraj<1.10 numpy<1.27 scipy<1.12 ml_dtypes<0.4

and a checkout of https://github.com/lollcat/se3-augmented-coupling-flows (beafab1 is what was measured). In
single precision, with the configurations in that checkout.
"""

import os
import sys

# What couplings.py calls a transform, as settings of the authors' code.
SETTINGS = {
    "spherical": ["flow.type=spherical"],
    "cartesian-affine": ["flow.type=proj", "flow.kwargs.proj.transform_type=real_nvp"],
    "cartesian-spline": ["flow.type=proj", "flow.kwargs.proj.transform_type=spline"],
    "vector": ["flow.type=along_vector"],
    "affine": ["flow.type=non_equivariant", "flow.kwargs.non_equivariant.transform_type=real_nvp"],
    "spline": ["flow.type=non_equivariant", "flow.kwargs.non_equivariant.transform_type=spline"],
}


def read_configuration(checkout, name, transform):
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(os.path.join(checkout, "examples", "config"), version_base=None):
        configuration = compose(name.lower(), overrides=SETTINGS[transform])
    OmegaConf.resolve(configuration)
    return configuration


def make_flow(configuration):
    from eacf.flow.build_flow import BaseConfig, ConditionalAuxDistConfig, FlowDistConfig, build_flow
    from eacf.nets.make_egnn import EGNNTorsoConfig, MLPHeadConfig, NetsConfig, TransformerConfig

    flow = dict(configuration.flow)
    nets, base = dict(flow.pop("nets")), dict(flow.pop("base"))
    networks = {
        "egnn_torso_config": EGNNTorsoConfig(**nets.pop("egnn")),
        "mlp_head_config": MLPHeadConfig(**nets.pop("mlp_head_config")),
        "non_equivariant_transformer_config": TransformerConfig(
            **nets.pop("non_equivariant_transformer_config")
        ),
    }
    augmented = ConditionalAuxDistConfig(**base.pop("aux"))
    return build_flow(
        FlowDistConfig(
            **flow,
            nets_config=NetsConfig(**nets, **networks),
            base=BaseConfig(**base, aug=augmented),
            target_aux_config=ConditionalAuxDistConfig(**configuration.target.aux),
        )
    )


def make_sampler(checkout, name, transform):
    """Return sample(batch), which draws samples with joint log q; each batch size is compiled when it comes first."""
    sys.path.insert(0, checkout)
    import jax
    import jax.numpy as jnp
    from eacf.flow.aug_flow_dist import FullGraphSample

    configuration = read_configuration(checkout, name, transform)
    flow = make_flow(configuration)
    particles, dimensions = configuration.flow.nodes, configuration.flow.dim
    features = jnp.arange(particles)[:, None] * (name == "ALDP")
    key = jax.random.PRNGKey(0)
    positions = jax.random.normal(key, (particles, dimensions))
    parameters = flow.init(key, FullGraphSample(positions=positions, features=features))
    draw = jax.jit(
        lambda parameters, key, batch: flow.sample_and_log_prob_apply(parameters, features, key, (batch,)),
        static_argnums=2,
    )

    def sample(batch):
        nonlocal key
        key, now = jax.random.split(key)
        jax.block_until_ready(draw(parameters, now, batch))

    return sample
