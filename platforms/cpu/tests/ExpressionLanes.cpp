#include "ExpressionLanes.h"

#include <algorithm>

#include "lanes/LaneExpressionMachine.h"
#include "lanes/Rows.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::LANE_NAMESPACE;

extern "C" void evaluateOnLanes(const ExpressionProgram& program, int numVectors, int numSamples,
                                const double* inputs, double* outputs) {
    const ExpressionMachine machine(program);
    Rows memory(machine.getNumReals(numVectors), TILE);
    real* registers = &memory.at(0, 0);
    const int numInputs = program.getNumInputs(), numOutputs = program.getNumOutputs();
    const int width = numVectors * LANES;
    for (int first = 0; first < numSamples; first += width) {
        for (int s = 0; s < width; s++)
            for (int i = 0; i < numInputs; i++)
                ((Scalar*)(registers + i * numVectors))[s] =
                    inputs[std::min(first + s, numSamples - 1) * numInputs + i];
        machine.evaluate(registers, numVectors);
        for (int s = 0; s < width && first + s < numSamples; s++)
            for (int i = 0; i < numOutputs; i++)
                outputs[(first + s) * numOutputs + i] =
                    ((Scalar*)(registers + program.getOutputRegister(i) * numVectors))[s];
    }
}
