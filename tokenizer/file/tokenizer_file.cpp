// Goes through the members and says of each whether we can do what it asks for.
#include "tokenizer/file/tokenizer_file.hpp"

#include <fmt/format.h>

#include <utility>

#include "tokenizer/file/component_readers.hpp"
#include "tokenizer/file/json_document.hpp"
#include "tokenizer/file/json_node.hpp"

namespace tokenizer {
namespace {

constexpr std::size_t kMaxAddedTokens = 65536;
constexpr std::size_t kMaxContentBytes = 1024;
constexpr std::size_t kMaxContentBytesTogether = std::size_t{4} << 20U;

bool reads_nfc(const JsonNode& node) {
  if (node.is_null()) return false;
  const std::string type = node.type();
  if (type == "NFC") {
    node.expect_only({"type"});
    return true;
  }
  if (type != "Sequence") {
    node.member("type").refuse_value("is not supported (only NFC and a Sequence of it are)");
    return false;
  }
  node.expect_only({"type", "normalizers"});
  bool nfc = false;
  for (const JsonNode& part : node.member("normalizers").elements()) nfc = reads_nfc(part) || nfc;
  return nfc;
}

/// How many ByteLevel decoders there are; complains about others.
int count_byte_level_decoders(const JsonNode& node) {
  const std::string type = node.type();
  if (type == "ByteLevel") {
    node.expect_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    return 1;
  }
  if (type != "Sequence") {
    node.member("type").refuse_value("is not supported (only ByteLevel, alone or in a Sequence, is)");
    return 0;
  }
  node.expect_only({"type", "decoders"});
  int count = 0;
  for (const JsonNode& part : node.member("decoders").elements()) count += count_byte_level_decoders(part);
  return count;
}

void check_decoder(const JsonNode& node) {
  if (node.is_null()) return node.refuse("null is not supported: it must be ByteLevel");
  if (count_byte_level_decoders(node) != 1) node.refuse("must decode by ByteLevel once");
}

std::vector<AddedToken> read_added_tokens(const JsonNode& node) {
  std::vector<AddedToken> tokens;
  if (node.is_null()) return tokens;
  const std::vector<JsonNode> elements = node.elements();
  if (elements.size() > kMaxAddedTokens) node.refuse(fmt::format("has more than {} tokens", kMaxAddedTokens));
  std::size_t bytes = 0;
  for (const JsonNode& element : elements) {
    element.expect_only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.id = element.member("id").id();
    token.content = element.member("content").string();
    token.single_word = element.member("single_word").boolean();
    token.lstrip = element.member("lstrip").boolean();
    token.rstrip = element.member("rstrip").boolean();
    token.normalized = element.member("normalized").boolean();
    token.special = element.member("special").boolean();
    if (token.content.empty()) element.member("content").refuse_value("can never be found");
    if (token.content.size() > kMaxContentBytes) {
      element.member("content").refuse_value(fmt::format("is longer than {} bytes", kMaxContentBytes));
    }
    bytes += token.content.size();
    tokens.push_back(std::move(token));
  }
  if (bytes > kMaxContentBytesTogether) node.refuse("the contents are longer than 4 MiB together");
  return tokens;
}

void expect_empty(const JsonNode& node) {
  if (node.filled_string()) node.refuse_value("is not supported (null and \"\" are)");
}

ModelSettings read_model(const JsonNode& node, JsonDocument& document) {
  node.expect_only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                    "byte_fallback", "ignore_merges", "vocab", "merges"});
  const JsonNode type = node.member("type");  // older files of GPT-2 have none
  if (!type.is_null() && type.string() != "BPE") type.refuse_value("is not supported (only BPE is)");
  expect_empty(node.member("continuing_subword_prefix"));
  expect_empty(node.member("end_of_word_suffix"));
  const JsonNode dropout = node.member("dropout");
  if (!dropout.is_null() && !dropout.is_zero())
    dropout.refuse_value("is not supported: tokens would be drawn by chance");
  if (node.member("byte_fallback").boolean_or(false)) node.member("byte_fallback").refuse_value("is not supported");
  if (!document.has_vocabulary) node.member("vocab").refuse_value("is not an object of ids");
  if (!document.has_merges) node.member("merges").refuse_value("is not a list of merges");
  ModelSettings model;
  model.ignore_merges = node.member("ignore_merges").boolean_or(false);
  model.fuse_unk = node.member("fuse_unk").boolean_or(false);
  model.unk_token = node.member("unk_token").filled_string();
  model.vocabulary = std::move(document.vocabulary);
  model.merges = std::move(document.merges);
  return model;
}

}  // namespace

Result<TokenizerFile> read_tokenizer_file(std::string_view json) {
  Result<JsonDocument> document = read_json_document(json);
  if (!document) return document.error();
  std::optional<Error> error;
  const JsonNode root(&document->rest, "", error);
  TokenizerFile file;
  const JsonNode version = root.member("version");
  if (!version.is_null() && version.string() != "1.0") version.refuse_value("is not a known version (1.0 is)");
  file.added_tokens = read_added_tokens(root.member("added_tokens"));
  file.normalize_nfc = reads_nfc(root.member("normalizer"));
  file.pre_tokenizer = read_pre_tokenizer(root.member("pre_tokenizer"));
  file.model = read_model(root.member("model"), *document);
  file.post_steps = read_post_processor(root.member("post_processor"));
  check_decoder(root.member("decoder"));
  if (error) return *error;
  file.strings = std::move(document->strings);
  return file;
}

}  // namespace tokenizer
