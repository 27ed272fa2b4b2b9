namespace OpenMMFlow {

/**
 * A Flow on a Platform, as a Context is a System on one: it draws samples and computes densities, in batches. Calls from
 * several threads wait for each other; different FlowContexts are independent.
 */
class FlowContext {
public:
    Flow getFlow() const;
    OpenMM::Platform& getPlatform() const;
    std::map<std::string, std::string> getProperties() const;
    ~FlowContext();
};

%feature("kwargs") FlowContext::FlowContext;
%feature("pythonappend") FlowContext::FlowContext %{
    self._lock = threading.Lock()
    self._num_particles = self.getFlow().getNumParticles()
%}

%extend FlowContext {
    FlowContext(const Flow& flow, OpenMM::Platform* platform = NULL,
                const std::map<std::string, std::string>* properties = NULL) {
        return createOnPlatform<FlowContext>(platform, properties, flow);
    }

    void _sample(long long count, uint64_t seed, uint64_t first, std::vector<double>& OUTPUT_POSITIONS,
                 std::vector<double>& OUTPUT_LOG_Q) {
        ReleaseInterpreter release;
        $self->sample(count, OUTPUT_POSITIONS, OUTPUT_LOG_Q, seed, first);
    }
    std::vector<double> _logDensity(const std::vector<double>& positions, int draws, uint64_t seed) {
        ReleaseInterpreter release;
        return $self->computeLogDensity(positions, draws, seed);
    }
    void _logDensityGradient(const std::vector<double>& positions, int draws, uint64_t seed,
                             std::vector<double>& OUTPUT_LOG_Q, std::vector<double>& OUTPUT_GRADIENT) {
        ReleaseInterpreter release;
        $self->computeLogDensityGradient(positions, OUTPUT_LOG_Q, OUTPUT_GRADIENT, draws, seed);
    }

    %pythoncode %{
        def sample(self, count, seed=0, first=0):
            """Draw samples first ... first+count-1 of a seed.

            Sample k of a seed is the same sample whatever the batch, the number of threads or the platform.

            Returns
            -------
            positions : (count, N, 3)
                in nm, the centre of geometry at the origin
            log_q : (count,)
                log q in nm^-(3N-3); +infinity marks a sample outside the flow's support, whose weight is zero
            """
            count, seed, first = sample_indices(count, seed, first)
            return fill_in_blocks(
                lambda start, stop: self._sample(stop - start, seed, first + start),
                count,
                [(self._num_particles, 3), ()],
                self._lock,
            )

        def logDensity(self, positions, draws=1, seed=0):
            """Compute log q of configurations.

            Parameters
            ----------
            positions : (count, N, 3), nm or Quantity
            draws, seed : int
                for augmented flows, the number and the seed of the draws that estimate the marginal

            Returns
            -------
            (count,)
                log q in nm^-(3N-3); -infinity outside the support, NaN where a position is not finite
            """
            positions = configurations(positions, self._num_particles)
            draws, seed = integer(draws, 1, 2**31 - 1, "number of draws"), random_seed(seed)
            return fill_in_blocks(
                lambda start, stop: [self._logDensity(positions[start:stop], draws, seed)],
                len(positions),
                [()],
                self._lock,
            )[0]

        def logDensityGradient(self, positions, draws=1, seed=0):
            """Compute the gradient of log q with respect to positions.

            Parameters and conventions are those of logDensity().

            Returns
            -------
            (count, N, 3)
                in 1/nm
            """
            positions = configurations(positions, self._num_particles)
            draws, seed = integer(draws, 1, 2**31 - 1, "number of draws"), random_seed(seed)
            return fill_in_blocks(
                lambda start, stop: self._logDensityGradient(positions[start:stop], draws, seed),
                len(positions),
                [(), (self._num_particles, 3)],
                self._lock,
            )[1]
    %}
}

}
