// What the program does with one line of input. Knows no files and no flags' spelling.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "refserver/chat/chat_template.hpp"
#include "refserver/result.hpp"
#include "refserver/tokenize/line_reader.hpp"
#include "tokenizer/tokenizer.hpp"

namespace refserver::tokenize {

enum class Task : std::uint8_t {
  encode,      ///< a text -> the list of its ids
  spans,       ///< a text -> a list of [id, first byte, byte after the last]
  count,       ///< a text -> how many ids it has
  decode,      ///< a list of ids -> their text
  chat,        ///< messages -> the prompt
  chat_count,  ///< messages -> how many ids the prompt has
};

enum class InputForm : std::uint8_t {
  json,  ///< a line is a JSON string, or an object with a "prompt" or "inputs" that is one
  text,  ///< a line is the text
};

struct Conversion {
  Task task = Task::encode;
  InputForm form = InputForm::json;
  tokenizer::EncodeOptions encode{};
  tokenizer::SpecialText decode = tokenizer::SpecialText::skip;
};

/// The converter of one kind of line; the parts that its task does not need may be null.
class Converter {
 public:
  Converter(Conversion conversion, std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
            std::shared_ptr<const ChatTemplate> chat_template);

  /// The line to print, without its end. The error says what is wrong with this line.
  Result<std::string, Problem> convert(std::string_view line) const;

 private:
  Result<std::string, Problem> convert_text(std::string_view text) const;
  Result<std::string, Problem> convert_ids(std::string_view line) const;
  Result<std::string, Problem> convert_messages(std::string_view line) const;

  Conversion conversion_;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::shared_ptr<const ChatTemplate> chat_template_;
};

}  // namespace refserver::tokenize
