// One pass with nlohmann's event parser, which neither recurses nor keeps what we do not ask it to.
#include "tokenizer/file/json_document.hpp"

#include <fmt/format.h>

#include <utility>

namespace tokenizer {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxValues = 1'000'000;

/// Text cut to a length that fits into an error message; not valid UTF-8 at the cut only.
std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  const bool fits = text.size() <= kShown;
  return Json(fits ? std::string(text) : std::string(text.substr(0, kShown)) + "...")
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Reader : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(JsonDocument& document) : document_(document) {}
  const std::string& error() const { return error_; }

  bool null() override { return scalar(nullptr, "null"); }
  bool boolean(bool value) override { return scalar(value, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(value, std::to_string(value)); }
  bool number_float(number_float_t value, const string_t& text) override { return scalar(value, text); }
  bool binary(binary_t& /*value*/) override { return fail("", "binary values do not occur in JSON"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::vocabulary) return scalar(value, std::to_string(value));
    if (value >= kIdLimit) return bad_id(std::to_string(value));
    document_.vocabulary.push_back({document_.strings.add(key_), static_cast<std::uint32_t>(value)});
    return document_.vocabulary.size() <= kIdLimit || fail("model.vocab", "has too many entries");
  }

  bool string(string_t& value) override {
    switch (place_) {
      case Place::vocabulary:
        return bad_id(shown(value));
      case Place::merges:
        return merge_line(value);
      case Place::merge_pair:
        return merge_part(value);
      case Place::tree:
        break;
    }
    return add(std::move(value)) != nullptr;
  }

  bool key(string_t& name) override {
    key_ = name;
    if (place_ == Place::vocabulary) return true;
    const bool known = open_.back().value->contains(name) ||
                       (is_in_model() &&
                        ((name == "vocab" && document_.has_vocabulary) || (name == "merges" && document_.has_merges)));
    return !known || fail(path_of_next(), "stands twice");
  }

  bool start_object(std::size_t /*elements*/) override {
    if (place_ == Place::tree && is_in_model() && key_ == "vocab") {
      place_ = Place::vocabulary;
      document_.has_vocabulary = true;
      return true;
    }
    return open(Json::object());
  }
  bool start_array(std::size_t /*elements*/) override {
    if (place_ == Place::tree && is_in_model() && key_ == "merges") {
      place_ = Place::merges;
      document_.has_merges = true;
      return true;
    }
    if (place_ == Place::merges) {
      if (!is_one_spelling(Spelling::pairs)) return false;
      place_ = Place::merge_pair;
      parts_ = 0;
      return true;
    }
    return open(Json::array());
  }

  bool end_object() override { return end(); }
  bool end_array() override { return end(); }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const Json::exception& e) override {
    const std::string_view text = e.what();
    const std::size_t end = text.find("] ");  // the library's own tag
    return fail("not JSON", std::string(end == text.npos ? text : text.substr(end + 2)));
  }

 private:
  enum class Place : std::uint8_t { tree, vocabulary, merges, merge_pair };
  enum class Spelling : std::uint8_t { unknown, lines, pairs };
  struct Open {
    Json* value;
    std::string path;
  };

  bool fail(std::string_view where, std::string_view what) {
    if (error_.empty()) error_ = where.empty() ? std::string(what) : fmt::format("{}: {}", where, what);
    return false;
  }
  bool bad_id(std::string_view value) {
    return fail(fmt::format("model.vocab[{}]", shown(key_)),
                fmt::format("{} is not an id (a whole number below {})", value, kIdLimit));
  }
  std::string merge_path() const { return fmt::format("model.merges[{}]", merge_index_); }

  bool is_in_model() const { return open_.size() == 2 && open_.back().path == "model"; }
  std::string path_of_next() const {
    if (open_.empty()) return "";
    const Open& parent = open_.back();
    if (parent.value->is_array()) return fmt::format("{}[{}]", parent.path, parent.value->size());
    return parent.path.empty() ? key_ : parent.path + "." + key_;
  }

  bool scalar(Json value, std::string_view text) {
    if (place_ == Place::tree) return add(std::move(value)) != nullptr;
    if (place_ == Place::vocabulary) return bad_id(text);
    return fail(merge_path(), fmt::format("{} is neither \"left right\" nor [\"left\", \"right\"]", text));
  }
  bool open(Json container) {
    if (place_ == Place::vocabulary) return bad_id("a list or object");
    if (place_ != Place::tree) return fail(merge_path(), "is neither \"left right\" nor [\"left\", \"right\"]");
    if (open_.size() == kMaxDepth) return fail(path_of_next(), fmt::format("nested deeper than {} levels", kMaxDepth));
    std::string path = path_of_next();
    Json* const added = add(std::move(container));
    if (added) open_.push_back({added, std::move(path)});
    return added != nullptr;
  }
  /// Where the value now stands in the tree; null if it is one too many.
  Json* add(Json value) {
    if (++values_ > kMaxValues) {
      fail(path_of_next(), fmt::format("the file has more than {} values", kMaxValues));
      return nullptr;
    }
    if (open_.empty()) return &(document_.rest = std::move(value));
    Json& parent = *open_.back().value;
    if (!parent.is_array()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool end() {
    switch (place_) {
      case Place::vocabulary:
      case Place::merges:
        place_ = Place::tree;
        return true;
      case Place::merge_pair:
        place_ = Place::merges;
        return parts_ == 2 ? keep_merge() : fail(merge_path(), "is not a pair");
      case Place::tree:
        break;
    }
    open_.pop_back();
    return true;
  }

  bool is_one_spelling(Spelling spelling) {
    if (spelling_ == Spelling::unknown) spelling_ = spelling;
    return spelling_ == spelling || fail(merge_path(), "is written differently from the merges before it");
  }
  /// "left right". Lines that start with "#version" come from merges.txt and count for nothing, as in the library.
  bool merge_line(std::string_view line) {
    if (!is_one_spelling(Spelling::lines)) return false;
    if (line.substr(0, 8) == "#version") return true;
    const std::size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos) {
      return fail(merge_path(), fmt::format("{} is not two parts with one space between them", shown(line)));
    }
    merge_.left = document_.strings.add(line.substr(0, space));
    merge_.right = document_.strings.add(line.substr(space + 1));
    return keep_merge();
  }
  bool merge_part(std::string_view part) {
    if (parts_ == 2) return fail(merge_path(), "is not a pair");
    (parts_++ == 0 ? merge_.left : merge_.right) = document_.strings.add(part);
    return true;
  }
  bool keep_merge() {
    document_.merges.push_back(merge_);
    ++merge_index_;
    return merge_index_ <= kMergeLimit || fail("model.merges", "has too many entries");
  }

  JsonDocument& document_;
  std::string error_;
  std::string key_;
  std::vector<Open> open_;
  std::size_t values_ = 0;
  Place place_ = Place::tree;
  Spelling spelling_ = Spelling::unknown;
  Merge merge_;
  int parts_ = 0;
  std::size_t merge_index_ = 0;
};

}  // namespace

Result<JsonDocument> read_json_document(std::string_view json) {
  if (json.size() > kMaxFileBytes) return Error{"larger than 256 MiB"};
  JsonDocument document;
  Reader reader(document);
  if (!Json::sax_parse(json.begin(), json.end(), &reader)) return Error{reader.error()};
  if (!document.rest.is_object()) return Error{"not a JSON object"};
  return document;
}

}  // namespace tokenizer
