// A SAX handler with one state per place in
//   {"NAME": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}, ..., "__metadata__": {"key": "text", ...}}
#include "refserver/checkpoint/safetensors_header.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "refserver/checkpoint/json_document.hpp"

namespace refserver {
namespace {

using Json = nlohmann::json;

class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return fail("null has no place here"); }
  bool boolean(bool) override { return fail("true or false has no place here"); }
  bool number_integer(number_integer_t value) override { return fail(fmt::format("{} is negative", value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return fail(fmt::format("{} is not a whole number", printable(text)));
  }
  bool binary(binary_t&) override { return false; }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool key(string_t& name) override;
  bool parse_error(std::size_t, const std::string&, const Json::exception& e) override {
    return fail(plain_reason(e.what()));
  }

  std::vector<TensorEntry> take() { return std::move(entries_); }
  /// The tensor being read when it failed, if any, and what was wrong.
  std::string where() const { return place_ == Place::top || place_ == Place::start ? "" : tensor_.name; }
  const std::string& reason() const { return reason_; }

 private:
  enum class Place : std::uint8_t { start, top, name, metadata, tensor, dtype, shape, offsets, done };
  enum class List : std::uint8_t { none, open };

  bool finish_tensor();
  bool first_time(bool& seen) {
    if (seen) return fail("a field is given twice");
    return seen = true;
  }
  bool fail(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }

  Place place_ = Place::start;
  List list_ = List::none;
  TensorEntry tensor_;
  std::vector<std::uint64_t> offsets_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false, has_metadata_ = false;
  std::vector<TensorEntry> entries_;
  std::string reason_;
};

bool HeaderReader::key(string_t& name) {
  switch (place_) {
    case Place::top:
      tensor_ = TensorEntry{};
      tensor_.name = std::move(name);
      offsets_.clear();
      has_dtype_ = has_shape_ = has_offsets_ = false;
      place_ = Place::name;
      if (tensor_.name == "__metadata__") return first_time(has_metadata_);
      return true;
    case Place::tensor:
      if (name == "dtype") {
        place_ = Place::dtype;
        return first_time(has_dtype_);
      }
      if (name == "shape") {
        place_ = Place::shape;
        return first_time(has_shape_);
      }
      if (name == "data_offsets") {
        place_ = Place::offsets;
        return first_time(has_offsets_);
      }
      return fail(fmt::format("unknown field \"{}\"", printable(name)));
    default:
      return true;  // metadata: any names
  }
}

bool HeaderReader::start_object(std::size_t) {
  if (place_ == Place::start) {
    place_ = Place::top;
    return true;
  }
  if (place_ != Place::name) return fail("an object has no place here");
  place_ = tensor_.name == "__metadata__" ? Place::metadata : Place::tensor;
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::tensor) return finish_tensor();
  place_ = place_ == Place::metadata ? Place::top : Place::done;
  return true;
}

bool HeaderReader::finish_tensor() {
  if (!has_dtype_ || !has_shape_ || !has_offsets_) return fail("dtype, shape and data_offsets are needed");
  if (offsets_.size() != 2) return fail(fmt::format("data_offsets has {} numbers, not 2", offsets_.size()));
  tensor_.begin = offsets_[0];
  tensor_.end = offsets_[1];
  entries_.push_back(std::move(tensor_));
  place_ = Place::top;
  return true;
}

bool HeaderReader::string(string_t& value) {
  if (place_ == Place::metadata) return true;
  if (place_ != Place::dtype) return fail("a text has no place here");
  const auto dtype = parse_dtype(value);
  if (!dtype) return fail(fmt::format("dtype \"{}\" is not known", printable(value)));
  tensor_.dtype = *dtype;
  place_ = Place::tensor;
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if ((place_ != Place::shape && place_ != Place::offsets) || list_ == List::open) {
    return fail("a list has no place here");
  }
  list_ = List::open;
  return true;
}

bool HeaderReader::end_array() {
  list_ = List::none;
  place_ = Place::tensor;
  return true;
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (list_ != List::open) return fail("a number has no place here");
  auto& list = place_ == Place::shape ? tensor_.shape : offsets_;
  if (list.size() >= kMaxTensorRank) return fail(fmt::format("a list of more than {} numbers", kMaxTensorRank));
  list.push_back(value);
  return true;
}

}  // namespace

CheckpointResult<std::vector<TensorEntry>> read_header_entries(std::string_view json, const std::string& file) {
  if (!json.starts_with('{')) {
    return CheckpointError{CheckpointErrc::bad_header, file, "", "the header does not begin with '{'"};
  }
  HeaderReader reader;
  if (Json::sax_parse(json, &reader)) return reader.take();
  return CheckpointError{CheckpointErrc::bad_header, file, reader.where(), reader.reason()};
}

}  // namespace refserver
