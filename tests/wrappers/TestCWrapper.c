/* The C API, from C: objects of every kind come and go, errors are told, callbacks are called. */

#include <math.h>
#include <pthread.h>

#include "check.h"

static const double BOND = 0.145, TEMPERATURE = 300;

/* A bent chain of four particles, H-O-O-H. */
static const double POSITIONS[4][3] = {{0.03, 0.09, 0}, {0, 0, 0}, {0.145, 0, 0}, {0.115, 0.02, 0.09}};

static OpenMMFlow_Flow* createFlow(void) {
    OpenMM_IntArray* numbers = OpenMM_IntArray_create(0);
    OpenMM_BondArray* bonds = OpenMM_BondArray_create(0);
    OpenMM_Vec3Array* positions = OpenMM_Vec3Array_create(0);
    OpenMM_StringArray* names = OpenMM_StringArray_create(0);
    for (int i = 0; i < 4; i++) {
        OpenMM_Vec3 position = {POSITIONS[i][0], POSITIONS[i][1], POSITIONS[i][2]};
        OpenMM_Vec3Array_append(positions, position);
        OpenMM_IntArray_append(numbers, i == 0 || i == 3 ? 1 : 8);
        OpenMM_StringArray_append(names, i == 0 || i == 3 ? "H" : "O");
        if (i > 0)
            OpenMM_BondArray_append(bonds, i - 1, i);
    }
    OpenMMFlow_Molecule* molecule = OpenMMFlow_Molecule_create();
    OpenMMFlow_Molecule_setAtomicNumbers(molecule, numbers);
    OpenMMFlow_Molecule_setAtomNames(molecule, names);
    OpenMMFlow_Molecule_setBonds(molecule, bonds);
    OpenMMFlow_Molecule_setPositions(molecule, positions);
    CHECK(OpenMM_BondArray_getSize(OpenMMFlow_Molecule_getBonds(molecule)) == 3);
    CHECK(strcmp(OpenMM_StringArray_get(OpenMMFlow_Molecule_getAtomNames(molecule), 1), "O") == 0);

    OpenMMFlow_InternalFlowOptions* options = OpenMMFlow_InternalFlowOptions_create();
    CHECK(OpenMMFlow_InternalFlowOptions_getHidden(options) == 128);
    CHECK(strcmp(OpenMMFlow_InternalFlowOptions_getActivation(options), "silu") == 0);
    OpenMMFlow_InternalFlowOptions_setActivation(options, "relu");
    OpenMMFlow_InternalFlowOptions_setHidden(options, 8);
    OpenMMFlow_InternalFlowOptions_setCouplings(options, 2);
    OpenMMFlow_Flow* flow = OpenMMFlow_FlowBuilder_createInternal(molecule, NULL, NULL, options);
    CHECK(flow != NULL);
    char* configuration = OpenMMFlow_Flow_getConfiguration(flow);
    CHECK(strstr(configuration, "relu") != NULL);

    free(configuration);
    OpenMMFlow_InternalFlowOptions_destroy(options);
    OpenMMFlow_Molecule_destroy(molecule);
    OpenMM_StringArray_destroy(names);
    OpenMM_Vec3Array_destroy(positions);
    OpenMM_BondArray_destroy(bonds);
    OpenMM_IntArray_destroy(numbers);
    return flow;
}

static OpenMM_System* createSystem(int numParticles) {
    OpenMM_System* system = OpenMM_System_create();
    OpenMM_HarmonicBondForce* bonds = OpenMM_HarmonicBondForce_create();
    OpenMM_System_addForce(system, (OpenMM_Force*)bonds);
    for (int i = 0; i < numParticles; i++) {
        OpenMM_System_addParticle(system, 16);
        if (i > 0)
            OpenMM_HarmonicBondForce_addBond(bonds, i - 1, i, BOND, 1e4);
    }
    return system;
}

/* (count, 4, 3): the same configuration a number of times. */
static OpenMM_DoubleArray* createPositions(int count) {
    OpenMM_DoubleArray* positions = OpenMM_DoubleArray_create(0);
    for (int k = 0; k < count; k++)
        for (int i = 0; i < 12; i++)
            OpenMM_DoubleArray_append(positions, POSITIONS[i / 3][i % 3]);
    return positions;
}

static void testFlow(const OpenMMFlow_Flow* flow) {
    CHECK(OpenMMFlow_Flow_getNumParticles(flow) == 4);
    CHECK(strcmp(OpenMMFlow_Flow_getFamily(flow), "internal") == 0);
    long long size;
    char* bytes = OpenMMFlow_Flow_toBytes(flow, &size);
    CHECK(bytes != NULL && (long long)strlen(bytes) < size); /* there are zeros among them */
    OpenMMFlow_Flow* copy = OpenMMFlow_Flow_fromBytes(bytes, size);
    CHECK(strcmp(OpenMMFlow_Flow_getHash(copy), OpenMMFlow_Flow_getHash(flow)) == 0);
    OpenMMFlow_Flow* described = OpenMMFlow_Flow_withMetadata(copy, "made by", "a test");
    const OpenMM_PropertyArray* metadata = OpenMMFlow_Flow_getMetadata(described);
    CHECK(strcmp(OpenMMFlow_PropertyArray_get(metadata, "made by"), "a test") == 0);
    CHECK(OpenMMFlow_PropertyArray_get(metadata, "author") == NULL);
    CHECK_ERROR("There is no property \"author\".");
    CHECK(OpenMMFlow_Flow_fromBytes(bytes, size / 2) == NULL);
    CHECK_ERROR("");
    CHECK(OpenMMFlow_Flow_fromBytes(bytes, -1) == NULL);
    CHECK_ERROR("must not be negative");
    free(bytes);
    OpenMMFlow_Flow_destroy(described);
    OpenMMFlow_Flow_destroy(copy);
}

static void* failElsewhere(void* data) {
    CHECK_NO_ERROR();
    CHECK(OpenMMFlow_Flow_load("elsewhere.safetensors") == NULL);
    CHECK_ERROR("elsewhere.safetensors");
    return data;
}

static void testErrors(const OpenMMFlow_Flow* flow) {
    CHECK_NO_ERROR();
    OpenMMFlow_Flow* missing = OpenMMFlow_Flow_load("missing.safetensors");
    CHECK(missing == NULL);
    /* What follows from the NULL leaves the message. */
    CHECK(OpenMMFlow_Flow_getNumParticles(missing) == 0);
    CHECK(OpenMMFlow_Flow_getHash(missing) == NULL);
    CHECK_ERROR("missing.safetensors");
    OpenMMFlow_Flow_save(missing, "missing.safetensors");
    CHECK_ERROR("OpenMMFlow_Flow_save(): target must not be NULL.");
    CHECK(OpenMMFlow_Flow_load(NULL) == NULL);
    CHECK_ERROR("path must not be NULL");
    OpenMMFlow_Flow_destroy(NULL);
    CHECK_NO_ERROR();

    OpenMM_System* system = createSystem(5);
    CHECK(OpenMMFlow_FlowSampler_create(system, flow, TEMPERATURE, NULL) == NULL);
    CHECK_ERROR("5");
    CHECK(OpenMMFlow_FlowSampler_create(system, flow, -1, NULL) == NULL);
    CHECK_ERROR("");
    OpenMM_System_destroy(system);

    OpenMMFlow_WeightedEnsemble_Estimate estimate = OpenMMFlow_WeightedEnsemble_getLogPartitionFunction(NULL);
    CHECK(isnan(estimate.value) && isnan(estimate.error));
    CHECK(isnan(OpenMMFlow_WeightedEnsemble_getParetoK(NULL)));
    CHECK(OpenMMFlow_WeightedEnsemble_hasLogQ(NULL) == OpenMM_False);

    pthread_t thread;
    OpenMMFlow_clearLastError();
    CHECK(OpenMMFlow_Flow_load("here.safetensors") == NULL);
    CHECK(pthread_create(&thread, NULL, failElsewhere, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK_ERROR("here.safetensors");
}

static void testFlowContext(const OpenMMFlow_Flow* flow) {
    OpenMM_Platform* platform = OpenMM_Platform_getPlatformByName("CPU");
    OpenMM_PropertyArray* properties = OpenMMFlow_PropertyArray_create();
    OpenMMFlow_PropertyArray_set(properties, "Precision", "double");
    OpenMMFlow_FlowContext* context = OpenMMFlow_FlowContext_create_2(flow, platform, properties);
    CHECK(OpenMMFlow_FlowContext_getPlatform(context) == platform);
    CHECK(OpenMMFlow_Flow_getNumParticles(OpenMMFlow_FlowContext_getFlow(context)) == 4);
    OpenMM_PropertyArray* used = OpenMMFlow_FlowContext_getProperties(context);
    CHECK(strcmp(OpenMMFlow_PropertyArray_get(used, "Precision"), "double") == 0);
    OpenMMFlow_PropertyArray_destroy(used);

    OpenMM_DoubleArray* positions = OpenMM_DoubleArray_create(0);
    OpenMM_DoubleArray* logQ = OpenMM_DoubleArray_create(0);
    OpenMM_DoubleArray* gradient = OpenMM_DoubleArray_create(0);
    OpenMMFlow_FlowContext_sample(context, 100, positions, logQ, 1, 0);
    CHECK(OpenMM_DoubleArray_getSize(positions) == 1200 && OpenMM_DoubleArray_getSize(logQ) == 100);
    OpenMM_DoubleArray* density = OpenMMFlow_FlowContext_computeLogDensity(context, positions, 1, 0, 0);
    for (int i = 0; i < 100; i++)
        CHECK(fabs(OpenMM_DoubleArray_get(density, i) - OpenMM_DoubleArray_get(logQ, i)) < 1e-8);
    OpenMMFlow_FlowContext_computeLogDensityGradient(context, positions, logQ, gradient, 1, 0, 0);
    long long size;
    const double* values = OpenMMFlow_DoubleArray_getData(gradient, &size);
    CHECK(size == 1200 && values[7] == OpenMM_DoubleArray_get(gradient, 7));
    OpenMM_DoubleArray_append(positions, 0);
    CHECK(OpenMMFlow_FlowContext_computeLogDensity(context, positions, 1, 0, 0) == NULL);
    CHECK_ERROR("");
    OpenMMFlow_PropertyArray_set(properties, "Colour", "red");
    CHECK(OpenMMFlow_FlowContext_create_2(flow, platform, properties) == NULL);
    CHECK_ERROR("Colour");

    OpenMM_DoubleArray_destroy(density);
    OpenMM_DoubleArray_destroy(gradient);
    OpenMM_DoubleArray_destroy(logQ);
    OpenMM_DoubleArray_destroy(positions);
    OpenMMFlow_FlowContext_destroy(context);
    OpenMMFlow_PropertyArray_destroy(properties);
}

typedef struct {
    long long calls, done, total;
} Progress;

static OpenMM_Boolean stopAtOnce(long long done, long long total, void* data) {
    Progress* progress = data;
    progress->calls++;
    progress->done = done;
    progress->total = total;
    return OpenMM_False;
}

static void testEnsemble(const OpenMMFlow_Flow* flow) {
    OpenMM_System* system = createSystem(4);
    OpenMMFlow_FlowSampler* sampler = OpenMMFlow_FlowSampler_create(system, flow, TEMPERATURE, NULL);
    OpenMMFlow_WeightedEnsemble* all = OpenMMFlow_FlowSampler_sample(sampler, 3000, 7, 0, NULL, NULL);
    OpenMMFlow_WeightedEnsemble* rest = OpenMMFlow_FlowSampler_sample(sampler, 1000, 7, 2000, NULL, NULL);
    OpenMMFlow_WeightedEnsemble* part = OpenMMFlow_WeightedEnsemble_slice(all, 0, 2000);
    OpenMMFlow_WeightedEnsemble_append(part, rest);
    const OpenMMFlow_WeightedEnsemble_SampleRangeArray* ranges =
        OpenMMFlow_WeightedEnsemble_getSampleRanges(part);
    CHECK(OpenMMFlow_WeightedEnsemble_SampleRangeArray_getSize(ranges) >= 1);
    OpenMMFlow_WeightedEnsemble_SampleRange range =
        OpenMMFlow_WeightedEnsemble_SampleRangeArray_get(ranges, 0);
    CHECK(range.seed == 7 && range.first == 0);
    OpenMMFlow_WeightedEnsemble_SampleRangeArray_get(ranges, 99);
    CHECK_ERROR("There is no element 99");
    OpenMMFlow_WeightedEnsemble_Estimate whole = OpenMMFlow_WeightedEnsemble_getLogPartitionFunction(all);
    OpenMMFlow_WeightedEnsemble_Estimate merged = OpenMMFlow_WeightedEnsemble_getLogPartitionFunction(part);
    CHECK(whole.error > 0 && fabs(whole.value - merged.value) < 1e-9
          && fabs(whole.error - merged.error) < 1e-9);
    /* Both hold the samples of the range. */
    OpenMMFlow_WeightedEnsemble_append(part, rest);
    CHECK_ERROR("");
    char* text = OpenMMFlow_WeightedEnsemble_toString(all);
    CHECK(strstr(text, "Pareto k") != NULL);
    free(text);

    Progress progress = {0, 0, 0};
    OpenMMFlow_WeightedEnsemble* stopped =
        OpenMMFlow_FlowSampler_sample(sampler, 1000000, 7, 0, stopAtOnce, &progress);
    CHECK(progress.calls == 1 && progress.total == 1000000 && progress.done < progress.total);
    CHECK(OpenMMFlow_WeightedEnsemble_getNumSamples(stopped) == progress.done);

    OpenMMFlow_WeightedEnsemble_destroy(stopped);
    OpenMMFlow_WeightedEnsemble_destroy(part);
    OpenMMFlow_WeightedEnsemble_destroy(rest);
    OpenMMFlow_WeightedEnsemble_destroy(all);
    OpenMMFlow_FlowSampler_destroy(sampler);
    OpenMM_System_destroy(system);
}

static void testAnnealingOptions(void) {
    OpenMMFlow_AnnealingOptions* options = OpenMMFlow_AnnealingOptions_create();
    CHECK(OpenMMFlow_AnnealingOptions_getSchedule(options) == NULL);
    OpenMMFlow_AnnealingSchedule* schedule = OpenMMFlow_AnnealingSchedule_create();
    OpenMM_DoubleArray* betas = OpenMM_DoubleArray_create(2);
    OpenMM_DoubleArray_set(betas, 1, 1);
    OpenMMFlow_AnnealingSchedule_setBetas(schedule, betas);
    OpenMMFlow_AnnealingOptions_setSchedule(options, schedule);
    const OpenMM_DoubleArray* copy =
        OpenMMFlow_AnnealingSchedule_getBetas(OpenMMFlow_AnnealingOptions_getSchedule(options));
    CHECK(OpenMM_DoubleArray_getSize(copy) == 2 && OpenMM_DoubleArray_get(copy, 1) == 1);
    OpenMMFlow_AnnealingOptions_setSchedule(options, NULL);
    CHECK(OpenMMFlow_AnnealingOptions_getSchedule(options) == NULL);
    CHECK_NO_ERROR();
    OpenMMFlow_AnnealingOptions_setAcceptance(options, 2);
    OpenMMFlow_AnnealingOptions_check(options, 0, 0);
    CHECK_ERROR("acceptance");
    OpenMM_DoubleArray_destroy(betas);
    OpenMMFlow_AnnealingSchedule_destroy(schedule);
    OpenMMFlow_AnnealingOptions_destroy(options);
}

static OpenMM_Boolean stopAfterTwo(long long done, long long total, void* data) {
    ++*(int*)data;
    return done < 2 && done < total ? OpenMM_True : OpenMM_False;
}

static void testReplicaExchange(void) {
    enum { NUM_TEMPERATURES = 2, NUM_LADDERS = 3, NUM_REPLICAS = NUM_TEMPERATURES * NUM_LADDERS };
    OpenMM_System* system = createSystem(4);
    OpenMMFlow_BatchedPotential* potential = OpenMMFlow_BatchedPotential_create(system, NULL);
    OpenMM_DoubleArray* temperatures =
        OpenMMFlow_ReplicaExchange_createTemperatures(300, 400, NUM_TEMPERATURES, NUM_LADDERS);
    OpenMMFlow_BatchedHMCIntegrator* integrator =
        OpenMMFlow_BatchedHMCIntegrator_create(system, potential, temperatures, 0.001, 3, 1, 0, NULL);
    OpenMMFlow_BatchedIntegrator* base = (OpenMMFlow_BatchedIntegrator*)integrator;
    OpenMM_DoubleArray* positions = createPositions(NUM_REPLICAS);
    OpenMMFlow_BatchedIntegrator_setPositions(base, positions);
    OpenMMFlow_BatchedHMCIntegrator_PilotProposalArray* pilot =
        OpenMMFlow_BatchedHMCIntegrator_tuneStepSize(integrator, 0.8, 5);
    CHECK(OpenMMFlow_BatchedHMCIntegrator_PilotProposalArray_getSize(pilot) == 5);
    CHECK(OpenMMFlow_BatchedHMCIntegrator_PilotProposalArray_get(pilot, 4).acceptance > 0);

    OpenMMFlow_ReplicaExchange* exchange =
        OpenMMFlow_ReplicaExchange_create(integrator ? base : NULL, NUM_TEMPERATURES, 2);
    int calls = 0;
    CHECK(OpenMMFlow_ReplicaExchange_run(exchange, 10, stopAfterTwo, &calls) == 2 && calls == 2);
    CHECK(OpenMMFlow_ReplicaExchange_run(exchange, 3, NULL, NULL) == 3);
    const OpenMMFlow_LongLongArray* attempts = OpenMMFlow_ReplicaExchange_getNumAttempts(exchange);
    CHECK(OpenMMFlow_LongLongArray_getSize(attempts) == 1);
    CHECK(OpenMMFlow_LongLongArray_get(attempts, 0) == 3 * NUM_LADDERS); /* by turns */
    OpenMMFlow_LongLongArray_get(attempts, -1);
    CHECK_ERROR("There is no element -1 in an array of 1.");

    long long size;
    char* checkpoint = OpenMMFlow_ReplicaExchange_createCheckpoint(exchange, &size);
    OpenMMFlow_ReplicaExchange_run(exchange, 1, NULL, NULL);
    OpenMMFlow_ReplicaExchange_loadCheckpoint(exchange, checkpoint, size);
    CHECK(OpenMMFlow_ReplicaExchange_getNumExchanges(exchange) == 5);
    CHECK_NO_ERROR();

    free(checkpoint);
    OpenMMFlow_ReplicaExchange_destroy(exchange);
    OpenMMFlow_BatchedHMCIntegrator_PilotProposalArray_destroy(pilot);
    OpenMM_DoubleArray_destroy(positions);
    OpenMMFlow_BatchedHMCIntegrator_destroy(integrator);
    OpenMM_DoubleArray_destroy(temperatures);
    OpenMMFlow_BatchedPotential_destroy(potential);
    OpenMM_System_destroy(system);
}

/* The energy is -kT log q, and moves are made. */
static void testForces(const OpenMMFlow_Flow* flow) {
    OpenMM_System* system = createSystem(4);
    OpenMM_IntArray* particles = OpenMM_IntArray_create(4);
    for (int i = 0; i < 4; i++)
        OpenMM_IntArray_set(particles, i, i);
    OpenMMFlow_BoltzmannGeneratorForce* force =
        OpenMMFlow_BoltzmannGeneratorForce_create(flow, particles, TEMPERATURE);
    OpenMM_Force_setForceGroup((OpenMM_Force*)force, 1);
    OpenMM_System_addForce(system, (OpenMM_Force*)force);
    OpenMMFlow_MonteCarloFlowMove* move = OpenMMFlow_MonteCarloFlowMove_create(flow, TEMPERATURE, 2, NULL);
    OpenMMFlow_MonteCarloFlowMove_setRandomNumberSeed(move, 5);
    OpenMM_System_addForce(system, (OpenMM_Force*)move);

    OpenMM_LangevinMiddleIntegrator* integrator =
        OpenMM_LangevinMiddleIntegrator_create(TEMPERATURE, 1, 0.0005);
    OpenMM_Context* context = OpenMM_Context_create_2(system, (OpenMM_Integrator*)integrator,
                                                      OpenMM_Platform_getPlatformByName("Reference"));
    OpenMM_Vec3Array* positions = OpenMM_Vec3Array_create(0);
    for (int i = 0; i < 4; i++) {
        OpenMM_Vec3 position = {POSITIONS[i][0], POSITIONS[i][1], POSITIONS[i][2]};
        OpenMM_Vec3Array_append(positions, position);
    }
    OpenMM_Context_setPositions(context, positions);
    OpenMM_State* state = OpenMM_Context_getState_2(context, OpenMM_State_Energy, 0, 1 << 1);
    OpenMMFlow_FlowContext* density = OpenMMFlow_FlowContext_create(flow, NULL);
    OpenMM_DoubleArray* flat = createPositions(1);
    OpenMM_DoubleArray* logQ = OpenMMFlow_FlowContext_computeLogDensity(density, flat, 1, 0, 0);
    double kT = 8.31446261815324e-3 * TEMPERATURE;
    CHECK(fabs(OpenMM_State_getPotentialEnergy(state) / kT + OpenMM_DoubleArray_get(logQ, 0)) < 1e-3);

    OpenMM_LangevinMiddleIntegrator_step(integrator, 20);
    const OpenMMFlow_FlowMoveStatistics* statistics =
        OpenMMFlow_MonteCarloFlowMove_getStatistics(move, context);
    CHECK(OpenMMFlow_FlowMoveStatistics_getNumAttempts(statistics) == 10);
    CHECK(OpenMM_DoubleArray_getSize(OpenMMFlow_FlowMoveStatistics_getLogRatios(statistics)) == 10);
    CHECK(isnan(OpenMMFlow_FlowMoveStatistics_getLogRatioQuantile(statistics, 2)));
    CHECK_ERROR("");
    CHECK(strcmp(OpenMMFlow_MonteCarloFlowMove_Temperature(), "MonteCarloFlowTemperature") == 0);

    OpenMM_DoubleArray_destroy(logQ);
    OpenMM_DoubleArray_destroy(flat);
    OpenMMFlow_FlowContext_destroy(density);
    OpenMM_State_destroy(state);
    OpenMM_Vec3Array_destroy(positions);
    OpenMM_Context_destroy(context);
    OpenMM_LangevinMiddleIntegrator_destroy(integrator);
    OpenMM_IntArray_destroy(particles);
    OpenMM_System_destroy(system);
}

int main(void) {
    OpenMM_StringArray* failures = OpenMMFlow_Plugins_load();
    for (int i = 0; i < OpenMM_StringArray_getSize(failures); i++)
        CHECK(strstr(OpenMM_StringArray_get(failures, i), "OpenMMFlow") == NULL);
    OpenMM_StringArray_destroy(failures);
    OpenMMFlow_Flow* flow = createFlow();
    testFlow(flow);
    testErrors(flow);
    testFlowContext(flow);
    testEnsemble(flow);
    testAnnealingOptions();
    testReplicaExchange();
    testForces(flow);
    CHECK_NO_ERROR();
    OpenMMFlow_Flow_destroy(flow);
    return 0;
}
