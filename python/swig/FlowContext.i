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
    self._num_joint_particles = self._num_particles + self.getFlow().getNumAugmentedParticles()
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
    void _sampleJoint(long long count, uint64_t seed, uint64_t first, std::vector<double>& OUTPUT_POSITIONS,
                      std::vector<double>& OUTPUT_LOG_Q) {
        ReleaseInterpreter release;
        $self->sampleJoint(count, OUTPUT_POSITIONS, OUTPUT_LOG_Q, seed, first);
    }
    std::vector<double> _jointLogDensity(const std::vector<double>& positions) {
        ReleaseInterpreter release;
        return $self->computeJointLogDensity(positions);
    }
    void _jointLogDensityGradient(const std::vector<double>& positions, std::vector<double>& OUTPUT_LOG_Q,
                                  std::vector<double>& OUTPUT_GRADIENT) {
        ReleaseInterpreter release;
        $self->computeJointLogDensityGradient(positions, OUTPUT_LOG_Q, OUTPUT_GRADIENT);
    }
    std::vector<double> _logDensity(const std::vector<double>& positions, int draws, uint64_t seed, uint64_t first) {
        ReleaseInterpreter release;
        return $self->computeLogDensity(positions, draws, seed, first);
    }
    void _logDensityGradient(const std::vector<double>& positions, int draws, uint64_t seed, uint64_t first,
                             std::vector<double>& OUTPUT_LOG_Q, std::vector<double>& OUTPUT_GRADIENT) {
        ReleaseInterpreter release;
        $self->computeLogDensityGradient(positions, OUTPUT_LOG_Q, OUTPUT_GRADIENT, draws, seed, first);
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
                log q in nm^-(3N-3); +infinity marks a sample outside the flow's support, whose weight is zero.
                For augmented flows log q(x,a) - log pi(a|x) with the sample's own a, which importance weights
                take as log q
            """
            count, seed, first = sample_indices(count, seed, first)
            return fill_in_blocks(
                lambda start, stop: self._sample(stop - start, seed, first + start),
                count,
                [(self._num_particles, 3), ()],
                self._lock,
            )

        def sampleJoint(self, count, seed=0, first=0):
            """Draw samples of an augmented flow with their augmented particles; sample k has the same x as from
            sample().

            Returns
            -------
            positions : (count, N+A, 3)
                in nm, x first, with its centre of geometry at the origin
            log_q : (count,)
                log q(x,a) in nm^-(3(N+A)-3); +infinity as from sample()
            """
            count, seed, first = sample_indices(count, seed, first)
            return fill_in_blocks(
                lambda start, stop: self._sampleJoint(stop - start, seed, first + start),
                count,
                [(self._num_joint_particles, 3), ()],
                self._lock,
            )

        def jointLogDensity(self, positions):
            """Compute log q(x,a) of joint configurations.

            Parameters
            ----------
            positions : (count, N+A, 3), nm or Quantity
                x first; both may be shifted together

            Returns
            -------
            (count,)
                log q(x,a) in nm^-(3(N+A)-3); infinities and NaN as from logDensity()
            """
            positions = configurations(positions, self._num_joint_particles)
            return fill_in_blocks(
                lambda start, stop: [self._jointLogDensity(positions[start:stop])],
                len(positions),
                [()],
                self._lock,
            )[0]

        def jointLogDensityGradient(self, positions):
            """Compute the gradient of log q(x,a) with respect to joint configurations, in 1/nm: (count, N+A, 3)."""
            positions = configurations(positions, self._num_joint_particles)
            return fill_in_blocks(
                lambda start, stop: self._jointLogDensityGradient(positions[start:stop]),
                len(positions),
                [(), (self._num_joint_particles, 3)],
                self._lock,
            )[1]

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
                lambda start, stop: [self._logDensity(positions[start:stop], draws, seed, start)],
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
                lambda start, stop: self._logDensityGradient(positions[start:stop], draws, seed, start),
                len(positions),
                [(), (self._num_particles, 3)],
                self._lock,
            )[1]
    %}
}

}
