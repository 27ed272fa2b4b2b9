// Included as PotentialEvaluator.h is.

/** The terms that an ExpressionMachine works on at once: that pays for finding out what each instruction
 * does. */
const int CUSTOM_BATCH = 8;

/** Gives registers to an ExpressionMachine: CUSTOM_BATCH of each, filled with the parameters of consecutive
 * terms. */
class CustomProgram {
public:
    CustomProgram(const ExpressionProgram& program, int numVariables, int numParameters,
                  const std::vector<double>& parameters)
        : machine(program),
          numVariables(numVariables),
          numParameters(numParameters),
          parameters(parameters.begin(), parameters.end()),
          registers(machine.getNumReals(CUSTOM_BATCH) + CUSTOM_BATCH) {}
    /** Variable i of a term of the batch. */
    real& variable(int i, int term) { return registers[i * CUSTOM_BATCH + term]; }
    /** Evaluate `count` terms from a first one on, of which the variables have been set. */
    void evaluate(size_t first, int count) {
        for (int term = 0; term < CUSTOM_BATCH; term++) {
            // A batch that is not full repeats its last term.
            const int source = term < count ? term : count - 1;
            for (int i = 0; i < numVariables; i++)
                variable(i, term) = variable(i, source);
            const Scalar* from = parameters.data() + (first + source) * numParameters;
            for (int i = 0; i < numParameters; i++)
                registers[(numVariables + i) * CUSTOM_BATCH + term] = real(from[i]);
        }
        machine.evaluate(registers.data(), CUSTOM_BATCH);
    }
    real output(int i, int term) const {
        return registers[machine.getProgram().getOutputRegister(i) * CUSTOM_BATCH + term];
    }

private:
    ExpressionMachine machine;
    int numVariables, numParameters;
    std::vector<Scalar> parameters;
    std::vector<real> registers;
};
