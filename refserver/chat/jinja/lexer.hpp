// A template's text cut into tokens, with the white space control that chat templates are rendered with: trim_blocks
// and lstrip_blocks on, one newline dropped at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace refserver::jinja {

enum class TokenKind : std::uint8_t {
  data,            ///< text outside of all tags
  variable_begin,  ///< {{
  variable_end,
  block_begin,  ///< {%
  block_end,
  name,
  string,
  integer,
  real,
  symbol,  ///< an operator or a bracket
  end,     ///< of the template
};

struct Token {
  TokenKind kind = TokenKind::end;
  int line = 1;
  std::string text;  ///< a string's value, a name, a symbol; digits of a number without "_"
};

/// The tokens of a template, the last of kind `end`. Throws Failure with the line.
std::vector<Token> tokenize(std::string_view source);

/// How a token is called in messages: 'name', or "end of print statement".
std::string describe(const Token& token);

}  // namespace refserver::jinja
