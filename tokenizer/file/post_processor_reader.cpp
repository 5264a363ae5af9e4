// Reads what is put around a text's tokens; only the template for a single text matters here.
#include "tokenizer/file/component_readers.hpp"

namespace tokenizer {
namespace {

/// The ids that a piece such as {"SpecialToken": {"id": "<s>", "type_id": 0}} stands for.
std::vector<std::uint32_t> ids_of_piece(const JsonNode& piece, const JsonNode& special_tokens) {
  const JsonNode name = piece.member("SpecialToken").member("id");
  const JsonNode token = special_tokens.member(name.string());
  if (token.is_null()) {
    name.refuse_value("does not stand in special_tokens");
    return {};
  }
  std::vector<std::uint32_t> ids;
  for (const JsonNode& id : token.member("ids").elements()) ids.push_back(id.id());
  return ids;
}

PostStep read_template(const JsonNode& node) {
  node.expect_only({"type", "single", "pair", "special_tokens"});
  PostStep step;
  int texts = 0;
  for (const JsonNode& piece : node.member("single").elements()) {
    piece.expect_only({"Sequence", "SpecialToken"});
    const JsonNode sequence = piece.member("Sequence");
    if (sequence.is_null()) {
      std::vector<std::uint32_t>& side = texts == 0 ? step.before : step.after;
      const std::vector<std::uint32_t> ids = ids_of_piece(piece, node.member("special_tokens"));
      side.insert(side.end(), ids.begin(), ids.end());
    } else if (sequence.member("id").string() != "A") {
      sequence.member("id").refuse_value("is not the text of a template for single texts (A)");
    } else {
      ++texts;
    }
  }
  if (texts != 1) node.member("single").refuse("must have the text (A) once");
  return step;
}

void read_step(const JsonNode& node, std::vector<PostStep>& steps) {
  const std::string type = node.type();
  if (type == "Sequence") {
    node.expect_only({"type", "processors"});
    for (const JsonNode& step : node.member("processors").elements()) read_step(step, steps);
  } else if (type == "ByteLevel") {
    node.expect_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    PostStep step{PostStep::Kind::trim_offsets, node.member("add_prefix_space").boolean(), {}, {}};
    node.member("use_regex").boolean_or(true);
    if (node.member("trim_offsets").boolean()) steps.push_back(std::move(step));
  } else if (type == "TemplateProcessing") {
    steps.push_back(read_template(node));
  } else {
    node.member("type").refuse_value("is not supported (only ByteLevel, TemplateProcessing and Sequence are)");
  }
}

}  // namespace

std::vector<PostStep> read_post_processor(const JsonNode& node) {
  std::vector<PostStep> steps;
  if (!node.is_null()) read_step(node, steps);
  return steps;
}

}  // namespace tokenizer
