#ifndef OPENMMFLOW_KERNELPROPERTIES_H_
#define OPENMMFLOW_KERNELPROPERTIES_H_

#include <map>
#include <string>
#include <vector>

#include "openmm/Platform.h"

namespace OpenMMFlow {

/**
 * Complete the platform properties that a user gave with the platform's default values.
 *
 * @param platform    the name of the platform, for messages
 * @param given       what the user gave
 * @param defaults    every property that the platform knows, with its default value
 * @throws OpenMM::OpenMMException for a property that is not among the defaults
 */
std::map<std::string, std::string> completeProperties(const std::string& platform,
                                                      const std::map<std::string, std::string>& given,
                                                      const std::map<std::string, std::string>& defaults);

/** Get the value of "Precision", checked against the values that the platform allows. */
std::string getPrecision(const std::map<std::string, std::string>& properties,
                         const std::vector<std::string>& allowed);

/** Get OpenMM's CPU platform; null where it is not loaded. */
OpenMM::Platform* findCpuPlatform();

/**
 * Get the number of threads that OpenMM's CPU platform would use: the processors, or what the environment
 * variable OPENMM_CPU_THREADS said when OpenMM loaded it.
 */
std::string getDefaultThreads();

/** Get the value of "Threads", a whole number from 1 to 1024, or the default. */
int getThreads(const std::map<std::string, std::string>& properties);

/** Get the properties but for one. */
std::map<std::string, std::string> without(std::map<std::string, std::string> properties,
                                           const std::string& name);

/** Get whether Contexts on a Platform have a property. */
bool knows(const OpenMM::Platform& platform, const std::string& property);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_KERNELPROPERTIES_H_*/
