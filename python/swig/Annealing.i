namespace OpenMMFlow {

%rename(_AnnealingOptions) AnnealingOptions;

/** The way from a flow to the target: a ladder of densities, and the moves which leave each of them invariant. */
class AnnealingSchedule {
public:
    std::string toJson() const;
    static AnnealingSchedule fromJson(const std::string& json);
    ~AnnealingSchedule();
};

%extend AnnealingSchedule {
    std::vector<double> _getBetas() const { return $self->betas; }
    std::vector<double> _getStepSizes() const { return $self->stepSizes; }
    std::vector<double> _getAcceptances() const { return $self->acceptances; }

    %pythoncode %{
        betas = property(lambda self: self._getBetas(), doc="beta of each density, from 0 (the flow) to 1 (the target).")
        step_sizes = property(lambda self: self._getStepSizes(), doc="The step size at each beta but the first, in nm.")
        acceptances = property(
            lambda self: self._getAcceptances(), doc="The acceptance that the pilot run found at each beta but the first."
        )

        def __str__(self):
            return self.toJson()

        def __repr__(self):
            return f"<AnnealingSchedule: {len(self.betas) - 1} steps>"

        def __reduce__(self):
            return AnnealingSchedule.fromJson, (self.toJson(),)
    %}
}

class AnnealingOptions {
public:
    AnnealingOptions();
    ~AnnealingOptions();
    long long islandSize;
    double resamplingThreshold;
    double conditionalEss;
    double acceptance;
    int leapfrogSteps;
    int movesPerBeta;
    long long pilotSize;
    uint64_t pilotSeed;
};

%extend AnnealingOptions {
    void _setSchedule(const AnnealingSchedule& schedule) { $self->schedule = schedule; }
}

}

%pythoncode %{
def _pilotOptions(
    conditional_ess=None, acceptance=None, leapfrog_steps=None, moves_per_beta=None, pilot_size=None, pilot_seed=None
):
    options = _AnnealingOptions()
    if conditional_ess is not None:
        options.conditionalEss = conditional_ess
    if acceptance is not None:
        options.acceptance = acceptance
    if leapfrog_steps is not None:
        options.leapfrogSteps = integer(leapfrog_steps, 1, 2**31 - 1, "number of leapfrog steps")
    if moves_per_beta is not None:
        options.movesPerBeta = integer(moves_per_beta, 1, 2**31 - 1, "number of moves at each beta")
    if pilot_size is not None:
        options.pilotSize = integer(pilot_size, 0, 2**63 - 1, "number of samples in the pilot run")
    if pilot_seed is not None:
        options.pilotSeed = random_seed(pilot_seed)
    return options


def _annealingOptions(schedule, island_size, resampling_threshold, pilot):
    if schedule is None:
        options = _pilotOptions(**pilot)
    elif pilot:
        raise openmm.OpenMMException(
            f"A schedule is given, so there is no pilot run that could use {', '.join(pilot)}: leave one out."
        )
    else:
        options = _AnnealingOptions()
        if isinstance(schedule, str):
            schedule = AnnealingSchedule.fromJson(schedule)
        options._setSchedule(schedule)
    options.islandSize = integer(island_size, 1, 2**31 - 1, "island size")
    options.resamplingThreshold = resampling_threshold
    return options
%}
