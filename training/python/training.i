%module(package="openmmflow_training", docstring="The C++ API of openmm-flow's training library.") training

%{
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "OpenMM.h"
#include "openmmflow/FlowTrainer.h"
#include "openmmflow/internal/ProcessGroup.h"

using namespace OpenMMFlow;
%}

%feature("autodoc", "0");
%nodefaultctor;

%pythonbegin %{
import os
import pickle

import numpy as np

# The types of OpenMM and of openmmflow must be known before those of this module are.
import openmm
import openmmflow
from openmm import OpenMMException

from openmmflow.quantities import configurations, integers, per_sample

%}

%include <stdint.i>
%include "swig/exceptions.i"
%include "swig/arrays.i"
%include "swig/strings.i"
%include "swig/openmm.i"

%{
template <> constexpr int numpyType<long long> = NPY_LONGLONG;
%}
VECTOR_TYPEMAPS(long long)

%import(module="openmmflow.openmmflow") "swig/Flow.i"

%{
/** Calls a Python function with the progress of training, and gives Python the chance to handle Ctrl-C. */
class PythonTrainingProgress {
public:
    explicit PythonTrainingProgress(PyObject* function) : function(function) {}
    bool operator()(const FlowTrainerProgress& progress) const {
        PyGILState_STATE state = PyGILState_Ensure();
        bool proceed = PyErr_CheckSignals() == 0;
        if (proceed && function != Py_None) {
            PyObject* argument = SWIG_NewPointerObj(new FlowTrainerProgress(progress),
                                                    SWIG_TypeQuery("OpenMMFlow::FlowTrainerProgress *"), SWIG_POINTER_OWN);
            PyObject* result = PyObject_CallFunctionObjArgs(function, argument, NULL);
            // Nothing is what a function without a return statement returns.
            proceed = result != NULL && (result == Py_None || PyObject_IsTrue(result) == 1);
            Py_XDECREF(result);
            Py_DECREF(argument);
        }
        PyGILState_Release(state);
        return proceed;
    }

private:
    PyObject* function;
};

/** Other Python threads run meanwhile. */
template <class Run>
auto runWithoutLock(const Run& run) {
    PyThreadState* state = PyEval_SaveThread();
    struct Restore {
        PyThreadState* state;
        ~Restore() { PyEval_RestoreThread(state); }
    };
    auto result = [&] {
        Restore restore{state};
        return run();
    }();
    if (PyErr_Occurred())
        throw std::runtime_error("interrupted");
    return result;
}
%}

namespace OpenMMFlow {

%feature("shadow") FlowTrainerOptions::FlowTrainerOptions %{
def __init__(self, **settings):
    """Create options: the defaults, but for the settings that are named, such as batchSize=256."""
    _training.FlowTrainerOptions_swiginit(self, _training.new_FlowTrainerOptions())
    for name, value in settings.items():
        setattr(self, name, value)
%}

/** How a Flow is trained. The defaults suit a molecule of a few dozen atoms and some 100,000 frames. */
struct FlowTrainerOptions {
    FlowTrainerOptions();
    int batchSize;
    double learningRate, initialLearningRate, finalLearningRate;
    int warmupSteps;
    long long maxSamples;
    double maxEpochs, timeBudget, maxGradientNorm, gradientClipFactor, gradientSkipFactor, frameLossWeight,
        averagingDecay, validationFraction, initialTemperature, annealingFraction, massCovering, massBalancing, minEffectiveFraction,
        forceClipFactor, targetEffectiveSampleFraction, pathGradientShare, pretrainingFraction, trustRegion, entropyDecay, initialStepSize,
        targetAcceptance;
    int bufferSize, stageSteps, bootstrapInterval, annealingDensities, leapfrogSteps;
    bool pathGradients;
    int maxValidationFrames, validationInterval, patience;
    double checkpointInterval;
    int targetInterval, targetSamples;
    std::string precision, device, optimizer, objective;
    int threads;
    unsigned int seed;
};

%extend FlowTrainerOptions {
    %pythoncode %{
        __doc__ = """How a Flow is trained. FlowTrainer.h describes all options; those of training from the energy alone are:

        objective : str
            "path-gradient" (arXiv 2403.15881), on fresh samples; or, on samples that are kept for many steps,
            "annealed-importance" (arXiv 2501.19077), "mass-transport" (arXiv 2510.18460) or "bootstrap" (arXiv 2208.01893)
        initialTemperature, annealingFraction : float
            the temperature in K of the target at the beginning, and the fraction of the steps over which it falls
        massCovering, massBalancing, minEffectiveFraction, forceClipFactor : float
            of path gradients: the share of the forward divergence, the weight of its likelihood, the fraction of a batch for
            whose sake importance weights are raised to a power below 1, and how much longer than the median a gradient may be
        pathGradientShare : float
            the share of path gradients on fresh samples in the steps of the other objectives
        pretrainingFraction : float
            the fraction of the steps, at the beginning, of path gradients alone at the initial temperature
        pathGradients : bool
            whether "annealed-importance" and "mass-transport" use the forces at the samples that are kept
        bufferSize : int
            how many samples are drawn for each stage, or kept by "bootstrap"
        stageSteps : int
            the steps in a stage of "annealed-importance" and "mass-transport"
        trustRegion, entropyDecay : float
            of "mass-transport", in nats: the largest divergence of the next density from the flow, and by how much its
            entropy may be lower (0 for no bound)
        bootstrapInterval : int
            of "bootstrap", as all that follow: the steps between additions to the buffer, each of a batch
        annealingDensities, leapfrogSteps : int
            the densities between the flow and p^2/q, and the steps of Hamiltonian Monte Carlo at each
        initialStepSize : float
            of these steps at first, in standardised coordinates
        targetAcceptance : float
            the acceptance that step sizes adapt to, between 0 and 1
        targetEffectiveSampleFraction : float
            training ends when a validation reaches it; 0 for never
        """

        @classmethod
        def names(cls):
            """Return the names of all options."""
            return sorted(name for name in vars(cls) if isinstance(vars(cls)[name], property) and name != "thisown")

        def __setattr__(self, name, value):
            if name not in ("this", "thisown", *self.names()):
                raise OpenMMException(f"There is no training option {name}; there are {', '.join(self.names())}.")
            object.__setattr__(self, name, value)

        def __repr__(self):
            settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.names())
            return f"FlowTrainerOptions({settings})"
    %}
}

/** How far training has come. Negative log likelihoods (NLL) are averages of -log q; in training from the energy
 * alone, averages over proposals of log q + U/kT. */
struct FlowTrainerProgress {
    ~FlowTrainerProgress();
    long long step, totalSteps, samples;
    double epoch, learningRate, trainingNLL, validationNLL, bestValidationNLL, effectiveSampleFraction, paretoK;
    long long energyEvaluations;
    double temperature;
    long long skippedSteps, relapses;
    double samplesPerSecond, secondsLeft;
};

/** Fits a Flow to configurations by maximum likelihood, or to the energy of a System without any. */
class FlowTrainer {
public:
    explicit FlowTrainer(const Flow& flow, const FlowTrainerOptions& options = {});
    ~FlowTrainer();
    const FlowTrainerOptions& getOptions() const;
    void setTarget(const OpenMM::System& system, double temperature);
};

%extend FlowTrainer {
    int _numParticles() const { return $self->getNumParticles(); }
    Flow _train(const std::vector<double>& positions, const std::vector<double>& weights,
                const std::vector<long long>& blocks, const std::string& path, PyObject* progress,
                const std::vector<long long>& heldOutBlocks) {
        return runWithoutLock([&] {
            return $self->train(positions, weights, {blocks.begin(), blocks.end()}, path,
                                PythonTrainingProgress(progress), {heldOutBlocks.begin(), heldOutBlocks.end()});
        });
    }
    Flow _trainOnEnergy(const std::string& path, PyObject* progress) {
        return runWithoutLock([&] { return $self->trainOnEnergy(path, PythonTrainingProgress(progress)); });
    }

    %pythoncode %{
        def train(
            self, positions, weights=None, blocks=None, progress=None, checkpoint=None, heldOutBlocks=None
        ):
            """Train.

            Parameters
            ----------
            positions : (count, N, 3), nm or Quantity
            weights : (count,), optional
                the weight of each frame in the likelihood
            blocks : (count,) of any integer type, optional
                which trajectory, or part of one, each frame belongs to: validation holds out whole blocks. Without
                them, the frames are one trajectory, which is cut into 50 blocks
            progress : callable, optional
                called with a FlowTrainerProgress about once a second; when it returns something false other than
                None, training ends. Of processes that torchrun starts, it is called in each, and any may end training
            checkpoint : path, optional
                the file for checkpoints; when it exists, training continues from there
            heldOutBlocks : sequence of int, optional
                the blocks for validation; without them, they are chosen at random

            Returns
            -------
            Flow
            """
            positions = configurations(positions, self._numParticles())
            return self._train(
                positions,
                np.zeros(0) if weights is None else per_sample(weights, len(positions), "Weights"),
                np.zeros(0, np.int64) if blocks is None else integers(blocks, "blocks", (len(positions),), np.int64),
                "" if checkpoint is None else checkpoint,
                progress,
                integers([] if heldOutBlocks is None else heldOutBlocks, "blocks to hold out", dtype=np.int64),
            )

        def trainOnEnergy(self, progress=None, checkpoint=None):
            """Train from the energy of the target alone, which setTarget() has set, without any data.

            Parameters
            ----------
            progress : callable, optional
                as for train()
            checkpoint : path, optional
                as for train()

            Returns
            -------
            Flow
                with the averaged weights at the end
            """
            return self._trainOnEnergy("" if checkpoint is None else checkpoint, progress)
    %}
}

%apply std::string toBytes { std::string _broadcast };

/** The processes that torchrun starts to train a flow together, or this one alone. */
class ProcessGroup {
public:
    ~ProcessGroup();
    int getRank() const;
    int getSize() const;
};

%extend ProcessGroup {
    ProcessGroup() {
        return runWithoutLock([] { return std::make_unique<ProcessGroup>(); }).release();
    }
    std::string _broadcast(const std::string& bytes) const {
        return runWithoutLock([&] { return $self->broadcast(bytes); });
    }

    %pythoncode %{
        rank = property(getRank, doc="The number of this process, counted from 0.")
        size = property(getSize, doc="The number of processes.")

        def share(self, make):
            """Return what make() returns in the first process, where alone it is called, in all of them."""
            if self.size == 1:
                return make()
            return pickle.loads(self._broadcast(pickle.dumps(make()) if self.rank == 0 else b""))
    %}
}

}
