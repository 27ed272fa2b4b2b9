/*
 * Usage: reweight FOLDER [COUNT]
 *
 * Draws COUNT configurations (10,000 by default) of alanine dipeptide from a flow, weights them against the
 * energy of OpenMM, and prints how good they are, log Z, and the free energy of phi > 0 relative to phi < 0
 * with their errors. FOLDER holds system.xml and flow.safetensors, as ../alanine-dipeptide/obc1 does.
 *
 * With OpenMM and openmm-flow in PREFIX it is compiled by
 *
 *     cc reweight.c -o reweight -IPREFIX/include -LPREFIX/lib -lOpenMMFlowCWrapper -lOpenMM -lm \
 *         -Wl,-rpath,PREFIX/lib
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "OpenMMFlowCWrapper.h"

static const double TEMPERATURE = 300;
/* C, N, CA, C. */
static const int PHI[4] = {4, 6, 8, 14};

static void fail(const char* reason) {
    fprintf(stderr, "reweight: %s\n", reason);
    exit(1);
}

/* OpenMM ends the program where XML is not what it should be, so that a missing file has to be noticed here.
 */
static OpenMM_System* loadSystem(const char* path) {
    FILE* file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char* xml = malloc((size_t)size + 1);
    if (xml == NULL || fread(xml, 1, (size_t)size, file) != (size_t)size)
        fail("the System cannot be read.");
    xml[size] = 0;
    fclose(file);
    OpenMM_System* system = OpenMM_XmlSerializer_deserializeSystem(xml);
    free(xml);
    return system;
}

static void subtract(const double* a, const double* b, double* difference) {
    for (int i = 0; i < 3; i++)
        difference[i] = a[i] - b[i];
}

static void cross(const double* a, const double* b, double* product) {
    for (int i = 0; i < 3; i++)
        product[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

/* A torsion has the sign of the projection of its last bond on the normal of the plane of the first two. */
static int isPhiPositive(const double* positions) {
    double bonds[3][3], normal[3];
    for (int i = 0; i < 3; i++)
        subtract(positions + 3 * PHI[i + 1], positions + 3 * PHI[i], bonds[i]);
    cross(bonds[0], bonds[1], normal);
    return normal[0] * bonds[2][0] + normal[1] * bonds[2][1] + normal[2] * bonds[2][2] > 0;
}

static OpenMMFlow_WeightedEnsemble_Estimate computeFreeEnergy(const OpenMMFlow_WeightedEnsemble* ensemble) {
    long long size, count = OpenMMFlow_WeightedEnsemble_getNumSamples(ensemble);
    const double* positions =
        OpenMMFlow_DoubleArray_getData(OpenMMFlow_WeightedEnsemble_getPositions(ensemble), &size);
    OpenMM_IntArray* negative = OpenMM_IntArray_create((int)count);
    OpenMM_IntArray* positive = OpenMM_IntArray_create((int)count);
    for (int i = 0; i < count; i++) {
        int isPositive = isPhiPositive(positions + size / count * i);
        OpenMM_IntArray_set(negative, i, !isPositive);
        OpenMM_IntArray_set(positive, i, isPositive);
    }
    OpenMMFlow_WeightedEnsemble_Estimate difference =
        OpenMMFlow_WeightedEnsemble_computeFreeEnergyDifference(ensemble, negative, positive);
    OpenMM_IntArray_destroy(positive);
    OpenMM_IntArray_destroy(negative);
    return difference;
}

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3)
        fail("give the folder that holds system.xml and flow.safetensors.");
    long long count = argc == 3 ? atoll(argv[2]) : 10000;
    char path[4096];
    OpenMM_StringArray_destroy(OpenMMFlow_Plugins_load());
    snprintf(path, sizeof path, "%s/system.xml", argv[1]);
    OpenMM_System* system = loadSystem(path);
    snprintf(path, sizeof path, "%s/flow.safetensors", argv[1]);
    OpenMMFlow_Flow* flow = OpenMMFlow_Flow_load(path);
    OpenMMFlow_FlowSampler* sampler = OpenMMFlow_FlowSampler_create(system, flow, TEMPERATURE, NULL);
    OpenMMFlow_WeightedEnsemble* ensemble = OpenMMFlow_FlowSampler_sample(sampler, count, 0, 0, NULL, NULL);
    /* Each call passed on the NULL of one that had failed, so that one look is enough. */
    if (OpenMMFlow_getLastError() != NULL)
        fail(OpenMMFlow_getLastError());

    OpenMMFlow_WeightedEnsemble_Estimate logZ = OpenMMFlow_WeightedEnsemble_getLogPartitionFunction(ensemble);
    OpenMMFlow_WeightedEnsemble_Estimate difference = computeFreeEnergy(ensemble);
    printf("effective samples    %12.6f of %lld\n",
           OpenMMFlow_WeightedEnsemble_getEffectiveSampleSize(ensemble), count);
    printf("Pareto k             %12.6f\n", OpenMMFlow_WeightedEnsemble_getParetoK(ensemble));
    printf("log Z                %12.6f +- %12.6f\n", logZ.value, logZ.error);
    printf("F(phi>0) - F(phi<0)  %12.6f +- %12.6f kT\n", difference.value, difference.error);

    OpenMMFlow_WeightedEnsemble_destroy(ensemble);
    OpenMMFlow_FlowSampler_destroy(sampler);
    OpenMMFlow_Flow_destroy(flow);
    OpenMM_System_destroy(system);
    return 0;
}
