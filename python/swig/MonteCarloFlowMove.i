namespace OpenMMFlow {

/** What became of the flow moves in one Context, until it was asked for. */
class FlowMoveStatistics {
public:
    long long getNumAttempts() const;
    long long getNumAcceptances() const;
    double getAcceptance() const;
    long long getNumNotFinite() const;
    long long getNumOffSupport() const;
    %feature("docstring") getLogRatioQuantile
        "Get a quantile (0.5: the median) of log w_new - log w_old of the latest proposals; NaN if there are none.";
    double getLogRatioQuantile(double fraction) const;
    ~FlowMoveStatistics();

private:
    FlowMoveStatistics();
};

%extend FlowMoveStatistics {
    std::vector<double> _getLogRatios() { return $self->getLogRatios(); }
    std::string _toString() { return $self->toString(); }

    %pythoncode %{
        attempts = property(getNumAttempts, doc="The number of moves.")
        acceptances = property(getNumAcceptances, doc="The number of moves that changed the configuration.")
        acceptance = property(getAcceptance, doc="The fraction of moves that changed the configuration.")
        not_finite = property(getNumNotFinite, doc="The number of proposals whose energy was NaN or infinite.")
        off_support = property(getNumOffSupport, doc="The number of proposals outside the flow's support.")
        log_ratios = property(_getLogRatios, doc="log w_new - log w_old of the latest proposals, at most 10000, unordered.")

        def __repr__(self):
            return f"<FlowMoveStatistics: {self._toString()}>"
    %}
}

%feature("kwargs") MonteCarloFlowMove::MonteCarloFlowMove;

/**
 * A Monte Carlo move that replaces the configuration of some particles by one that a flow proposes, every so many steps, and
 * leaves the Boltzmann distribution exactly stationary. It is added to a System like a MonteCarloBarostat.
 *
 * A CustomIntegrator must call addUpdateContextState(), once a step.
 */
class MonteCarloFlowMove : public OpenMM::Force {
public:
    %feature("docstring") Temperature "Get the name of the Context parameter that is the temperature of the moves, in K.";
    static const std::string& Temperature();
    Flow getFlow() const;
    %feature("docstring") getParticles "Get the indices of the particles; empty for all particles of the System.";
    const std::vector<int>& getParticles() const;
    double getDefaultTemperature() const;
    void setDefaultTemperature(double temperature);
    int getFrequency() const;
    void setFrequency(int frequency);
    int getNumProposals() const;
    %feature("docstring") setNumProposals
        "Set the number of proposals in each move, 1 by default: with more, one of them or the old configuration is chosen
by importance weight.";
    void setNumProposals(int count);
    int getRandomNumberSeed() const;
    %feature("docstring") setRandomNumberSeed
        "Set the seed of the random numbers; with 0, the default, each new Context draws a seed of its own.";
    void setRandomNumberSeed(int seed);
    bool getRequiresMatchingTemperature() const;
    %feature("docstring") setRequiresMatchingTemperature
        "Set whether the temperature must be that of the integrator or of an AndersenThermostat (True by default).";
    void setRequiresMatchingTemperature(bool isRequired);
    %feature("docstring") getStatistics "Get what became of the moves in a Context since it was created.";
    FlowMoveStatistics getStatistics(OpenMM::Context& context) const;
    bool usesPeriodicBoundaryConditions() const;
};

%extend MonteCarloFlowMove {
    %feature("docstring") MonteCarloFlowMove
        "Create a MonteCarloFlowMove.

Parameters
----------
flow : Flow
temperature : float or Quantity
    the temperature of the simulation, in K
frequency : int
    the number of steps from one move to the next; 0 for no moves
particles : sequence of int, optional
    the indices of the flow's particles in the System, in its order; by default all particles of the System";
    MonteCarloFlowMove(const Flow& flow, double temperature, int frequency, const std::vector<int>* particles = NULL) {
        return new MonteCarloFlowMove(flow, temperature, frequency,
                                      particles == NULL ? std::vector<int>() : *particles);
    }
}

FORCE_CASTS(MonteCarloFlowMove)

}
