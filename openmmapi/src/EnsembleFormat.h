#ifndef OPENMMFLOW_ENSEMBLEFORMAT_H_
#define OPENMMFLOW_ENSEMBLEFORMAT_H_

/* The file of a WeightedEnsemble is a safetensors file. Its tensors are
 *
 *   positions             (count, N, 3), in nm; absent from an ensemble without positions
 *   log_q                 (count); infinity for a sample off the flow's support. Not of an annealed ensemble
 *   log_weights           (count); -infinity for weight zero. Of an annealed ensemble only
 *   reduced_potentials    (count); NaN and infinity where the energy is not finite
 *
 * all F64 as written, F32 also accepted, and its metadata are
 *
 *   format                "openmm-flow ensemble"
 *   format_version        "1", or "2" for an annealed ensemble
 *   num_particles         N
 *   temperature           the temperature of the target in K
 *   sample_ranges         a JSON list of [seed, first, count]
 *   block_size            how many consecutive samples depend on each other. Of an annealed ensemble only
 *   metadata.<key>        the ensemble's metadata: any number, any key, any text
 *
 * and nothing else. Where there is log_q, log weights are -reduced_potentials - log_q. */

namespace OpenMMFlow {
namespace EnsembleFormat {

const char* const name = "openmm-flow ensemble";
const char* const version = "1";
const char* const annealedVersion = "2";
const char* const metadataPrefix = "metadata.";

}  // namespace EnsembleFormat
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENSEMBLEFORMAT_H_*/
