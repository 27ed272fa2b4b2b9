#ifndef OPENMMFLOW_ADDITIONS_H_
#define OPENMMFLOW_ADDITIONS_H_

#include <map>
#include <string>
#include <vector>

namespace OpenMMFlow {

/** What an OpenMM_DoubleArray has not. */
class DoubleArray {
public:
    /**
     * Get all numbers of an OpenMM_DoubleArray at once, without copying them.
     *
     * @param array   the array, which must neither change nor go while the numbers are in use
     * @param size    on exit, how many there are
     */
    static const double* getData(const std::vector<double>& array, long long& size);
};

/** What an OpenMM_PropertyArray has not: OpenMM's own functions can only read one. */
class PropertyArray {
public:
    /** Create an OpenMM_PropertyArray without properties. */
    static std::map<std::string, std::string> create();
    /** Release an OpenMM_PropertyArray that is yours. */
    static void destroy(std::map<std::string, std::string>* array);
    /** Set a property. */
    static void set(std::map<std::string, std::string>& array, const std::string& name,
                    const std::string& value);
    /**
     * Get a property.
     *
     * @throws OpenMM::OpenMMException if there is none of that name
     */
    static const std::string& get(const std::map<std::string, std::string>& array, const std::string& name);
};

/** The plugins of OpenMM and of openmm-flow. */
class Plugins {
public:
    /**
     * Load the plugins in OpenMM's default folder, and those of openmm-flow unless they were among them. Do
     * this once, before all else.
     *
     * @return what failed to load, and why; empty if nothing did
     */
    static std::vector<std::string> load();
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ADDITIONS_H_*/
