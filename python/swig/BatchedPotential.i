namespace OpenMMFlow {

/** The potential energies and forces of many copies of a System in one call. */
class BatchedPotential {
public:
    int getNumParticles() const;
    std::string getImplementation() const;
    std::string getDescription() const;
    void setParameter(const std::string& name, double value);
    void setForceGroups(int groups);
    ~BatchedPotential();
};

%feature("kwargs") BatchedPotential::BatchedPotential;
%feature("pythonappend") BatchedPotential::BatchedPotential %{
    self._lock = threading.Lock()
    self._num_particles = self.getNumParticles()
%}

%extend BatchedPotential {
    BatchedPotential(const OpenMM::System& system, OpenMM::Platform* platform = NULL,
                     const std::map<std::string, std::string>* properties = NULL) {
        return createOnPlatform<BatchedPotential>(platform, properties, system);
    }

    std::map<std::string, double> getParameters() const {
        return $self->getParameters();
    }
    std::vector<double> _energies(const std::vector<double>& positions) {
        ReleaseInterpreter release;
        return $self->computeEnergies(positions);
    }
    void _energiesAndForces(const std::vector<double>& positions, std::vector<double>& OUTPUT_ENERGIES,
                            std::vector<double>& OUTPUT_FORCES) {
        ReleaseInterpreter release;
        $self->computeEnergiesAndForces(positions, OUTPUT_ENERGIES, OUTPUT_FORCES);
    }

    %pythoncode %{
        def energies(self, positions):
            """Compute the potential energies, (count,) in kJ/mol, of positions, (count, N, 3) in nm or Quantity.

            An energy is NaN or infinite where OpenMM finds that, or refuses the configuration. The positions of
            virtual sites are computed, whatever is given for them.
            """
            positions = configurations(positions, self._num_particles)
            return fill_in_blocks(
                lambda start, stop: [self._energies(positions[start:stop])], len(positions), [()], self._lock
            )[0]

        def energiesAndForces(self, positions):
            """Compute the potential energies, (count,) in kJ/mol, and the forces, (count, N, 3) in kJ/mol/nm, of
            positions, (count, N, 3) in nm or Quantity, of which those of virtual sites are computed.

            As in a State, the force on a virtual site is included in those on its parents, and reported for it too.
            """
            positions = configurations(positions, self._num_particles)
            return fill_in_blocks(
                lambda start, stop: self._energiesAndForces(positions[start:stop]),
                len(positions),
                [(), (self._num_particles, 3)],
                self._lock,
            )
    %}
}

}
