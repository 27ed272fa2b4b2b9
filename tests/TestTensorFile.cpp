// The safetensors reader and writer: what is written comes back, and everything that is not a valid file is
// refused with one sentence that names the fault.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "ExpectError.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using OpenMMFlow::tests::expectError;
namespace fs = std::filesystem;

namespace {

const double inf = std::numeric_limits<double>::infinity();

std::string makeBytes(const std::string& header, const std::string& data = "") {
    uint64_t size = header.size();
    return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

void expectParseError(const std::string& bytes, const std::string& fragment) {
    expectError([&] { TensorFile::parse(bytes, "the test file"); }, fragment);
}

/** A header of one tensor "a" with these entries, and its error. */
void expectEntryError(const std::string& entries, const std::string& fragment, size_t dataSize = 8) {
    expectParseError(makeBytes("{\"a\":{" + entries + "}}", std::string(dataSize, '\0')), fragment);
}

class TensorFileOnDisk : public testing::Test {
protected:
    void SetUp() override { fs::create_directory(folder); }
    void TearDown() override { fs::remove_all(folder); }
    size_t countFiles() const {
        return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
    }
    fs::path folder = fs::temp_directory_path() / ("openmmflow-tensorfile-" + std::to_string(getpid()));
    std::string path = folder / "file.safetensors";
};

TensorFile makeFile() {
    TensorFile file;
    file.setReals("weights", {2, 3}, {1, 2.5, -3, 0.1, 1e300, -0.0});
    file.setReals("single", {3}, {0.5, inf, 0.1}, TensorFile::Type::F32);
    file.setIntegers("indices", {2, 1}, {-7, std::numeric_limits<int64_t>::max()});
    file.setIntegers("counts", {1}, {5}, TensorFile::Type::U64);
    file.setIntegers("mask", {3}, {0, 255, 1}, TensorFile::Type::U8);
    file.setReals("empty", {0, 4}, {});
    file.setReals("scalar", {}, {42});
    file.getMetadata()["name"] = "chlorophyll \"\n\xc3\xa9";
    return file;
}

TEST(TensorFile, WhatIsWrittenComesBack) {
    TensorFile file = TensorFile::parse(makeFile().serialize(), "the test file");
    EXPECT_EQ(file.getReals("weights", {2, 3}), (std::vector<double>{1, 2.5, -3, 0.1, 1e300, -0.0}));
    EXPECT_TRUE(std::signbit(file.getReals("weights", {2, 3})[5]));
    EXPECT_EQ(file.getAnyReals("single", {3}), (std::vector<double>{0.5, inf, 0.1f}));
    EXPECT_EQ(file.getIntegers("indices", {2, 1}, -7, std::numeric_limits<int64_t>::max()),
              (std::vector<int64_t>{-7, std::numeric_limits<int64_t>::max()}));
    EXPECT_EQ(file.getIntegers("counts", {1}, 0, 5), std::vector<int64_t>{5});
    EXPECT_EQ(file.getIntegers("mask", {3}, 0, 255), (std::vector<int64_t>{0, 255, 1}));
    EXPECT_EQ(file.getReals("empty", {0, 4}), std::vector<double>());
    expectError([&] { file.requireAllRead(); }, "'scalar' is unknown");
    EXPECT_EQ(file.getReals("scalar", {}), std::vector<double>{42});
    file.requireAllRead();
    EXPECT_EQ(file.getMetadata(), makeFile().getMetadata());
    EXPECT_EQ(file.serialize(), makeFile().serialize());
}

TEST(TensorFile, DataAndTensorsAreAligned) {
    for (int length = 0; length < 9; length++) {
        TensorFile file = makeFile();
        file.getMetadata()["name"] = std::string(length, 'x');
        std::string bytes = file.serialize();
        uint64_t headerSize;
        std::memcpy(&headerSize, bytes.data(), 8);
        EXPECT_EQ(headerSize % 8, 0u);
        // The mask is the only tensor of single bytes, so that it must come last.
        EXPECT_EQ(bytes.substr(bytes.size() - 3), std::string("\0\xff\1", 3));
    }
}

TEST(TensorFile, GettersCheckWhatTheyReturn) {
    TensorFile file = TensorFile::parse(makeFile().serialize(), "the test file");
    expectError([&] { file.getReals("missing", {1}); },
                "Cannot read the test file: the tensor 'missing' is missing");
    expectError([&] { file.getShape("missing"); }, "'missing' is missing");
    expectError(
        [&] {
            file.getReals("weights", {3, 2});
        },
        "'weights' has the shape (2, 3) instead of (3, 2)");
    expectError([&] { file.getReals("single", {3}); }, "'single' holds NaN or infinity");
    expectError([&] { file.getReals("mask", {3}); }, "'mask' has the data type U8 instead of F32 or F64");
    expectError([&] { file.getIntegers("weights", {2, 3}, 0, 1); }, "'weights' has the data type F64");
    expectError([&] { file.getIntegers("mask", {3}, 0, 254); }, "'mask' holds a value outside of 0 to 254");
    expectError(
        [&] {
            file.getIntegers("indices", {2, 1}, -6, 10);
        },
        "'indices' holds a value outside of -6 to 10");
    expectError([&] { file.getMetadata("family"); }, "no entry 'family'");
    const uint64_t large = 1ULL << 63;
    std::string data(reinterpret_cast<const char*>(&large), 8);
    TensorFile unsignedFile = TensorFile::parse(
        makeBytes("{\"a\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}", data), "x");
    expectError([&] { unsignedFile.getIntegers("a", {1}, std::numeric_limits<int64_t>::min(), 0); },
                "'a' holds a value");
}

TEST(TensorFile, SettersCheckWhatTheyAreGiven) {
    TensorFile file;
    expectError([&] { file.setReals("a", {2}, {1}); }, "of shape (2)");
    expectError([&] { file.setReals("a", {1}, {1}, TensorFile::Type::U8); }, "data type U8");
    expectError([&] { file.setIntegers("a", {1}, {256}, TensorFile::Type::U8); }, "data type U8");
    expectError([&] { file.setIntegers("a", {1}, {-1}, TensorFile::Type::U64); }, "data type U64");
    expectError([&] { file.setReals("__metadata__", {1}, {1}); }, "__metadata__");
    file.getMetadata()["name"] = "\xff";
    expectError([&] { file.serialize(); }, "UTF-8");
}

TEST(TensorFile, EveryTruncationIsRefused) {
    std::string bytes = makeFile().serialize();
    for (size_t size = 0; size < bytes.size(); size++)
        expectParseError(bytes.substr(0, size), "Cannot read the test file: ");
    expectParseError(bytes + "x", "1 bytes after its last tensor");
}

TEST(TensorFile, WrongHeaderLengthsAreRefused) {
    expectParseError("", "it is empty");
    expectParseError("1234567", "too short");
    expectParseError("CORD and other bytes of a trajectory", "not a safetensors file");
    for (uint64_t size : {uint64_t(100), uint64_t(1) << 32, uint64_t(1) << 63, ~uint64_t(0)})
        expectParseError(
            std::string(reinterpret_cast<const char*>(&size), 8) + "{}",
            "its header would have " + std::to_string(size) + " bytes, where at most 2 are possible");
    expectParseError(makeBytes(""), "does not begin with a brace");
    expectParseError(makeBytes("  {}"), "does not begin with a brace");
    // A file may be large enough for a header that is not reasonable.
    expectParseError(makeBytes("{" + std::string(10000000, ' ')), "at most 10000000 are possible");
}

TEST(TensorFile, HeadersThatAreNotJsonAreRefused) {
    expectParseError(makeBytes("{"), "not valid JSON");
    expectParseError(makeBytes("{}x"), "not valid JSON");
    expectParseError(makeBytes("{\"a\":NaN}"), "not valid JSON");
    expectParseError(makeBytes("{\"\xff\":1}"), "not valid JSON");
    expectParseError(makeBytes("{\"a\":1e999}"), "too large");
    expectParseError(makeBytes("{\"a\":" + std::string(5000000, '[')), "nested too deeply");
    std::string objects;
    for (int i = 0; i < 100000; i++)
        objects += "{\"a\":";
    expectParseError(makeBytes(objects), "nested too deeply");
    std::string zeros = "{\"a\":[0";
    for (int i = 0; i < 2000000; i++)
        zeros += ",0";
    expectParseError(makeBytes(zeros + "]}"), "more values than any file");
}

TEST(TensorFile, DuplicateKeysAreRefused) {
    std::string tensor = "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
    EXPECT_NO_THROW(TensorFile::parse(makeBytes("{\"a\":" + tensor + ",\"b\":" + tensor + "}"), "x"));
    expectParseError(makeBytes("{\"a\":" + tensor + ",\"a\":" + tensor + "}"), "has the key 'a' twice");
    expectParseError(makeBytes("{\"a\":" + tensor + ",\"\\u0061\":" + tensor + "}"), "has the key 'a' twice");
    expectParseError(makeBytes("{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}"), "has the key 'k' twice");
    expectEntryError("\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]",
                     "'dtype' twice");
}

TEST(TensorFile, MetadataMustBeStrings) {
    expectParseError(makeBytes("{\"__metadata__\":[]}"), "not a JSON object");
    expectParseError(makeBytes("{\"__metadata__\":{\"k\":1}}"), "'k' is not a string");
    expectParseError(makeBytes("{\"__metadata__\":{\"k\":{\"l\":\"m\"}}}"), "'k' is not a string");
}

TEST(TensorFile, EntriesOfTensorsAreChecked) {
    expectParseError(makeBytes("{\"a\":3}"), "nothing about 'dtype' of the tensor 'a'");
    expectEntryError("\"shape\":[8],\"data_offsets\":[0,8]", "nothing about 'dtype'");
    expectEntryError("\"dtype\":\"U8\",\"data_offsets\":[0,8]", "nothing about 'shape'");
    expectEntryError("\"dtype\":\"U8\",\"shape\":[8]", "nothing about 'data_offsets'");
    expectEntryError("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8],\"x\":1",
                     "unknown key for the tensor 'a'");
    for (std::string type : {"\"F16\"", "\"f32\"", "7", "null", "[\"U8\"]"})
        expectEntryError("\"dtype\":" + type + ",\"shape\":[8],\"data_offsets\":[0,8]",
                         "data type other than");
    for (std::string shape : {"8", "\"8\"", "{}", "[1,1,1,1,1,1,1,1,8]"})
        expectEntryError("\"dtype\":\"U8\",\"shape\":" + shape + ",\"data_offsets\":[0,8]",
                         "is not a short list");
    for (std::string size : {"-8", "8.0", "\"8\"", "true", "9223372036854775808", "18446744073709551616"})
        expectEntryError("\"dtype\":\"U8\",\"shape\":[" + size + "],\"data_offsets\":[0,8]",
                         "not a natural number");
    expectEntryError("\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,8]", "takes 8 bytes, but needs 4");
    expectEntryError("\"dtype\":\"F64\",\"shape\":[8],\"data_offsets\":[0,8]", "takes 8 bytes, but needs 64");
    // 2^32 * 2^32 = 0 modulo 2^64.
    expectEntryError("\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]",
                     "too large for any", 0);
    expectEntryError("\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]",
                     "too large for any", 0);
    for (std::string offsets :
         {"[0,9]", "[8,0]", "[9,17]", "[9223372036854775800,9223372036854775807]", "[8]", "[0,4,8]"})
        expectEntryError("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":" + offsets, "outside of the file");
}

TEST(TensorFile, TensorsCoverTheDataExactly) {
    auto makeTwo = [](const std::string& a, const std::string& b) {
        return makeBytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + a
                             + "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + b + "}}",
                         std::string(12, '\0'));
    };
    expectParseError(makeTwo("[0,4]", "[2,6]"), "two of its tensors overlap");
    expectParseError(makeTwo("[0,4]", "[0,4]"), "two of its tensors overlap");
    expectParseError(makeTwo("[0,4]", "[8,12]"), "a hole between its tensors");
    expectParseError(makeTwo("[8,12]", "[4,8]"), "a hole between its tensors");
    expectParseError(makeTwo("[4,8]", "[0,4]"), "4 bytes after its last tensor");
}

TEST(TensorFile, NamesFromTheFileDoNotSpoilMessages) {
    std::string name = "line\\nbreak\\u0000" + std::string(1000, 'x');
    expectParseError(makeBytes("{\"" + name + "\":3}"), "of the tensor 'line?break?xxx");
}

TEST_F(TensorFileOnDisk, SavedFilesComeBack) {
    makeFile().save(path);
    EXPECT_EQ(TensorFile::load(path).serialize(), makeFile().serialize());
    EXPECT_EQ(fs::file_size(path), makeFile().serialize().size());
    TensorFile other;
    other.save(path);
    EXPECT_TRUE(TensorFile::load(path).getTensors().empty());
    EXPECT_EQ(countFiles(), 1u);
}

TEST_F(TensorFileOnDisk, PathsThatAreNoFilesAreRefused) {
    expectError([&] { TensorFile::load(path); }, "Cannot read '" + path + "': No such file or directory.");
    expectError([&] { TensorFile::load(folder); }, "it is a folder or a device, not a file");
    expectError([&] { TensorFile::load("/dev/zero"); }, "it is a folder or a device, not a file");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    expectError([&] { TensorFile::load(path); }, "it is a folder or a device, not a file");
    expectError([&] { makeFile().save(path); }, "it is not a file; choose another name");
    expectError([&] { makeFile().save(folder); }, "it is not a file; choose another name");
    std::ofstream(folder / "empty");
    expectError([&] { TensorFile::load(folder / "empty"); }, "it is empty");
}

TEST_F(TensorFileOnDisk, UnreadableFilesAreRefused) {
    makeFile().save(path);
    fs::permissions(path, fs::perms::none);
    // Root may read every file, so that it becomes nobody for the attempt.
    const uid_t self = geteuid(), nobody = 65534;
    ASSERT_EQ(seteuid(self == 0 ? nobody : self), 0);
    expectError([&] { TensorFile::load(path); }, "Permission denied");
    ASSERT_EQ(seteuid(self), 0);
}

TEST_F(TensorFileOnDisk, LargeSparseFilesAreNotReadIntoMemory) {
    std::ofstream(path) << makeBytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}");
    fs::resize_file(path, uint64_t(1) << 40);
    expectError([&] { TensorFile::load(path); }, "bytes after its last tensor");
}

TEST_F(TensorFileOnDisk, FailedSavesLeaveTheOldFileAndNothingElse) {
    expectError([&] { makeFile().save(folder / "missing" / "file"); }, "No such file or directory");
    makeFile().save(path);
    TensorFile large;
    large.setReals("a", {100000}, std::vector<double>(100000, 1.0));
    // A limit on the size of files stands for a full disk: write() fails after some of the bytes.
    struct rlimit old, limit;
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 4096;
    auto handler = std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expectError([&] { large.save(path); }, "Cannot write '" + path + "': File too large.");
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(countFiles(), 1u);
    EXPECT_EQ(TensorFile::load(path).serialize(), makeFile().serialize());
}

}  // namespace
