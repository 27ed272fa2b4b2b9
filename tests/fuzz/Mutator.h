#ifndef OPENMMFLOW_TESTS_MUTATOR_H_
#define OPENMMFLOW_TESTS_MUTATOR_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace OpenMMFlow::tests {

/** Damages safetensors files, in ways that reach every layer of a reader. The seed determines everything. */
class Mutator {
public:
    explicit Mutator(uint64_t seed) : generator(seed) {}
    /** Apply one to three random changes. */
    std::string mutate(std::string bytes);

private:
    size_t index(size_t count) { return count == 0 ? 0 : generator() % count; }
    void mutateOnce(std::string& bytes);
    void flipBytes(std::string& bytes, size_t begin, size_t end);
    void changeLength(std::string& bytes);
    void changeHeaderLength(std::string& bytes);
    void changeData(std::string& bytes);
    void changeHeaderText(std::string& bytes);
    void changeHeaderTree(std::string& bytes);
    void changeText(std::string& text);
    void changeNumber(std::string& text);
    void changeTree(nlohmann::json& root);
    nlohmann::json makeValue(const nlohmann::json& old);
    std::mt19937_64 generator;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_MUTATOR_H_*/
