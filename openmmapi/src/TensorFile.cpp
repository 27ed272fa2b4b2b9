#include "openmmflow/internal/TensorFile.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "AtomicFile.h"
#include "ByteSource.h"
#include "Quote.h"
#include "StrictJson.h"
#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using nlohmann::json;
using OpenMM::OpenMMException;
using std::string;
using std::to_string;
using std::vector;

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace {

const uint64_t maxHeaderSize = 10000000;
const size_t maxDimensions = 8;
const char* const metadataKey = "__metadata__";

struct TypeInfo {
    TensorFile::Type type;
    const char* name;
    uint64_t size;
};
const TypeInfo typeInfos[] = {{TensorFile::Type::F32, "F32", 4},
                              {TensorFile::Type::F64, "F64", 8},
                              {TensorFile::Type::I64, "I64", 8},
                              {TensorFile::Type::U64, "U64", 8},
                              {TensorFile::Type::U8, "U8", 1}};

const TypeInfo& getInfo(TensorFile::Type type) {
    return *std::find_if(std::begin(typeInfos), std::end(typeInfos),
                         [&](const TypeInfo& info) { return info.type == type; });
}

string describe(const vector<int64_t>& shape) {
    string result = "(";
    for (size_t i = 0; i < shape.size(); i++)
        result += (i == 0 ? "" : ", ") + to_string(shape[i]);
    return result + ")";
}

/** Where a tensor lies in the data section, which begins after the header. */
struct Location {
    uint64_t begin, end;
    TensorFile::Tensor* tensor;
};

vector<uint64_t> readNumbers(const TensorFile& file, const string& name, const json& list) {
    if (!list.is_array() || list.size() > maxDimensions)
        file.fail("the shape or the position of the tensor " + quote(name) + " is not a short list");
    vector<uint64_t> numbers;
    for (const json& number : list) {
        if (!number.is_number_unsigned()
            || number.get<uint64_t>() > (uint64_t)std::numeric_limits<int64_t>::max())
            file.fail("the shape or the position of the tensor " + quote(name)
                      + " has an element that is not a natural number of at most 63 bits");
        numbers.push_back(number);
    }
    return numbers;
}

/** Read the header's entry for one tensor, and check it against the size of the data section. */
Location readEntry(const TensorFile& file, const string& name, const json& entry, uint64_t dataSize,
                   TensorFile::Tensor& tensor) {
    for (const char* key : {"dtype", "shape", "data_offsets"})
        if (!entry.is_object() || !entry.contains(key))
            file.fail("the header says nothing about '" + string(key) + "' of the tensor " + quote(name));
    if (entry.size() != 3)
        file.fail("the header has an unknown key for the tensor " + quote(name));
    const TypeInfo* info =
        std::find_if(std::begin(typeInfos), std::end(typeInfos),
                     [&](const TypeInfo& candidate) { return entry["dtype"] == candidate.name; });
    if (info == std::end(typeInfos))
        file.fail("the tensor " + quote(name) + " has a data type other than F32, F64, I64, U64 and U8");
    tensor.type = info->type;
    uint64_t size = info->size;
    for (uint64_t dimension : readNumbers(file, name, entry["shape"])) {
        if (dimension != 0 && size > (uint64_t)std::numeric_limits<int64_t>::max() / dimension)
            file.fail("the tensor " + quote(name) + " has a shape that is too large for any file");
        size *= dimension;
        tensor.shape.push_back((int64_t)dimension);
    }
    vector<uint64_t> offsets = readNumbers(file, name, entry["data_offsets"]);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > dataSize)
        file.fail("the tensor " + quote(name) + " lies outside of the file, which has " + to_string(dataSize)
                  + " bytes of data");
    if (offsets[1] - offsets[0] != size)
        file.fail("the tensor " + quote(name) + " of shape " + describe(tensor.shape) + " takes "
                  + to_string(offsets[1] - offsets[0]) + " bytes, but needs " + to_string(size));
    return {offsets[0], offsets[1], &tensor};
}

/** The format demands that the tensors cover the data without overlaps and holes. */
void checkCoverage(const TensorFile& file, vector<Location>& locations, uint64_t dataSize) {
    std::sort(locations.begin(), locations.end(), [](const Location& a, const Location& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    uint64_t covered = 0;
    for (const Location& location : locations) {
        if (location.begin != covered)
            file.fail(location.begin < covered ? "two of its tensors overlap"
                                               : "there is a hole between its tensors");
        covered = location.end;
    }
    if (covered != dataSize)
        file.fail("it has " + to_string(dataSize - covered) + " bytes after its last tensor");
}

template <class T>
vector<T> getValues(const TensorFile::Tensor& tensor) {
    vector<T> values(tensor.bytes.size() / sizeof(T));
    if (!values.empty())
        std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
}

template <class T, class From>
string toBytes(const vector<From>& values) {
    vector<T> converted(values.begin(), values.end());
    return string(reinterpret_cast<const char*>(converted.data()), converted.size() * sizeof(T));
}

template <class Read>
TensorFile readFromDisk(const string& path, const Read& read) {
    DiskSource source(path);
    try {
        return read(source);
    } catch (const std::bad_alloc&) {
        throw OpenMMException("Cannot read '" + path + "': it has " + to_string(source.size())
                              + " bytes, more than there is memory for.");
    }
}

}  // namespace

TensorFile TensorFile::read(ByteSource& source, const string& description, const string* name,
                            std::optional<Reals>* extracted) {
    TensorFile file;
    file.description = description;
    if (source.size() == 0)
        file.fail("it is empty");
    uint64_t headerSize = 0;
    if (source.size() < sizeof(headerSize))
        file.fail("it is too short for a safetensors file");
    source.read(reinterpret_cast<char*>(&headerSize), sizeof(headerSize));
    uint64_t rest = source.size() - sizeof(headerSize);
    if (headerSize > rest || headerSize > maxHeaderSize)
        file.fail("it is not a safetensors file, or it is truncated: its header would have "
                  + to_string(headerSize) + " bytes, where at most "
                  + to_string(std::min(rest, maxHeaderSize)) + " are possible");
    string header(headerSize, ' ');
    source.read(header.data(), headerSize);
    if (header.empty() || header[0] != '{')
        file.fail("it is not a safetensors file: its header does not begin with a brace");
    const json root = parseStrictJson(header, 3, "Cannot read " + description + ": its header");

    uint64_t dataSize = rest - headerSize;
    vector<Location> locations;
    for (const auto& [name, entry] : root.items()) {
        if (name != metadataKey) {
            locations.push_back(readEntry(file, name, entry, dataSize, file.tensors[name]));
            continue;
        }
        if (!entry.is_object())
            file.fail("its metadata are not a JSON object");
        for (const auto& [key, value] : entry.items()) {
            if (!value.is_string())
                file.fail("the metadata entry " + quote(key) + " is not a string");
            file.metadata[key] = value;
        }
    }
    checkCoverage(file, locations, dataSize);
    const auto apart = name == nullptr ? file.tensors.end() : file.tensors.find(*name);
    for (const Location& location : locations) {
        if (apart != file.tensors.end() && location.tensor == &apart->second
            && apart->second.type == Type::F64) {
            extracted->emplace(
                Reals{apart->second.shape, vector<double>((location.end - location.begin) / 8)});
            source.read(reinterpret_cast<char*>(extracted->value().values.data()),
                        location.end - location.begin);
            continue;
        }
        location.tensor->bytes.resize(location.end - location.begin);
        source.read(location.tensor->bytes.data(), location.end - location.begin);
    }
    if (apart != file.tensors.end()) {
        if (!extracted->has_value())
            extracted->emplace(Reals{apart->second.shape, file.getAnyReals(*name, apart->second.shape)});
        file.tensors.erase(apart);
    }
    return file;
}

TensorFile TensorFile::parse(const string& bytes, const string& description) {
    MemorySource source(bytes);
    return read(source, description);
}

TensorFile TensorFile::load(const string& path) {
    return readFromDisk(path, [&](ByteSource& source) { return read(source, "'" + path + "'"); });
}

TensorFile TensorFile::load(const string& path, const string& name, std::optional<Reals>& extracted) {
    extracted.reset();
    return readFromDisk(
        path, [&](ByteSource& source) { return read(source, "'" + path + "'", &name, &extracted); });
}

string TensorFile::makeHeader(vector<string>& order) const {
    order.clear();
    for (const auto& [name, tensor] : tensors)
        order.push_back(name);
    // Large elements first, so that every tensor is aligned to the size of its elements.
    std::stable_sort(order.begin(), order.end(), [&](const string& a, const string& b) {
        return getInfo(tensors.at(a).type).size > getInfo(tensors.at(b).type).size;
    });
    json root = json::object();
    uint64_t offset = 0;
    for (const string& name : order) {
        const Tensor& tensor = tensors.at(name);
        root[name] = {{"dtype", getInfo(tensor.type).name},
                      {"shape", tensor.shape},
                      {"data_offsets", {offset, offset + tensor.bytes.size()}}};
        offset += tensor.bytes.size();
    }
    if (!metadata.empty())
        root[metadataKey] = metadata;
    string header;
    try {
        header = root.dump();
    } catch (const json::exception&) {
        throw OpenMMException("Cannot write metadata that are not valid UTF-8 text.");
    }
    header.resize((header.size() + 7) / 8 * 8, ' ');
    if (header.size() > maxHeaderSize)
        throw OpenMMException("Cannot write more than " + to_string(maxHeaderSize)
                              + " bytes of metadata and tensor names into one file.");
    uint64_t size = header.size();
    return string(reinterpret_cast<const char*>(&size), sizeof(size)) + header;
}

string TensorFile::serialize() const {
    vector<string> order;
    string bytes = makeHeader(order);
    for (const string& name : order)
        bytes += tensors.at(name).bytes;
    return bytes;
}

void TensorFile::save(const string& path) const {
    vector<string> order;
    string header = makeHeader(order);
    AtomicFile file(path);
    file.write(header.data(), header.size());
    for (const string& name : order)
        file.write(tensors.at(name).bytes.data(), tensors.at(name).bytes.size());
    file.commit();
}

void TensorFile::fail(const string& reason) const {
    throw OpenMMException("Cannot read " + description + ": " + reason + ".");
}

const string& TensorFile::getMetadata(const string& key) const {
    auto entry = metadata.find(key);
    if (entry == metadata.end())
        fail("its metadata have no entry " + quote(key));
    return entry->second;
}

const TensorFile::Tensor& TensorFile::getTensor(const string& name, const vector<int64_t>& shape) const {
    auto entry = tensors.find(name);
    if (entry == tensors.end())
        fail("the tensor " + quote(name) + " is missing");
    if (entry->second.shape != shape)
        fail("the tensor " + quote(name) + " has the shape " + describe(entry->second.shape) + " instead of "
             + describe(shape));
    used.insert(name);
    return entry->second;
}

vector<int64_t> TensorFile::getShape(const string& name) const {
    auto entry = tensors.find(name);
    if (entry == tensors.end())
        fail("the tensor " + quote(name) + " is missing");
    return entry->second.shape;
}

vector<double> TensorFile::getAnyReals(const string& name, const vector<int64_t>& shape) const {
    const Tensor& tensor = getTensor(name, shape);
    if (tensor.type == Type::F64)
        return getValues<double>(tensor);
    if (tensor.type != Type::F32)
        fail("the tensor " + quote(name) + " has the data type " + getInfo(tensor.type).name
             + " instead of F32 or F64");
    vector<float> values = getValues<float>(tensor);
    return vector<double>(values.begin(), values.end());
}

vector<double> TensorFile::getReals(const string& name, const vector<int64_t>& shape) const {
    vector<double> values = getAnyReals(name, shape);
    if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }))
        fail("the tensor " + quote(name) + " holds NaN or infinity");
    return values;
}

vector<int64_t> TensorFile::getIntegers(const string& name, const vector<int64_t>& shape, int64_t minimum,
                                        int64_t maximum) const {
    const Tensor& tensor = getTensor(name, shape);
    vector<int64_t> values;
    bool tooLarge = false;
    if (tensor.type == Type::I64) {
        values = getValues<int64_t>(tensor);
    } else if (tensor.type == Type::U64) {
        for (uint64_t value : getValues<uint64_t>(tensor)) {
            tooLarge |= value > (uint64_t)std::numeric_limits<int64_t>::max();
            values.push_back((int64_t)value);
        }
    } else if (tensor.type == Type::U8) {
        for (uint8_t value : getValues<uint8_t>(tensor))
            values.push_back(value);
    } else {
        fail("the tensor " + quote(name) + " has the data type " + getInfo(tensor.type).name
             + " instead of I64, U64 or U8");
    }
    if (tooLarge
        || std::any_of(values.begin(), values.end(), [&](int64_t v) { return v < minimum || v > maximum; }))
        fail("the tensor " + quote(name) + " holds a value outside of " + to_string(minimum) + " to "
             + to_string(maximum));
    return values;
}

void TensorFile::setTensor(const string& name, Tensor tensor, size_t numValues) {
    size_t product = 1;
    for (int64_t dimension : tensor.shape)
        product *= dimension;
    if (product != numValues || tensor.shape.size() > maxDimensions || name == metadataKey)
        throw OpenMMException("Cannot store " + to_string(numValues) + " values as the tensor " + quote(name)
                              + " of shape " + describe(tensor.shape) + ".");
    tensors[name] = std::move(tensor);
}

void TensorFile::setReals(const string& name, const vector<int64_t>& shape, const vector<double>& values,
                          Type type) {
    if (type != Type::F32 && type != Type::F64)
        throw OpenMMException("Cannot store real numbers with the data type " + string(getInfo(type).name)
                              + ".");
    setTensor(name, {type, shape, type == Type::F32 ? toBytes<float>(values) : toBytes<double>(values)},
              values.size());
}

void TensorFile::setIntegers(const string& name, const vector<int64_t>& shape, const vector<int64_t>& values,
                             Type type) {
    if (type == Type::F32 || type == Type::F64)
        throw OpenMMException("Cannot store integers with the data type " + string(getInfo(type).name) + ".");
    int64_t largest = type == Type::U8 ? 255 : std::numeric_limits<int64_t>::max();
    int64_t smallest = type == Type::I64 ? std::numeric_limits<int64_t>::min() : 0;
    if (std::any_of(values.begin(), values.end(), [&](int64_t v) { return v < smallest || v > largest; }))
        throw OpenMMException("Cannot store a value of the tensor " + quote(name) + " with the data type "
                              + getInfo(type).name + ".");
    setTensor(name, {type, shape, type == Type::U8 ? toBytes<uint8_t>(values) : toBytes<int64_t>(values)},
              values.size());
}

void TensorFile::requireAllRead() const {
    for (const auto& [name, tensor] : tensors)
        if (used.count(name) == 0)
            fail("the tensor " + quote(name) + " is unknown");
}

}  // namespace OpenMMFlow
