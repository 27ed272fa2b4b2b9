#ifndef OPENMMFLOW_TESTS_EXPRESSIONLANES_H_
#define OPENMMFLOW_TESTS_EXPRESSIONLANES_H_

#include "openmmflow/internal/ExpressionProgram.h"

/**
 * What each ExpressionLanes module provides, by the name "evaluateOnLanes": evaluate a program for many
 * samples, numVectors vectors at a time.
 *
 * @param inputs    (sample, input)
 * @param outputs   (sample, output), on exit
 */
using EvaluateOnLanes = void(const OpenMMFlow::ExpressionProgram& program, int numVectors, int numSamples,
                             const double* inputs, double* outputs);

#endif /*OPENMMFLOW_TESTS_EXPRESSIONLANES_H_*/
