// Patterns are recognised by their exact text. A general regex engine is not called in for others: none here agrees
// with the library's in all of white space, Unicode version and limits, and a near miss would shift tokens silently.
#include <array>
#include <optional>
#include <utility>

#include "tokenizer/file/component_readers.hpp"

namespace tokenizer {
namespace {

constexpr std::array<std::pair<std::string_view, SplitPattern>, 3> kPatterns{{
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::qwen2},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", SplitPattern::gpt2},
}};

class PreTokenizerReader {
 public:
  PreTokenizerSettings read(const JsonNode& node) {
    if (node.is_null()) {
      node.refuse("null is not supported: the last step must be ByteLevel");
    } else {
      read_step(node);
      if (!has_byte_level_) node.refuse("has no ByteLevel step: only byte-level tokenizers are supported");
    }
    return std::move(settings_);
  }

 private:
  void read_step(const JsonNode& node) {
    const std::string type = node.type();
    if (type == "Sequence") {
      node.expect_only({"type", "pretokenizers"});
      for (const JsonNode& step : node.member("pretokenizers").elements()) read_step(step);
    } else if (has_byte_level_) {
      node.member("type").refuse_value("comes after ByteLevel, which must be the last step");
    } else if (type == "ByteLevel") {
      read_byte_level(node);
    } else if (type == "Split") {
      read_split(node);
    } else {
      node.member("type").refuse_value("is not supported (only Sequence, Split and ByteLevel are)");
    }
  }

  void read_byte_level(const JsonNode& node) {
    node.expect_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    settings_.add_prefix_space = node.member("add_prefix_space").boolean();
    node.member("trim_offsets").boolean_or(true);
    settings_.split_as_gpt2 = node.member("use_regex").boolean_or(true);
    has_byte_level_ = true;
  }

  void read_split(const JsonNode& node) {
    node.expect_only({"type", "pattern", "behavior", "invert"});
    const JsonNode pattern = node.member("pattern");
    pattern.expect_only({"Regex", "String"});
    if (!pattern.member("String").is_null())
      return pattern.member("String").refuse_value("is not supported as a pattern");
    const JsonNode regex = pattern.member("Regex");
    const std::string text = regex.string();
    for (const auto& [known, name] : kPatterns) {
      if (text == known) settings_.splits.push_back(name);
    }
    if (settings_.splits.size() != ++splits_) {
      regex.refuse_value("is not a known pattern (known: those of Llama 3, Qwen2 and GPT-2, to the letter)");
    }
    // The known patterns leave nothing between their matches, so removing what does not match removes nothing.
    const bool inverted = node.member("invert").boolean();
    const std::string behavior = node.member("behavior").string();
    if (behavior != "Isolated" && !(behavior == "Removed" && inverted)) {
      node.member("behavior").refuse_value("is not supported (Isolated is, and Removed with invert)");
    }
  }

  PreTokenizerSettings settings_;
  std::size_t splits_ = 0;
  bool has_byte_level_ = false;
};

}  // namespace

PreTokenizerSettings read_pre_tokenizer(const JsonNode& node) {
  return PreTokenizerReader().read(node);
}

}  // namespace tokenizer
