%typemap(out) OpenMMFlow::WeightedEnsemble::Estimate {
    $result = Py_BuildValue("(dd)", $1.value, $1.error);
}
%typemap(out) const std::vector<OpenMMFlow::WeightedEnsemble::SampleRange>& {
    $result = PyList_New(0);
    for (const auto& range : *$1) {
        PyObject* item = Py_BuildValue("(KKL)", (unsigned long long)range.seed, (unsigned long long)range.first,
                                       range.count);
        PyList_Append($result, item);
        Py_DECREF(item);
    }
}

namespace OpenMMFlow {

%rename(_resample) WeightedEnsemble::resample;
%rename(_append) WeightedEnsemble::append;
%rename(_slice) WeightedEnsemble::slice;
%rename(_computeExpectation) WeightedEnsemble::computeExpectation;
%rename(_computeFreeEnergyDifference) WeightedEnsemble::computeFreeEnergyDifference;

/** Configurations with importance weights: log w = -u - log q, where u = U/kT is the reduced potential. */
class WeightedEnsemble {
public:
    int getNumParticles() const;
    double getTemperature() const;
    long long getNumSamples() const;
    bool hasPositions() const;
    bool hasLogQ() const;
    long long getBlockSize() const;
    long long getNumOffSupport() const;
    long long getNumNonFinite() const;
    double getEffectiveSampleSize() const;
    double getEffectiveSampleFraction() const;
    double getNumEffectiveBlocks() const;
    double getParetoK() const;
    OpenMMFlow::WeightedEnsemble::Estimate getLogPartitionFunction() const;
    double getAcceptance() const;
    OpenMMFlow::WeightedEnsemble::Estimate computeExpectation(const std::vector<double>& values) const;
    OpenMMFlow::WeightedEnsemble::Estimate computeFreeEnergyDifference(const std::vector<bool>& inA,
                                                                     const std::vector<bool>& inB) const;
    WeightedEnsemble resample(long long count, uint64_t seed) const;
    WeightedEnsemble slice(long long start, long long end) const;
    void append(const WeightedEnsemble& other);
    const std::vector<OpenMMFlow::WeightedEnsemble::SampleRange>& getSampleRanges() const;
    const std::map<std::string, std::string>& getMetadata() const;
    void setMetadata(const std::string& key, const std::string& value);
    std::string toString() const;
    ~WeightedEnsemble();
};

%extend WeightedEnsemble {
    WeightedEnsemble(int numParticles, double temperature, const std::vector<double>& positions,
                     const std::vector<double>& logQ, const std::vector<double>& reducedPotentials) {
        return new WeightedEnsemble(numParticles, temperature, positions, logQ, reducedPotentials);
    }
    static WeightedEnsemble _fromLogWeights(int numParticles, double temperature, const std::vector<double>& positions,
                                            const std::vector<double>& logWeights,
                                            const std::vector<double>& reducedPotentials, long long blockSize) {
        return OpenMMFlow::WeightedEnsemble::fromLogWeights(numParticles, temperature, positions, logWeights,
                                                            reducedPotentials, blockSize);
    }
    static WeightedEnsemble load(const std::string& path) {
        ReleaseInterpreter release;
        return OpenMMFlow::WeightedEnsemble::load(path);
    }
    void _save(const std::string& path) const {
        ReleaseInterpreter release;
        $self->save(path);
    }
    void _addSampleRange(uint64_t seed, uint64_t first, long long count) {
        $self->addSampleRange({seed, first, count});
    }
    WeightedEnsemble _copy() const {
        return *$self;
    }
    PyObject* _viewPositions(PyObject* owner) const {
        return viewOfVector($self->getPositions(), owner);
    }
    PyObject* _viewLogQ(PyObject* owner) const {
        return viewOfVector($self->getLogQ(), owner);
    }
    PyObject* _viewReducedPotentials(PyObject* owner) const {
        return viewOfVector($self->getReducedPotentials(), owner);
    }
    PyObject* _viewLogWeights(PyObject* owner) const {
        return viewOfVector($self->getLogWeights(), owner);
    }

    // The arrays are read-only views of memory that the C++ object under self.this owns. append() puts a new C++ object
    // there, so that views handed out before stay valid.
    %pythoncode %{
        @staticmethod
        def fromArrays(positions, log_q, reduced_potentials, temperature):
            """Create an ensemble from samples of a flow.

            Parameters
            ----------
            positions : (count, N, 3), nm or Quantity
            log_q, reduced_potentials : (count,)
            temperature : K or Quantity
            """
            positions = configurations(positions, None)
            log_q = per_sample(log_q, len(positions), "Values of log q")
            reduced_potentials = per_sample(reduced_potentials, len(positions), "Reduced potentials")
            return WeightedEnsemble(positions.shape[1], temperature, positions, log_q, reduced_potentials)

        @staticmethod
        def fromLogWeights(positions, log_weights, reduced_potentials, temperature, block_size=1):
            """Create an ensemble whose weights are known and which has no log q, such as an annealed one.

            Parameters
            ----------
            positions : (count, N, 3), nm or Quantity
            log_weights, reduced_potentials : (count,)
                -infinity for weight zero, where the reduced potential need not be finite
            temperature : K or Quantity
            block_size : int
                how many consecutive samples depend on each other
            """
            positions = configurations(positions, None)
            log_weights = per_sample(log_weights, len(positions), "Log weights")
            reduced_potentials = per_sample(reduced_potentials, len(positions), "Reduced potentials")
            block_size = integer(block_size, 1, 2**63 - 1, "block size")
            return WeightedEnsemble._fromLogWeights(
                positions.shape[1], temperature, positions, log_weights, reduced_potentials, block_size
            )

        def _withoutPositions(self):
            """Return the samples of an ensemble that has log q, without positions."""
            rest = WeightedEnsemble(
                self.getNumParticles(), self.temperature, np.zeros(0), self.log_q, self.reduced_potentials
            )
            for key, value in self.metadata.items():
                rest.setMetadata(key, value)
            for sample_range in self.sample_ranges:
                rest._addSampleRange(*sample_range)
            return rest

        @property
        def positions(self):
            """The positions in nm, (count, N, 3)."""
            if not self.hasPositions():
                raise openmm.OpenMMException(
                    "This ensemble holds no positions: load them from the file that they were written to."
                )
            return self._viewPositions(self.this).reshape(-1, self.getNumParticles(), 3)

        @property
        def log_q(self):
            """log q, (count,), of an ensemble that was not annealed."""
            if not self.hasLogQ():
                raise openmm.OpenMMException(
                    "An annealed or resampled ensemble has no log q: see its log weights."
                )
            return self._viewLogQ(self.this)

        reduced_potentials = property(lambda self: self._viewReducedPotentials(self.this), doc="u = U/kT, (count,).")
        log_weights = property(
            lambda self: self._viewLogWeights(self.this),
            doc="-u - log q, or the work of annealing, (count,); -infinity for weight zero.",
        )
        temperature = property(getTemperature, doc="The temperature of the target in K.")
        effective_sample_size = property(getEffectiveSampleSize, doc="(sum w)^2 / sum w^2. Blind to missing modes.")
        block_size = property(getBlockSize, doc="How many consecutive samples depend on each other: 1, or an island's size.")
        effective_sample_fraction = property(getEffectiveSampleFraction, doc="Effective sample size over count.")
        pareto_k = property(getParetoK, doc="The tail index of the weights: above 0.7 averages are not reliable.")
        log_partition_function = property(getLogPartitionFunction, doc="log Z and its standard error.")
        acceptance = property(getAcceptance, doc="The acceptance that a Metropolis move with this flow would have.")
        sample_ranges = property(getSampleRanges, doc="What the samples came from: [(seed, first, count), ...].")
        metadata = property(getMetadata, doc="Hashes of flow and System and what computed them: a dict of strings.")

        def expectation(self, values):
            """Compute the average of a quantity in the target distribution.

            Parameters
            ----------
            values : (count,), numbers or Quantity
                the quantity for each sample; values of samples of weight zero are ignored

            Returns
            -------
            (average, standard error), Quantities if the values are
            """
            values, unit = values_and_unit(values, len(self))
            average, error = self._computeExpectation(values)
            return (average, error) if unit is None else (average * unit, error * unit)

        def free_energy_difference(self, mask_a, mask_b):
            """Compute F_b - F_a in kT and its standard error; the masks, (count,), say which samples lie in a and b."""
            return self._computeFreeEnergyDifference(mask(mask_a, len(self)), mask(mask_b, len(self)))

        def resample(self, count, seed=0):
            """Draw `count` configurations with probability proportional to weight.

            All have the same weight, and no log q. Some are copies of each other, so that errors of what is computed
            from them are NaN: compute averages with this ensemble.
            """
            count, seed, _ = sample_indices(count, seed, 0)
            return self._resample(count, seed)

        def slice(self, start, end):
            """Return the samples start ... end-1 as an ensemble."""
            limits = (integer(value, 0, len(self), "limits of a slice") for value in (start, end))
            return self._slice(*limits)

        def append(self, other):
            """Add the samples of another ensemble of the same flow, System and temperature."""
            grown = self._copy()
            grown._append(other)
            self.this = grown.this

        @staticmethod
        def merge(ensembles):
            """Join ensembles which were made by different seeds or machines into a new one."""
            ensembles = list(ensembles)
            if not ensembles:
                raise openmm.OpenMMException("There is nothing to merge: give at least one ensemble.")
            merged = ensembles[0]._copy()
            for other in ensembles[1:]:
                merged._append(other)
            return merged

        def save(self, path, topology=None):
            """Save to a file: a trajectory if its name ends in .dcd, else everything, in the safetensors format.

            A DCD file holds positions and no weights: resample() first.

            Parameters
            ----------
            path : str or os.PathLike
            topology : openmm.app.Topology, optional
                the molecule that a DCD file is for
            """
            if os.fspath(path).lower().endswith(".dcd"):
                save_dcd(path, self, topology)
            else:
                self._save(path)

        def __len__(self):
            return self.getNumSamples()

        def __str__(self):
            return self.toString()

        def __repr__(self):
            return f"<WeightedEnsemble: {len(self)} samples of {self.getNumParticles()} particles, {self.temperature} K>"

        def __reduce__(self):
            positions = self.positions if self.hasPositions() else np.zeros(0)
            arguments = self.getNumParticles(), self.temperature, positions
            if self.hasLogQ():
                arguments += self.log_q, self.reduced_potentials
            else:
                arguments += self.log_weights, self.reduced_potentials, self.block_size
            return _unpickleEnsemble, (arguments, self.sample_ranges, self.metadata, self.hasLogQ())
    %}
}

}

%pythoncode %{
def _unpickleEnsemble(arguments, ranges, metadata, has_log_q=True):
    ensemble = (WeightedEnsemble if has_log_q else WeightedEnsemble._fromLogWeights)(*arguments)
    for sample_range in ranges:
        ensemble._addSampleRange(*sample_range)
    for key, value in metadata.items():
        ensemble.setMetadata(key, value)
    return ensemble
%}
