// Headers that describe their file, and every way not to.
#include "refserver/checkpoint/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "refserver/checkpoint/tests/raw_safetensors.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;

constexpr const char* kTwo =
    R"({"b":{"dtype":"F16","shape":[2,2],"data_offsets":[8,16]},"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})";

TEST(SafetensorsHeader, ReadsEntriesInTheOrderOfTheirBytes) {
  const auto entries = parse_safetensors_header(kTwo, 16, "f");
  ASSERT_TRUE(entries.has_value()) << entries.error().message();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ(entries->at(0).name, "a");
  EXPECT_EQ(entries->at(0).dtype, Dtype::i32);
  EXPECT_EQ(entries->at(1).name, "b");
  EXPECT_EQ(entries->at(1).shape, (std::vector<std::uint64_t>{2, 2}));
  EXPECT_EQ(entries->at(1).begin, 8U);
  EXPECT_EQ(entries->at(1).end, 16U);
}

TEST(SafetensorsHeader, TakesWhatTheFormatAllows) {
  for (const auto& [json, bytes] : {
           std::pair{R"({})", 0},
           {R"({"__metadata__":{"format":"pt","x":"y"}}   )", 0},
           {R"({"scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4},
           {R"({"empty":{"dtype":"F32","shape":[0,1152921504606846976],"data_offsets":[0,0]},)"
            R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})",
            2},
           {R"({"\u0061\"":{"shape":[1],"data_offsets":[0,1],"dtype":"U8"}})", 1},
       }) {
    const auto entries = parse_safetensors_header(json, static_cast<std::uint64_t>(bytes), "f");
    EXPECT_TRUE(entries.has_value()) << json << entries.error().message();
  }
}

struct Sad {
  const char* what;
  std::string json;
  std::uint64_t data_bytes;
  const char* message;
};

std::string one(const char* fields) {
  return std::string(R"({"t":{)") + fields + "}}";
}

class HeaderRefusal : public ::testing::TestWithParam<Sad> {};

TEST_P(HeaderRefusal, NamesFileAndTensor) {
  const auto entries = parse_safetensors_header(GetParam().json, GetParam().data_bytes, "dir/f.safetensors");
  ASSERT_TRUE(entries.has_error());
  EXPECT_EQ(entries.error().code, CheckpointErrc::bad_header);
  EXPECT_THAT(entries.error().message(), HasSubstr(GetParam().message));
  EXPECT_THAT(entries.error().message(), HasSubstr("dir/f.safetensors: "));
}

INSTANTIATE_TEST_SUITE_P(
    Sad, HeaderRefusal,
    ::testing::Values(
        Sad{"empty", "", 0, "does not begin with '{'"}, Sad{"space_first", " {}", 0, "does not begin with '{'"},
        Sad{"not_json", "{\"t\"", 0, "parse error"}, Sad{"more_after", "{} {}", 0, "parse error"},
        Sad{"not_utf8", "{\"\xFF\":1}", 0, "invalid"},
        Sad{"cut", one(R"("dtype":"F16","shape":[4],"data_offsets":[0,8])"), 6,
            "t: data_offsets [0, 8] reach beyond the 6 bytes"},
        Sad{"trailing", one(R"("dtype":"F16","shape":[4],"data_offsets":[0,8])"), 9,
            "the tensors end at byte 8 of 9 bytes"},
        Sad{"backwards", one(R"("dtype":"F16","shape":[4],"data_offsets":[8,0])"), 8, "t: data_offsets [8, 0] run"},
        Sad{"wrong_size", one(R"("dtype":"F16","shape":[2,3],"data_offsets":[0,8])"), 8,
            "t: F16 [2, 3] does not fit its 8 bytes"},
        Sad{"wrapping", one(R"("dtype":"F16","shape":[4294967296,2147483648,4],"data_offsets":[0,0])"), 0,
            "does not fit its 0 bytes"},
        Sad{"gap_first", one(R"("dtype":"I8","shape":[4],"data_offsets":[4,8])"), 8,
            "t: begins at byte 4 where the header ends at 0: a gap"},
        Sad{"overlap",
            R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[2,6]}})",
            6, "b: begins at byte 2 where a ends at 4: they overlap"},
        Sad{"gap",
            R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[1],"data_offsets":[5,6]}})",
            6, "b: begins at byte 5 where a ends at 4: a gap"},
        Sad{"twice",
            R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
            2, "a: is in the header twice"},
        Sad{"dtype", one(R"("dtype":"Q4","shape":[4],"data_offsets":[0,2])"), 2, "t: dtype \"Q4\" is not known"},
        Sad{"no_shape", one(R"("dtype":"I8","data_offsets":[0,2])"), 2, "t: dtype, shape and data_offsets are needed"},
        Sad{"extra", one(R"("dtype":"I8","shape":[2],"data_offsets":[0,2],"strides":[1])"), 2,
            "t: unknown field \"strides\""},
        Sad{"field_twice", one(R"("dtype":"I8","shape":[2],"shape":[2],"data_offsets":[0,2])"), 2,
            "t: a field is given twice"},
        Sad{"three_offsets", one(R"("dtype":"I8","shape":[2],"data_offsets":[0,2,4])"), 2,
            "t: data_offsets has 3 numbers"},
        Sad{"negative", one(R"("dtype":"I8","shape":[-2],"data_offsets":[0,2])"), 2, "t: -2 is negative"},
        Sad{"fraction", one(R"("dtype":"I8","shape":[2.0],"data_offsets":[0,2])"), 2, "t: 2.0 is not a whole number"},
        Sad{"beyond_64_bits", one(R"("dtype":"I8","shape":[99999999999999999999],"data_offsets":[0,2])"), 2,
            "is not a whole number"},
        Sad{"rank", one(R"("dtype":"I8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1])"), 1,
            "t: a list of more than 8 numbers"},
        Sad{"nested_list", one(R"("dtype":"I8","shape":[[2]],"data_offsets":[0,2])"), 2, "t: a list has no place here"},
        Sad{"object_shape", one(R"("dtype":"I8","shape":{"x":2},"data_offsets":[0,2])"), 2,
            "t: an object has no place"},
        Sad{"number_tensor", R"({"t":5})", 0, "t: a number has no place here"},
        Sad{"null_tensor", R"({"t":null})", 0, "t: null has no place here"},
        Sad{"metadata_number", R"({"__metadata__":{"x":1}})", 0, "__metadata__: a number has no place here"},
        Sad{"metadata_nested", R"({"__metadata__":{"x":{}}})", 0, "__metadata__: an object has no place here"},
        Sad{"metadata_twice", R"({"__metadata__":{},"__metadata__":{}})", 0, "a field is given twice"},
        Sad{"deep", std::string(100000, '{'), 0, "parse error"},
        Sad{"deep_lists", "{\"t\":" + std::string(100000, '['), 0, "t: a list has no place here"}),
    [](const auto& instance) { return std::string(instance.param.what); });

class SafetensorsFileTest : public ::testing::Test {
 protected:
  /// The message for a file of these bytes; empty when it opens.
  std::string open(std::string_view bytes) {
    write_text(dir_ / "m.safetensors", bytes);
    const auto file = SafetensorsFile::open(dir_ / "m.safetensors");
    return file.has_error() ? file.error().message() : "";
  }
  exporters::ScratchDir dir_;
};

TEST_F(SafetensorsFileTest, GivesTheBytesOfATensor) {
  write_text(dir_ / "m.safetensors", file_of(kTwo, "01234567ABCDEFGH"));
  auto opened = SafetensorsFile::open(dir_ / "m.safetensors");
  ASSERT_TRUE(opened.has_value()) << opened.error().message();
  const SafetensorsFile file = std::move(*opened);  // moving keeps views valid
  const auto bytes = file.bytes(file.entries().at(1));
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "ABCDEFGH");
}

TEST_F(SafetensorsFileTest, RefusesFilesThatEndEarlyOrClaimTooMuch) {
  EXPECT_THAT(open(""), HasSubstr("0 bytes are no safetensors file"));
  EXPECT_THAT(open("1234567"), HasSubstr("7 bytes are no safetensors file"));
  EXPECT_THAT(open("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"), HasSubstr("git lfs pull"));
  EXPECT_THAT(open(file_of(1000, kTwo, "")), HasSubstr("a header of 1000 bytes in a file of"));
  EXPECT_THAT(open(file_of(100'000'001, kTwo, "")), HasSubstr("the limit is 100000000"));
  EXPECT_THAT(open(file_of(~std::uint64_t{0}, kTwo, "")), HasSubstr("the limit is 100000000"));
  const std::string whole = file_of(kTwo, "01234567ABCDEFGH");
  EXPECT_EQ(open(whole), "");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(open(std::string_view(whole).substr(0, length)), "") << length;
  }
}

TEST_F(SafetensorsFileTest, RefusesWhatIsNoFile) {
  EXPECT_THAT(SafetensorsFile::open(dir_ / "absent").error().message(), HasSubstr("absent: cannot be opened"));
  EXPECT_THAT(SafetensorsFile::open(dir_ / "").error().message(), HasSubstr("is not a file"));
}

}  // namespace
}  // namespace refserver
