#include "tokenizer/tokenizer.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <utility>

#include "tokenizer/file/tokenizer_file.hpp"
#include "tokenizer/pipeline.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {

class Tokenizer::Impl : public Pipeline {
 public:
  explicit Impl(Pipeline pipeline) : Pipeline(std::move(pipeline)) {}
};

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json(std::string_view json) {
  Result<TokenizerFile> file = read_tokenizer_file(json);
  if (!file) return file.error();
  Result<Pipeline> pipeline = Pipeline::make(*file);
  if (!pipeline) return pipeline.error();
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::make_unique<const Impl>(std::move(*pipeline))));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_file(const std::filesystem::path& file_or_folder) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(file_or_folder, ignored);
  const std::filesystem::path path = is_folder ? file_or_folder / "tokenizer.json" : file_or_folder;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("{}: cannot be opened", path.string())};
  std::string json;
  std::error_code no_size;
  const auto size = std::filesystem::file_size(path, no_size);
  if (!no_size && size <= kMaxFileBytes) json.reserve(size);
  std::array<char, 1U << 16U> block;
  while (file.read(block.data(), block.size()), file.gcount() > 0) {
    json.append(block.data(), static_cast<std::size_t>(file.gcount()));
    if (json.size() > kMaxFileBytes) break;  // from_json says so
  }
  if (file.bad()) return Error{fmt::format("{}: cannot be read", path.string())};
  auto tokenizer = from_json(json);
  if (!tokenizer) return Error{fmt::format("{}: {}", path.string(), tokenizer.error().text)};
  return tokenizer;
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  encode(text, options, ids);
  return ids;
}

void Tokenizer::encode(std::string_view text, EncodeOptions options, std::vector<TokenId>& out) const {
  EncodeRun(*impl_, options, out, nullptr).run(text);
}

std::vector<TokenSpan> Tokenizer::encode_spans(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  std::vector<TokenSpan> spans;
  EncodeRun(*impl_, options, ids, &spans).run(text);
  return spans;
}

std::size_t Tokenizer::count(std::string_view text, EncodeOptions options) const {
  return encode(text, options).size();
}

std::string Tokenizer::decode(std::span<const TokenId> ids, SpecialText special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (special == SpecialText::keep || !is_special(id)) bytes.append(token_bytes(id));
  }
  return valid_utf8_size(bytes) == bytes.size() ? bytes : replace_invalid(bytes);
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return impl_->texts.bytes(id);
}

bool Tokenizer::is_special(TokenId id) const {
  return impl_->texts.kind(id) == TokenTable::Kind::special;
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  const auto added = impl_->added_by_content.find(std::string(token));
  return added != impl_->added_by_content.end() ? std::optional(added->second) : impl_->bpe.find(token);
}

std::size_t Tokenizer::size() const {
  return impl_->texts.size();
}

}  // namespace tokenizer
