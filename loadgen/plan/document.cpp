// Text to document: checks the bytes, then builds JSON from yaml-cpp's events, which never resolve an alias.
#include "loadgen/plan/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

/// Stops reading; caught in read_document. yaml-cpp offers no other way out of its event loop.
struct Refusal {
  int line;
  std::string pointer;
  std::string message;
};

/// Builds the tree from events. Knows limits, not fields.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Document& document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { put(mark, nullptr); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "aliases (*name) are not supported; write the value out");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    refuse(mark, "anchors (&name) are not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    if (expects_key()) return set_key(mark, value);
    if (tag == "?") return put(mark, plain_value(value));
    refuse_tag(mark, tag);
    put(mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, Json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, tag, Json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Json value;
    std::string pointer;
    std::string key;  ///< of a mapping: the key whose value comes next
    bool has_key = false;
    int key_line = 0;
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message) const {
    throw Refusal{mark.line + 1, frames_.empty() ? "" : frames_.back().pointer, std::move(message)};
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag != "!" && tag != "?" && !tag.empty())
      refuse(mark, fmt::format("tags such as {} are not supported; remove it", tag.substr(0, 40)));
  }
  bool expects_key() const { return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().has_key; }

  void set_key(const YAML::Mark& mark, const std::string& key) {
    Frame& frame = frames_.back();
    if (frame.value.contains(key)) {
      const int first = document_.origins[step(frame.pointer, key)].line;
      refuse(mark, fmt::format("'{}' is given twice, first in line {}; keep one", key.substr(0, 60), first));
    }
    if (frame.value.size() >= max_document_keys)
      refuse(mark, fmt::format("more than {} keys in one mapping", max_document_keys));
    frame.key = key;
    frame.has_key = true;
    frame.key_line = mark.line + 1;
  }

  /// Where the value that comes now will stand; notes its line. A value's line is that of its key.
  std::string claim(const YAML::Mark& mark) {
    if (++values_ > max_document_values)
      refuse(mark, fmt::format("more than {} values in one file", max_document_values));
    std::string pointer;
    int line = mark.line + 1;
    if (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.value.is_array()) {
        pointer = step(frame.pointer, frame.value.size());
      } else {
        if (!frame.has_key) refuse(mark, "a key must be text");
        pointer = step(frame.pointer, frame.key);
        line = frame.key_line;
      }
    }
    document_.origins[pointer] = {line, {}};
    return pointer;
  }
  void put(const YAML::Mark& mark, Json value) {
    claim(mark);
    attach(std::move(value));
  }
  void attach(Json value) {
    if (frames_.empty()) {
      document_.root = std::move(value);
    } else if (Frame& frame = frames_.back(); frame.value.is_array()) {
      frame.value.push_back(std::move(value));
    } else {
      frame.value[frame.key] = std::move(value);
      frame.has_key = false;
    }
  }
  void open(const YAML::Mark& mark, const std::string& tag, Json empty) {
    refuse_tag(mark, tag);
    if (frames_.size() >= max_document_depth)
      refuse(mark, fmt::format("nested deeper than {} levels", max_document_depth));
    std::string pointer = claim(mark);
    frames_.push_back({std::move(empty), std::move(pointer), {}, false, 0});
  }
  void close() {
    Json value = std::move(frames_.back().value);
    frames_.pop_back();
    attach(std::move(value));
  }

  Document& document_;
  std::vector<Frame> frames_;
  std::size_t values_ = 0;
};

/// The 1-based line of a byte.
int line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

/// What is wrong with the bytes before any syntax, or nothing.
std::optional<Refusal> byte_refusal(std::string_view text) {
  if (text.size() > max_document_bytes) {
    return Refusal{0, "",
                   fmt::format("larger than {} MiB; move long prompts to a prompts_file", max_document_bytes >> 20)};
  }
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
  });
  if (control != text.end()) {
    return Refusal{line_at(text, static_cast<std::size_t>(control - text.begin())), "",
                   fmt::format("holds the control character 0x{:02x}; a scenario is UTF-8 text",
                               static_cast<unsigned>(static_cast<unsigned char>(*control)))};
  }
  if (is_utf8(text)) return std::nullopt;
  std::size_t good = 0;  // the lines before the bad one are fine: find it by halving
  std::size_t bad = text.size();
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    // A cut inside a sequence of up to four bytes is no fault of the text, so four more bytes may mend it.
    bool fine = false;
    for (std::size_t extra = 0; extra < 4 && !fine; ++extra) fine = is_utf8(text.substr(0, middle + extra));
    (fine ? good : bad) = middle;
  }
  return Refusal{line_at(text, good), "", "is not UTF-8; save the file as UTF-8"};
}

/// JSON writes characters beyond the basic plane as two \u escapes, which yaml-cpp does not know. Joins them in place.
std::string join_surrogates(std::string_view text) {
  const auto unit_at = [text](std::size_t at) -> unsigned {
    unsigned value = 0;
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
    const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, value, 16);
    return error == std::errc() && end == text.data() + at + 6 ? value : 0;
  };
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      out += text[at++];
      continue;
    }
    const unsigned high = unit_at(at), low = unit_at(at + 6);
    if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
      out += fmt::format("\\U{:08x}", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
      at += 12;
    } else {
      out += text.substr(at, 2);  // an escaped backslash must not start the next escape
      at += 2;
    }
  }
  return out;
}

void parse_into(Document& document, std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string_view::npos && text[first] == '{';
  std::istringstream stream(is_json ? join_surrogates(text) : std::string(text));
  YAML::Parser parser(stream);
  Builder builder(document);
  if (!parser.HandleNextDocument(builder)) throw Refusal{0, "", "is empty; a scenario is a mapping of fields"};
  Document ignored;
  Builder second(ignored);
  if (parser.HandleNextDocument(second))
    throw Refusal{0, "", "holds more than one document; keep what is before the second ---"};
}

}  // namespace

ScenarioError Document::error_at(const std::string& pointer, std::string message) const {
  for (std::string at = pointer;; at.resize(at.rfind('/'))) {
    const auto found = origins.find(at);
    if (found != origins.end() && !found->second.flag.empty()) return {found->second.flag, 0, "", std::move(message)};
    if (found != origins.end()) return {source, found->second.line, field_name(pointer), std::move(message)};
    if (at.empty()) return {source, 0, field_name(pointer), std::move(message)};
  }
}

Result<Document, ScenarioErrors> read_document(std::string_view text, const std::string& source) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  Document document;
  document.source = source;
  try {
    if (const auto refusal = byte_refusal(text)) throw *refusal;
    parse_into(document, text);
    if (document.root.is_object()) return document;
    throw Refusal{1, "", "must be a mapping of fields such as 'name: smoke'"};
  } catch (const Refusal& refusal) {
    ScenarioErrors errors = {{source, refusal.line, field_name(refusal.pointer), refusal.message}};
    return {boost::system::in_place_error, std::move(errors)};
  } catch (const YAML::Exception& error) {
    ScenarioErrors errors = {{source, error.mark.line + 1, "", fmt::format("is neither YAML nor JSON: {}", error.msg)}};
    return {boost::system::in_place_error, std::move(errors)};
  }
}

Json plain_value(std::string_view word) {
  if (word.empty() || word == "~" || word == "null" || word == "Null" || word == "NULL") return nullptr;
  if (word == "true" || word == "True" || word == "TRUE") return true;
  if (word == "false" || word == "False" || word == "FALSE") return false;
  // Only what JSON takes for a number is one: no 010, 0x10, 1_000, +1, .5, .nan, .inf.
  const std::string_view digits = word.substr(word[0] == '-' ? 1 : 0);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
  if (digits.empty() || digits[0] < '0' || digits[0] > '9' || digits.back() == '.' || leading_zero)
    return std::string(word);
  const char* const end = word.data() + word.size();
  std::int64_t integer = 0;
  if (const auto read = std::from_chars(word.data(), end, integer); read.ec == std::errc() && read.ptr == end)
    return integer;
  double number = 0;
  if (const auto read = std::from_chars(word.data(), end, number); read.ec == std::errc() && read.ptr == end)
    return number;
  return std::string(word);
}

std::string field_name(std::string_view pointer) {
  std::string name;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    const bool index =
        !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (index) {
      name += fmt::format("[{}]", part);
    } else {
      name += fmt::format("{}{}", name.empty() ? "" : ".", part.substr(0, 60));
    }
  }
  return name;
}

std::string step(const std::string& pointer, std::string_view key) {
  std::string next = pointer + "/";
  for (char c : key) next += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return next;
}

std::string step(const std::string& pointer, std::size_t index) {
  return fmt::format("{}/{}", pointer, index);
}

}  // namespace loadgen
