%module(package="openmmflow", docstring="The C++ API of openmm-flow.") openmmflow

%{
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "OpenMM.h"
#include "OpenMMFlow.h"

using namespace OpenMMFlow;
%}

%feature("autodoc", "0");
%nodefaultctor;
%feature("compactdefaultargs");

%pythonbegin %{
import os
import threading

import numpy as np

# OpenMM's types must be known before those of this module are, and its plugins loaded before ours are looked for.
import openmm

from openmmflow.blocks import BLOCK, fill_in_blocks
from openmmflow.quantities import (
    boolean,
    configurations,
    conformation,
    integer,
    integers,
    length,
    mask,
    number,
    per_sample,
    random_seed,
    replica_temperatures,
    replicas_of,
    sample_indices,
    values_and_unit,
)
from openmmflow.dcd import refuse_dcd, save_dcd
from openmmflow.topologies import bond_order
%}

%include <stdint.i>
%include "swig/exceptions.i"
%include "swig/arrays.i"
%include "swig/strings.i"
%include "swig/openmm.i"
%include "swig/Flow.i"
%include "swig/FlowBuilder.i"
%include "swig/FlowContext.i"
%include "swig/BatchedPotential.i"
%include "swig/BatchedIntegrator.i"
%include "swig/ReplicaExchange.i"
%include "swig/WeightedEnsemble.i"
%include "swig/EnsembleWriter.i"
%include "swig/Annealing.i"
%include "swig/FlowSampler.i"
%include "swig/forces.i"
%include "swig/BoltzmannGeneratorForce.i"
%include "swig/AugmentedParticles.i"
%include "swig/MonteCarloFlowMove.i"
%include "swig/plugins.i"
