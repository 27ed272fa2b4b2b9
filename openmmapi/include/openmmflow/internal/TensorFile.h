#ifndef OPENMMFLOW_TENSORFILE_H_
#define OPENMMFLOW_TENSORFILE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace OpenMMFlow {

class ByteSource;

/**
 * A safetensors file in memory: named arrays, and a table of strings as metadata. Both Flows and
 * WeightedEnsembles are stored in this format, which any ecosystem can read and which executes nothing on
 * loading.
 *
 * Every getter checks what it returns and throws an OpenMMException that names the tensor, so that the code
 * which reads a model has nothing left to verify but meaning.
 */
class TensorFile {
public:
    enum class Type { F32, F64, I64, U64, U8 };
    struct Tensor {
        Type type;
        std::vector<int64_t> shape;
        std::string bytes;
    };
    /** The values of a floating-point tensor. */
    struct Reals {
        std::vector<int64_t> shape;
        std::vector<double> values;
    };
    TensorFile() = default;
    /** Parse the bytes of a file. Nothing larger than the input itself is ever allocated. */
    static TensorFile parse(const std::string& bytes, const std::string& description);
    /** Read a file from disk. */
    static TensorFile load(const std::string& path);
    /**
     * Read a file from disk without one floating-point tensor, whose values go straight into `extracted`, so
     * that they are in memory only once. Without such a tensor in the file, `extracted` is empty on exit.
     */
    static TensorFile load(const std::string& path, const std::string& name, std::optional<Reals>& extracted);
    std::string serialize() const;
    /** Write to a temporary name beside `path`, flush to disk, and rename. */
    void save(const std::string& path) const;
    /** Throw an exception which says that this file cannot be read, and for what reason: a clause without a
     * full stop. */
    [[noreturn]] void fail(const std::string& reason) const;

    std::map<std::string, std::string>& getMetadata() { return metadata; }
    const std::map<std::string, std::string>& getMetadata() const { return metadata; }
    /** Get a metadata value, or throw an exception which says that it is missing. */
    const std::string& getMetadata(const std::string& key) const;

    const std::map<std::string, Tensor>& getTensors() const { return tensors; }
    bool hasTensor(const std::string& name) const { return tensors.count(name) != 0; }
    std::vector<int64_t> getShape(const std::string& name) const;
    /** Get a tensor of floating point type (F32 or F64) whose values are all finite, and which has exactly
     * this shape. */
    std::vector<double> getReals(const std::string& name, const std::vector<int64_t>& shape) const;
    /** Get a tensor of floating point type which may hold infinities or NaN. */
    std::vector<double> getAnyReals(const std::string& name, const std::vector<int64_t>& shape) const;
    /** Get a tensor of integer type, each of whose values lies in [minimum, maximum]. */
    std::vector<int64_t> getIntegers(const std::string& name, const std::vector<int64_t>& shape,
                                     int64_t minimum, int64_t maximum) const;
    void setReals(const std::string& name, const std::vector<int64_t>& shape,
                  const std::vector<double>& values, Type type = Type::F64);
    void setIntegers(const std::string& name, const std::vector<int64_t>& shape,
                     const std::vector<int64_t>& values, Type type = Type::I64);
    /** Throw an exception if the file holds a tensor that no getter has asked for. */
    void requireAllRead() const;
    /** What the file is called in error messages. */
    const std::string& getDescription() const { return description; }

private:
    static TensorFile read(ByteSource& source, const std::string& description,
                           const std::string* name = nullptr, std::optional<Reals>* extracted = nullptr);
    std::string makeHeader(std::vector<std::string>& order) const;
    const Tensor& getTensor(const std::string& name, const std::vector<int64_t>& shape) const;
    void setTensor(const std::string& name, Tensor tensor, size_t numValues);
    std::string description;
    std::map<std::string, std::string> metadata;
    std::map<std::string, Tensor> tensors;
    /** The names of the tensors that a getter has asked for. */
    mutable std::set<std::string> used;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TENSORFILE_H_*/
