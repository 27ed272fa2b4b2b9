namespace OpenMMFlow {

/**
 * Draws configurations from a Flow and weights them against the potential energy of a System at a temperature (K or
 * Quantity), so that the weighted ensemble is exactly the Boltzmann distribution (over the flow's support).
 */
class FlowSampler {
public:
    Flow getFlow() const;
    double getTemperature() const;
    std::string getDescription() const;
    %feature("docstring") setEnergyVerification
        "Compare a fraction (0 to 1) of the energies with those of OpenMM Contexts from now on; raise if one differs.";
    void setEnergyVerification(double fraction);
    ~FlowSampler();
};

%feature("kwargs") FlowSampler::FlowSampler;
%feature("pythonappend") FlowSampler::FlowSampler %{
    # The callback of a call may call the same sampler.
    self._lock = threading.RLock()
    self._num_particles = self.getFlow().getNumParticles()
%}

%extend FlowSampler {
    FlowSampler(const OpenMM::System& system, const Flow& flow, double temperature, OpenMM::Platform* platform = NULL,
                const std::map<std::string, std::string>* properties = NULL) {
        return createOnPlatform<FlowSampler>(platform, properties, system, flow, temperature);
    }

    void _propose(long long count, uint64_t seed, uint64_t first, std::vector<double>& OUTPUT_POSITIONS,
                  std::vector<double>& OUTPUT_LOG_Q) {
        ReleaseInterpreter release;
        $self->propose(count, OUTPUT_POSITIONS, OUTPUT_LOG_Q, seed, first);
    }
    WeightedEnsemble _sample(long long count, uint64_t seed, uint64_t first, PyObject* progress) {
        ReleaseInterpreter release;
        return $self->sample(count, seed, first, PythonProgress(progress));
    }
    WeightedEnsemble _sampleToFile(const std::string& path, long long count, uint64_t seed, uint64_t first,
                                   PyObject* progress) {
        ReleaseInterpreter release;
        return $self->sampleToFile(path, count, seed, first, PythonProgress(progress));
    }
    AnnealingSchedule _planAnnealing(const AnnealingOptions& options, PyObject* progress) {
        ReleaseInterpreter release;
        return $self->planAnnealing(options, PythonProgress(progress));
    }
    WeightedEnsemble _anneal(long long count, const AnnealingOptions& options, uint64_t seed, uint64_t first,
                             PyObject* progress) {
        ReleaseInterpreter release;
        return $self->anneal(count, options, seed, first, PythonProgress(progress));
    }
    WeightedEnsemble _annealToFile(const std::string& path, long long count, const AnnealingOptions& options,
                                   uint64_t seed, uint64_t first, PyObject* progress) {
        ReleaseInterpreter release;
        return $self->annealToFile(path, count, options, seed, first, PythonProgress(progress));
    }
    WeightedEnsemble _reweight(const std::vector<double>& positions, long long first) {
        ReleaseInterpreter release;
        return $self->reweight(positions, first);
    }

    %pythoncode %{
        def propose(self, count, seed=0, first=0):
            """Draw samples from the flow, without energies: positions (count, N, 3) in nm and log_q (count,)."""
            count, seed, first = sample_indices(count, seed, first)
            return fill_in_blocks(
                lambda start, stop: self._propose(stop - start, seed, first + start),
                count,
                [(self._num_particles, 3), ()],
                self._lock,
            )

        def sample(self, count, seed=0, first=0, progress=None):
            """Draw samples first ... first+count-1 of a seed and weight them.

            Samples outside the support and samples with a non-finite energy have weight zero, and are counted.

            Parameters
            ----------
            count, seed, first : int
            progress : callable, optional
                called as progress(done, total) after each block; when it returns False, what was done is returned

            Returns
            -------
            WeightedEnsemble
            """
            count, seed, first = sample_indices(count, seed, first)
            with self._lock:
                return self._sample(count, seed, first, progress)

        def sampleToFile(self, path, count, seed=0, first=0, progress=None):
            """Draw and weight samples, and write them to a file block by block, so that memory stays bounded.

            The file is valid and holds what was done also when `progress` returns False or Ctrl-C stops the call.

            Returns
            -------
            WeightedEnsemble
                without its positions, which are in the file
            """
            refuse_dcd(path)
            count, seed, first = sample_indices(count, seed, first)
            with self._lock:
                return self._sampleToFile(path, count, seed, first, progress)

        def planAnnealing(self, progress=None, **pilot):
            """Find the schedule for annealing in a pilot run.

            Parameters
            ----------
            progress : callable, optional
                called as progress(steps, most) after each step; when it returns False, an exception ends the call
            conditional_ess : float, optional
                the conditional effective sample size of each step, as a fraction (0.99): nearer to 1 are more steps
            acceptance : float, optional
                the acceptance probability that step sizes are tuned for (0.7)
            leapfrog_steps : int, optional
                the leapfrog steps in each move of Hamiltonian Monte Carlo (5); 1 makes it a MALA step
            moves_per_beta : int, optional
                the moves after each step (1)
            pilot_size, pilot_seed : int, optional
                the number of samples in the pilot run (1000), and the seed of its own random numbers (0)

            Returns
            -------
            AnnealingSchedule
            """
            with self._lock:
                return self._planAnnealing(_pilotOptions(**pilot), progress)

        def anneal(self, count, seed=0, first=0, progress=None, schedule=None, island_size=1, resampling_threshold=0.5,
                   **pilot):
            """Draw samples first ... first+count-1 of a seed from the flow and anneal them to the target.

            The weighted ensemble is exactly the Boltzmann distribution (over the flow's support), however short the way
            is. Its log weights are the accumulated work, and it has no log q; metadata["annealing"] is the schedule.

            Parameters
            ----------
            count, seed, first : int
                count and first must be multiples of the island size
            progress : callable, optional
                called as progress(done, total) after each step, of the pilot run also, where samples on their way add
                the part of it that they have come; when it returns False, the samples that have arrived are returned
            schedule : AnnealingSchedule or str, optional
                what planAnnealing() returned, or its JSON; without it a pilot run comes first
            island_size : int
                1 for annealed importance sampling, whose samples are independent; above 1 for sequential Monte Carlo,
                which resamples within each island. Errors come from the differences between islands, so there must be
                many
            resampling_threshold : float
                an island is resampled when its effective sample size falls below this fraction of its size
            **pilot
                the arguments of planAnnealing(), where there is no schedule

            Returns
            -------
            WeightedEnsemble
            """
            count, seed, first = sample_indices(count, seed, first)
            options = _annealingOptions(schedule, island_size, resampling_threshold, pilot)
            with self._lock:
                return self._anneal(count, options, seed, first, progress)

        def annealToFile(self, path, count, seed=0, first=0, progress=None, schedule=None, island_size=1,
                         resampling_threshold=0.5, **pilot):
            """Anneal samples, as anneal() does, and write them to a file block by block, so that memory stays bounded.

            The file is valid and holds the samples that have arrived also when `progress` returns False or Ctrl-C stops
            the call. Where none has arrived, no file is written.

            Returns
            -------
            WeightedEnsemble
                without its positions, which are in the file
            """
            refuse_dcd(path)
            count, seed, first = sample_indices(count, seed, first)
            options = _annealingOptions(schedule, island_size, resampling_threshold, pilot)
            with self._lock:
                return self._annealToFile(path, count, options, seed, first, progress)

        def reweight(self, positions, progress=None, first=0):
            """Weight configurations that were drawn from this flow: log q and energies are computed anew.

            Parameters
            ----------
            positions : (count, N, 3), nm or Quantity
            progress : callable, optional
                called as progress(done, total) after each block
            first : int, optional
                the number of the first configuration, for what is said of one that makes no sense

            Returns
            -------
            WeightedEnsemble
            """
            _, _, first = sample_indices(len(positions), 0, first)
            positions = configurations(positions, self._num_particles)
            ensemble = None
            for start in range(0, max(len(positions), 1), BLOCK):
                with self._lock:
                    part = self._reweight(positions[start : start + BLOCK], first + start)
                if ensemble is None:
                    ensemble = part
                else:
                    ensemble._append(part)
                if progress is not None:
                    progress(min(start + BLOCK, len(positions)), len(positions))
            return ensemble
    %}
}

}
