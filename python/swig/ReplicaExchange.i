%apply double temperature { double lowest, double highest };

namespace OpenMMFlow {

%feature("kwargs") ReplicaExchange::ReplicaExchange;
%feature("pythonappend") ReplicaExchange::ReplicaExchange %{
    self._integrator = args[0] if args else kwargs["integrator"]
    self._lock = self._integrator._lock
%}

/**
 * Replica exchange over a ladder of temperatures, in any number of independent ladders at once. The replicas of the
 * integrator are one ladder after the other; after every `interval` steps neighbours may exchange temperatures.
 */
class ReplicaExchange {
public:
    ReplicaExchange(BatchedIntegrator& integrator, int numTemperatures, int interval);
    static std::vector<double> createTemperatures(double lowest, double highest, int numTemperatures,
                                                  int numLadders = 1);
    int getNumTemperatures() const;
    int getNumLadders() const;
    int getInterval() const;
    long long getNumExchanges() const;
    long long getNumRoundTrips() const;
    void resetStatistics();
    ~ReplicaExchange();
};

%extend ReplicaExchange {
    std::vector<double> _getTemperatures() { return $self->getTemperatures(); }
    std::vector<double> _getLevels() { return {$self->getLevels().begin(), $self->getLevels().end()}; }
    std::vector<double> _getPositions(int level) { return $self->getPositions(level); }
    std::vector<double> _getPotentialEnergies() { return $self->getPotentialEnergies(); }
    std::vector<double> _getNumAttempts() { return {$self->getNumAttempts().begin(), $self->getNumAttempts().end()}; }
    std::vector<double> _getNumAcceptances() {
        return {$self->getNumAcceptances().begin(), $self->getNumAcceptances().end()};
    }
    void _run(long long exchanges) {
        ReleaseInterpreter release;
        $self->run(exchanges);
    }
    std::string createCheckpoint() { return $self->createCheckpoint(); }
    void _loadCheckpoint(const std::string& bytes) { $self->loadCheckpoint(bytes); }

    %pythoncode %{
        def getTemperatures(self):
            """Return the temperatures of a ladder in K, (temperatures,)."""
            return self._getTemperatures()

        def getLevels(self):
            """Return for each replica which temperature of its ladder it is at, (replicas,)."""
            return self._getLevels().astype(int)

        def getPositions(self, level=0):
            """Return the positions at one temperature, by default the lowest, (ladders, N, 3) in nm."""
            return self._getPositions(level).reshape(self.getNumLadders(), -1, 3)

        def getPotentialEnergies(self):
            """Return the potential energies, (ladders, temperatures) in kJ/mol."""
            return self._getPotentialEnergies().reshape(-1, self.getNumTemperatures())

        def getNumAttempts(self):
            """Return for each pair of neighbours how often it could exchange, in all ladders."""
            return self._getNumAttempts().astype(int)

        def getNumAcceptances(self):
            """Return for each pair of neighbours how often it exchanged, in all ladders."""
            return self._getNumAcceptances().astype(int)

        def run(self, exchanges, progress=None):
            """Propagate and exchange.

            Parameters
            ----------
            exchanges : int
            progress : callable, optional
                called as progress(done, total) after each exchange, to collect what getPositions() returns then, say;
                when it returns False, the run stops

            Returns
            -------
            int
                the number of exchanges made
            """
            exchanges = integer(exchanges, 0, 2**63 - 1, "number of exchanges")
            for done in range(1, exchanges + 1):
                with self._lock:
                    self._run(1)
                proceed = None if progress is None else progress(done, exchanges)
                if not (proceed is None or proceed):
                    return done
            return exchanges

        def loadCheckpoint(self, bytes):
            """Go on bit by bit from what createCheckpoint() returned, the integrator included."""
            with self._lock:
                self._loadCheckpoint(bytes)
    %}
}

}
