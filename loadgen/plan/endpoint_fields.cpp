// Fields of an endpoint template, each judged where it is written, so that no request is the first to find a mistake.
#include "loadgen/plan/endpoint_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "loadgen/plan/header_fields.hpp"
#include "loadgen/plan/shipped_endpoints.hpp"
#include "loadgen/plan/text.hpp"
#include "loadgen/plan/text_file.hpp"

namespace loadgen {
namespace {

constexpr TextRange line_text{1000, TextRange::Kind::line};

struct Shipped {
  std::string_view name;
  const std::string_view& text;
};
const std::array<Shipped, 7> shipped_table = {{{"llama-cpp-completion", shipped::llama_cpp_completion},
                                               {"ollama-chat", shipped::ollama_chat},
                                               {"ollama-generate", shipped::ollama_generate},
                                               {"prompt-max-tokens", shipped::prompt_max_tokens},
                                               {"sglang-generate", shipped::sglang_generate},
                                               {"triton-generate", shipped::triton_generate},
                                               {"triton-generate-stream", shipped::triton_generate_stream}}};

bool is_path_char(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("/-._~!$&'()*+,;=:@%?").find(c) != std::string_view::npos;
}

std::size_t count_of(std::string_view text, std::string_view what) noexcept {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

/// Looks through every text of a body.
struct BodyCheck {
  std::size_t prompts = 0;
  std::string prompt_text;  ///< the text that holds it
  bool can_choose = false;  ///< {stream}
  std::string fault;

  void look(const Json& value) {
    if (value.is_string()) return look_at_text(value.get_ref<const std::string&>());
    if (!value.is_structured()) return;
    for (const auto& item : value) look(item);
  }
  void look_at_text(const std::string& text) {
    const std::size_t found = count_of(text, "{prompt}");
    if (found > 0) prompt_text = text;
    prompts += found;
    if (text == "{stream}") can_choose = true;
    if (text.size() < 3 || text.front() != '{' || text.back() != '}') return;
    const std::string_view word = std::string_view(text).substr(1, text.size() - 2);
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    const auto& known = placeholder_names();
    if (!std::all_of(word.begin(), word.end(), is_word) || std::find(known.begin(), known.end(), word) != known.end())
      return;
    fault = fmt::format("has the unknown placeholder {}; there are {{{}}}", text, fmt::join(known, "}, {"));
  }
};

class EndpointReader {
 public:
  EndpointReader(const Document& document, const std::string& pointer, ScenarioErrors& errors)
      : document_(document),
        errors_(errors),
        reader_(document, pointer, errors, {"method", "path", "headers", "body", "answer"}) {}

  EndpointTemplate read(std::string name) {
    endpoint_.name = std::move(name);
    if (!reader_.is_mapping()) return endpoint_;
    if (const auto method = reader_.word("method", {"POST", "PUT"})) endpoint_.method = *method == 0 ? "POST" : "PUT";
    read_path();
    endpoint_.headers = read_headers(reader_, {});
    read_body();
    read_answer();
    return endpoint_;
  }

 private:
  void read_path() {
    if (!reader_.has("path")) return reader_.fail("path", "is missing, as in /generate");
    endpoint_.path = reader_.text("path", line_text).value_or("/");
    std::string plain = endpoint_.path;
    for (std::size_t at = plain.find("{model}"); at != std::string::npos; at = plain.find("{model}"))
      plain.erase(at, 7);
    if (plain.empty() || plain[0] != '/' || !std::all_of(plain.begin(), plain.end(), is_path_char))
      reader_.fail("path", "must begin with '/' and hold what a URL can hold; {model} stands for the entry's model");
  }

  void read_body() {
    const Json* const body = reader_.find("body");
    if (body == nullptr || !body->is_object()) {
      return reader_.fail("body", "must be a mapping: the JSON that is sent, with \"{prompt}\" where the prompt goes");
    }
    BodyCheck check;
    check.look(*body);
    if (!check.fault.empty()) reader_.fail("body", check.fault);
    if (check.prompts != 1)
      reader_.fail("body", fmt::format("must hold {{prompt}} once, in quotes; it does {} times", check.prompts));
    endpoint_.can_choose = check.can_choose;
    endpoint_.prompt_text = check.prompt_text;
    endpoint_.body = body->dump();
  }

  void read_answer() {
    if (!reader_.has("answer")) return reader_.fail("answer", "is missing: where the text is, as in {text: /text}");
    if (reader_.find("answer") == nullptr) return;
    const ObjectReader answer(document_, reader_.pointer("answer"), errors_,
                              {"stream", "text", "reasoning", "text_grows", "one_token_each", "finish_reason", "error",
                               "error_type", "input_tokens", "output_tokens", "model", "end"});
    if (!answer.is_mapping()) return;
    if (const auto stream = answer.word("stream", {"sse", "ndjson"}))
      endpoint_.framing = *stream == 0 ? Framing::sse : Framing::ndjson;
    if (!answer.has("text")) answer.fail("text", "is missing: the place of the text, as in /choices/0/text");
    constexpr std::array<std::pair<const char*, Field>, 8> places = {{{"text", Field::text},
                                                                      {"reasoning", Field::reasoning},
                                                                      {"finish_reason", Field::finish_reason},
                                                                      {"error", Field::error},
                                                                      {"error_type", Field::error_type},
                                                                      {"input_tokens", Field::input_tokens},
                                                                      {"output_tokens", Field::output_tokens},
                                                                      {"model", Field::model}}};
    for (const auto& [key, field] : places) add_place(answer, key, field);
    endpoint_.text_grows = answer.boolean("text_grows").value_or(false);
    endpoint_.one_token_each = answer.boolean("one_token_each").value_or(false);
    if (endpoint_.text_grows && endpoint_.one_token_each)
      answer.fail("one_token_each", "excludes 'text_grows': text that grows may grow by several tokens");
    if (answer.has("end")) read_end(answer);
  }

  void add_place(const ObjectReader& object, const char* key, Field field) {
    const auto pointer = object.text(key, line_text);
    if (!pointer) return;
    const std::string fault = endpoint_.paths.add(*pointer, field);
    if (!fault.empty()) object.fail(key, fault);
  }

  void read_end(const ObjectReader& answer) {
    if (endpoint_.framing == Framing::none) return answer.fail("end", "belongs to a stream; give 'stream' as well");
    if (answer.find("end") == nullptr) return;
    const ObjectReader end(document_, answer.pointer("end"), errors_, {"data", "at", "is"});
    if (!end.is_mapping()) return;
    if (end.has("data") == end.has("at"))
      return end.fail("", "needs either 'data' (an event that is exactly this) or 'at' (a place in an event)");
    if (end.has("data")) {
      if (end.has("is")) end.fail("is", "belongs to 'at'");
      endpoint_.end_data = end.text("data", line_text).value_or("");
      return;
    }
    add_place(end, "at", Field::end);
    const Json* const value = end.has("is") ? end.find("is") : nullptr;
    if (value == nullptr) return;
    if (value->is_structured()) return end.fail("is", "must be a text, a number, true or false");
    endpoint_.end_value = value->dump();
  }

  const Document& document_;
  ScenarioErrors& errors_;
  ObjectReader reader_;
  EndpointTemplate endpoint_;
};

bool is_file_name(std::string_view text) noexcept {
  return text.find('/') != std::string_view::npos || text.find(".yaml") != std::string_view::npos ||
         text.find(".json") != std::string_view::npos;
}

/// The template that a text holds; the first error is one of `object`.
std::shared_ptr<const EndpointTemplate> read_text(const ObjectReader& object, std::string_view text,
                                                  const std::string& name) {
  const auto document = read_document(text, name);
  ScenarioErrors errors = document ? ScenarioErrors{} : document.error();
  EndpointTemplate endpoint;
  if (document) endpoint = EndpointReader(*document, "", errors).read(name);
  for (const ScenarioError& error : errors) {
    object.fail("endpoint",
                fmt::format("'{}'{}{}{} {}", name, error.line > 0 ? fmt::format(" line {}", error.line) : "",
                            error.field.empty() ? "" : ": ", error.field, error.message));
  }
  if (!errors.empty()) return nullptr;
  return std::make_shared<const EndpointTemplate>(std::move(endpoint));
}

std::shared_ptr<const EndpointTemplate> read_named(const ObjectReader& object, const std::string& name,
                                                   const std::filesystem::path& folder) {
  if (is_file_name(name)) {
    const std::filesystem::path path = (folder.empty() ? std::filesystem::path(".") : folder) / name;
    const TextFile file = read_text_file(path, 256 * 1024);
    if (file.error.empty()) return read_text(object, file.text, name);
    object.fail("endpoint", fmt::format("'{}' {}", name, file.error));
    return nullptr;
  }
  for (const Shipped& shipped : shipped_table) {
    if (shipped.name == name) return read_text(object, shipped.text, name);
  }
  object.fail("endpoint", fmt::format("'{}' is neither a file (NAME.yaml) nor one of {}{}", name.substr(0, 60),
                                      fmt::join(shipped_endpoints(), ", "), did_you_mean(name, shipped_endpoints())));
  return nullptr;
}

}  // namespace

const std::vector<std::string>& placeholder_names() {
  static const std::vector<std::string> names = {"prompt",     "model", "max_tokens",  "min_tokens",
                                                 "ignore_eos", "seed",  "temperature", "top_p",
                                                 "top_k",      "stop",  "stream",      "scenario"};
  return names;
}

const std::vector<std::string_view>& shipped_endpoints() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Shipped& shipped : shipped_table) all.push_back(shipped.name);
    return all;
  }();
  return names;
}

std::shared_ptr<const EndpointTemplate> read_endpoint(const Document& document, const ObjectReader& object,
                                                      const std::filesystem::path& folder, ScenarioErrors& errors) {
  const Json* const value = object.find("endpoint");
  if (value == nullptr) return nullptr;
  if (value->is_object()) {
    const std::size_t before = errors.size();
    EndpointTemplate endpoint = EndpointReader(document, object.pointer("endpoint"), errors).read("in place");
    if (errors.size() > before) return nullptr;
    return std::make_shared<const EndpointTemplate>(std::move(endpoint));
  }
  const auto name = object.text("endpoint", line_text);
  return name ? read_named(object, *name, folder) : nullptr;
}

}  // namespace loadgen
