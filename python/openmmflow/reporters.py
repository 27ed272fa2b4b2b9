"""Reporters for openmm.app.Simulation."""

from openmm import OpenMMException

from openmmflow.openmmflow import MonteCarloFlowMove

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class FlowMoveReporter:
    """Writes the statistics of flow moves to a file of comma-separated values, as StateDataReporter does for others.

    Each report has a row for each MonteCarloFlowMove of the System. Counts begin with the Context; the quantiles are those
    of log w_new - log w_old of the latest proposals, whose exponential is the acceptance probability where it is below 1.
    """

    def __init__(self, file, reportInterval, separator=",", append=False):
        """Create a FlowMoveReporter.

        Parameters
        ----------
        file : path or file
            the file to write to, specified as a file name or file object
        reportInterval : int
            the interval (in time steps) at which to write
        separator : str
            what is between columns
        append : bool
            append to an existing file, without a header line
        """
        self._reportInterval = reportInterval
        self._separator = separator
        self._needsHeader = not append
        self._isOwnFile = not hasattr(file, "write")
        self._out = open(file, "a" if append else "w") if self._isOwnFile else file

    def describeNextReport(self, simulation):
        """Get what the next report needs: the steps until then, and nothing of the State."""
        steps = self._reportInterval - simulation.currentStep % self._reportInterval
        return {"steps": steps, "periodic": None, "include": []}

    def report(self, simulation, state):
        """Write a row for each move."""
        forces = enumerate(simulation.system.getForces())
        moves = [
            (index, MonteCarloFlowMove.cast(force))
            for index, force in forces
            if MonteCarloFlowMove.isinstance(force)
        ]
        if not moves:
            raise OpenMMException(
                "The System has no MonteCarloFlowMove to report on: add one before the Simulation is created."
            )
        if self._needsHeader:
            names = ["Step", "Force", "Attempts", "Acceptances", "Acceptance", "Not Finite", "Off Support"]
            names += [f"Log Ratio {100 * fraction:.0f}%" for fraction in QUANTILES]
            print("#" + self._separator.join(f'"{name}"' for name in names), file=self._out)
            self._needsHeader = False
        for index, move in moves:
            statistics = move.getStatistics(simulation.context)
            row = [
                simulation.currentStep,
                index,
                statistics.attempts,
                statistics.acceptances,
                statistics.acceptance,
                statistics.not_finite,
                statistics.off_support,
                *(statistics.getLogRatioQuantile(fraction) for fraction in QUANTILES),
            ]
            print(self._separator.join(str(value) for value in row), file=self._out)
        if hasattr(self._out, "flush"):
            self._out.flush()

    def __del__(self):
        if getattr(self, "_isOwnFile", False) and hasattr(self, "_out"):
            self._out.close()
