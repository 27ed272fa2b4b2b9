%{
/** Get a rate in 1/ps from a number or a Quantity. Returns false with an error set. */
static bool ratePerPicosecond(PyObject* object, double& value) {
    if (!PyObject_HasAttrString(object, "value_in_unit"))
        return numberInUnit(object, "", value);
    PyObject* inverse = PyObject_CallMethod(object, "__pow__", "i", -1);
    double time = 0;
    if (inverse == NULL || !numberInUnit(inverse, "picosecond", time)) {
        Py_XDECREF(inverse);
        return false;
    }
    Py_DECREF(inverse);
    value = 1 / time;
    return true;
}

/** Read temperatures, one for each replica, as numbers in K or as Quantities. Returns false with an error set. */
static bool temperaturesFromPython(PyObject* object, std::vector<double>& values) {
    PyObject* module = PyImport_ImportModule("openmmflow.quantities");
    PyObject* array = module == NULL ? NULL : PyObject_CallMethod(module, "replica_temperatures", "O", object);
    Py_XDECREF(module);
    const bool done = array != NULL && vectorFromPython(array, values);
    Py_XDECREF(array);
    return done;
}
%}

%typemap(in) double stepSize {
    if (!numberInUnit($input, "picosecond", $1))
        SWIG_fail;
}
%typemap(in) double friction {
    if (!ratePerPicosecond($input, $1))
        SWIG_fail;
}
%typemap(in) const std::vector<double>& temperatures (std::vector<double> values) {
    if (!temperaturesFromPython($input, values))
        SWIG_fail;
    $1 = &values;
}
%typemap(in) const std::map<std::string, std::string>& properties (std::map<std::string, std::string> table) {
    if (!mapFromPython($input, table))
        SWIG_fail;
    $1 = &table;
}
%apply std::string toBytes { std::string createCheckpoint };
%apply std::vector<double>& OUTPUT { std::vector<double>& OUTPUT_STEP_SIZES, std::vector<double>& OUTPUT_ACCEPTANCES };

namespace OpenMMFlow {

/**
 * Many independent copies of a System (replicas), each at a temperature of its own, that are propagated together.
 *
 * A replica's trajectory is a function of the seed and of the replica's number: it depends neither on how many there are
 * nor on the number of threads. All particles keep their three degrees of freedom; where the energy does not depend on
 * it, the centre of geometry is kept at the origin.
 */
class BatchedIntegrator {
public:
    int getNumReplicas() const;
    int getNumParticles() const;
    uint64_t getRandomNumberSeed() const;
    uint64_t getFirstReplica() const;
    double getStepSize() const;
    long long getStepCount() const;
    std::string getDescription() const;
    ~BatchedIntegrator();

protected:
    BatchedIntegrator();
};

%extend BatchedIntegrator {
    std::vector<double> _getTemperatures() { return $self->getTemperatures(); }
    void _setTemperatures(const std::vector<double>& temperatures) { $self->setTemperatures(temperatures); }
    void _setStepSize(double stepSize) { $self->setStepSize(stepSize); }
    std::vector<double> _getPositions() { return $self->getPositions(); }
    void _setPositions(const std::vector<double>& positions) {
        ReleaseInterpreter release;
        $self->setPositions(positions);
    }
    std::vector<double> _getPotentialEnergies() { return $self->getPotentialEnergies(); }
    void _step(long long steps) {
        ReleaseInterpreter release;
        $self->step(steps);
    }
    std::string createCheckpoint() { return $self->createCheckpoint(); }
    void _loadCheckpoint(const std::string& bytes) { $self->loadCheckpoint(bytes); }

    %pythoncode %{
        @property
        def _shape(self):
            return self.getNumReplicas(), self.getNumParticles(), 3

        def getTemperatures(self):
            """Return the temperature of each replica in K, (replicas,)."""
            return self._getTemperatures()

        def setTemperatures(self, temperatures):
            """Set the temperature of each replica, (replicas,) in K or Quantity; velocities are scaled along."""
            with self._lock:
                self._setTemperatures(temperatures)

        def setStepSize(self, stepSize):
            """Set the step size in ps, or as a Quantity."""
            with self._lock:
                self._setStepSize(stepSize)

        def getPositions(self):
            """Return the positions, (replicas, N, 3) in nm."""
            return self._getPositions().reshape(-1, *self._shape[1:])

        def setPositions(self, positions):
            """Set the positions, (replicas, N, 3) or, for all replicas the same, (N, 3), in nm or Quantity."""
            positions = replicas_of(positions, openmm.unit.nanometer, *self._shape[:2], "Positions")
            with self._lock:
                self._setPositions(positions)

        def getPotentialEnergies(self):
            """Return the potential energy of each replica in kJ/mol, (replicas,)."""
            return self._getPotentialEnergies()

        def step(self, steps):
            """Propagate all replicas by a number of steps; for HMC, of proposals."""
            steps = integer(steps, 0, 2**63 - 1, "number of steps")
            block = max(1, BLOCK // self.getNumReplicas())
            for start in range(0, steps, block):
                with self._lock:
                    self._step(min(block, steps - start))

        def loadCheckpoint(self, bytes):
            """Go on bit by bit from what createCheckpoint() returned; all settings become those of the checkpoint."""
            with self._lock:
                self._loadCheckpoint(bytes)
    %}
}

%define KEEP_POTENTIAL(CLASS)
%feature("kwargs") CLASS::CLASS;
%feature("pythonappend") CLASS::CLASS %{
    self._potential = args[1] if len(args) > 1 else kwargs["potential"]
    # Calls on one BatchedPotential must not overlap.
    self._lock = self._potential._lock
%}
%enddef
KEEP_POTENTIAL(BatchedLangevinMiddleIntegrator)
KEEP_POTENTIAL(BatchedHMCIntegrator)

/**
 * Langevin dynamics of many replicas, with the discretisation of OpenMM's LangevinMiddleIntegrator. Temperatures are in K,
 * friction in 1/ps and the step size in ps, or Quantities; properties: "Threads".
 */
class BatchedLangevinMiddleIntegrator : public BatchedIntegrator {
public:
    BatchedLangevinMiddleIntegrator(const OpenMM::System& system, BatchedPotential& potential,
                                    const std::vector<double>& temperatures, double friction, double stepSize,
                                    uint64_t seed = 0, uint64_t firstReplica = 0,
                                    const std::map<std::string, std::string>& properties = {});
    double getFriction() const;
};

%extend BatchedLangevinMiddleIntegrator {
    std::vector<double> _getVelocities() { return $self->getVelocities(); }
    void _setVelocities(const std::vector<double>& velocities) { $self->setVelocities(velocities); }

    %pythoncode %{
        def getVelocities(self):
            """Return the velocities, (replicas, N, 3) in nm/ps, half a step before the positions."""
            return self._getVelocities().reshape(self._shape)

        def setVelocities(self, velocities):
            """Set the velocities, (replicas, N, 3) or (N, 3), in nm/ps or Quantity."""
            speed = openmm.unit.nanometer / openmm.unit.picosecond
            velocities = replicas_of(velocities, speed, *self._shape[:2], "Velocities")
            with self._lock:
                self._setVelocities(velocities)
    %}
}

/**
 * Hamiltonian Monte Carlo of many replicas: step() makes proposals, each a trajectory of `stepsPerProposal` steps, so that
 * the Boltzmann distribution is stationary exactly. Temperatures are in K and the step size in ps, or Quantities;
 * properties: "Threads".
 */
class BatchedHMCIntegrator : public BatchedIntegrator {
public:
    BatchedHMCIntegrator(const OpenMM::System& system, BatchedPotential& potential,
                         const std::vector<double>& temperatures, double stepSize, int stepsPerProposal,
                         uint64_t seed = 0, uint64_t firstReplica = 0,
                         const std::map<std::string, std::string>& properties = {});
    int getStepsPerProposal() const;
    double getStepSizeJitter() const;
    void setStepSizeJitter(double jitter);
    long long getNumProposals() const;
    void resetStatistics();
};

%extend BatchedHMCIntegrator {
    std::vector<double> _getNumAcceptances() {
        return {$self->getNumAcceptances().begin(), $self->getNumAcceptances().end()};
    }
    std::vector<double> _getNumNonFinite() {
        return {$self->getNumNonFinite().begin(), $self->getNumNonFinite().end()};
    }
    void _tuneStepSize(double acceptance, int proposals, std::vector<double>& OUTPUT_STEP_SIZES,
                       std::vector<double>& OUTPUT_ACCEPTANCES) {
        ReleaseInterpreter release;
        for (const auto& proposal : $self->tuneStepSize(acceptance, proposals)) {
            OUTPUT_STEP_SIZES.push_back(proposal.stepSize);
            OUTPUT_ACCEPTANCES.push_back(proposal.acceptance);
        }
    }

    %pythoncode %{
        def getNumAcceptances(self):
            """Return the number of accepted proposals of each replica, (replicas,)."""
            return self._getNumAcceptances().astype(int)

        def getNumNonFinite(self):
            """Return the number of proposals of each replica without a finite energy, (replicas,)."""
            return self._getNumNonFinite().astype(int)

        def tuneStepSize(self, acceptance=0.8, proposals=100):
            """Find a step size in a pilot run. Its configurations are good for equilibration only.

            Returns
            -------
            step_sizes : (proposals,)
                in ps: those that were tried
            acceptances : (proposals,)
                the acceptance probability of each proposal, averaged over the replicas
            """
            with self._lock:
                return self._tuneStepSize(acceptance, proposals)
    %}
}

}
