// The states of Jinja's lexer: text, {{ }}, {% %}, {# #} and raw blocks.
#include "refserver/chat/jinja/lexer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/string_literal.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_hex(char c) {
  return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/// \r\n and \r become \n, and one newline at the end goes.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

/// End of the digits from `at` on; each but the first may have one "_" before it.
template <class Predicate>
std::size_t digits_end(std::string_view text, std::size_t at, Predicate is_wanted) {
  const auto is_wanted_at = [&](std::size_t i) { return i < text.size() && is_wanted(text[i]); };
  while (is_wanted_at(at) || (at < text.size() && text[at] == '_' && is_wanted_at(at + 1))) ++at;
  return at;
}

/// Length of 0x1F, 0o17 or 0b11 at the start of the text, or 0.
std::size_t based_length(std::string_view text) {
  if (text.size() < 3 || text[0] != '0') return 0;
  const char base = static_cast<char>(text[1] | 32);
  if (base != 'x' && base != 'o' && base != 'b') return 0;
  const std::size_t end = digits_end(text, 2, [&](char c) {
    return base == 'x' ? is_hex(c) : base == 'o' ? c >= '0' && c <= '7' : c == '0' || c == '1';
  });
  return end > 2 ? end : 0;
}

/// Length of a number with a fraction, an exponent or both, or 0.
std::size_t real_length(std::string_view text) {
  const std::size_t whole = digits_end(text, 0, is_digit);
  std::size_t end = whole;
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) end = digits_end(text, end + 1, is_digit);
  if (end < text.size() && (text[end] | 32) == 'e') {
    const std::size_t sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-') ? 1 : 0;
    const std::size_t digits = end + 1 + sign;
    if (digits < text.size() && is_digit(text[digits])) end = digits_end(text, digits, is_digit);
  }
  return end > whole ? end : 0;
}

/// Length of a decimal integer: 007 is 00 and 7.
std::size_t integer_length(std::string_view text) {
  return text[0] == '0' ? digits_end(text, 0, [](char c) { return c == '0'; }) : digits_end(text, 0, is_digit);
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_text();
    add(TokenKind::end, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail_here(std::string text) const { throw Failure(std::move(text), line_); }
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool sees(std::string_view text) const { return rest().starts_with(text); }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

  /// Moves on and counts the lines passed.
  void advance(std::size_t bytes) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + bytes), '\n'));
    at_ += bytes;
  }
  void skip_space() { advance(rest().size() - strip(rest(), Sides::left).size()); }

  void lex_text();
  void add_data(std::string_view text, char sign, bool is_variable);
  void lex_comment();
  struct RawTag {
    std::size_t bytes = 0;      ///< 0: it is something else
    bool is_stripping = false;  ///< takes all white space after it
    bool is_trimming = false;   ///< takes one newline after it
  };
  RawTag match_raw(std::size_t from, std::string_view tag) const;
  void pass_raw(const RawTag& tag);
  void lex_raw();
  void lex_tag(TokenKind end);
  bool try_tag_end(TokenKind end);
  void lex_number();
  void lex_string();
  void lex_symbol();

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
  std::string open_brackets_;  ///< the closing ones that are due, innermost last
};

/// Up to the next tag, comment or raw block, and that.
void Lexer::lex_text() {
  std::size_t open = at_;
  while (true) {
    open = source_.find('{', open);
    if (open == std::string::npos || open + 1 >= source_.size()) {
      add_data(rest(), '+', true);
      advance(rest().size());
      return;
    }
    if (source_[open + 1] == '{' || source_[open + 1] == '%' || source_[open + 1] == '#') break;
    ++open;
  }
  const std::string_view text = std::string_view(source_).substr(at_, open - at_);
  const char kind = source_[open + 1];
  const char next = open + 2 < source_.size() ? source_[open + 2] : '\0';
  const char sign = next == '-' || next == '+' ? next : '\0';
  add_data(text, sign, kind == '{');
  advance(text.size() + 2 + (sign != '\0' ? 1 : 0));
  if (kind == '#') {
    lex_comment();
  } else if (kind == '{') {
    add(TokenKind::variable_begin, {});
    lex_tag(TokenKind::variable_end);
  } else if (const RawTag raw = match_raw(at_, "raw"); raw.bytes != 0) {
    pass_raw(raw);
    lex_raw();
  } else {
    add(TokenKind::block_begin, {});
    lex_tag(TokenKind::block_end);
  }
}

/// The text before a tag, less what the tag's sign (or lstrip_blocks) takes from its end.
void Lexer::add_data(std::string_view text, char sign, bool is_variable) {
  if (sign == '-') {
    text = strip(text, Sides::right);
  } else if (sign != '+' && !is_variable) {
    const std::size_t newline = text.rfind('\n');
    const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    const bool starts_line = line_start > 0 || at_ == 0 || source_[at_ - 1] == '\n';
    if (starts_line && strip(text.substr(line_start), Sides::left).empty()) text = text.substr(0, line_start);
  }
  if (!text.empty()) add(TokenKind::data, std::string(text));
}

void Lexer::lex_comment() {
  const std::size_t end = rest().find("#}");
  if (end == std::string_view::npos) fail_here("missing end of comment");
  const char sign = end > 0 ? rest()[end - 1] : '\0';
  advance(end + 2);
  if (sign == '-') {
    skip_space();
  } else if (sign != '+' && sees("\n")) {
    advance(1);
  }
}

/// Whether `tag` and the end of its block come next inside a {%.
Lexer::RawTag Lexer::match_raw(std::size_t from, std::string_view tag) const {
  const std::string_view all = std::string_view(source_).substr(from);
  std::string_view text = strip(all, Sides::left);
  if (!text.starts_with(tag)) return {};
  text = strip(text.substr(tag.size()), Sides::left);
  const bool is_end = tag == "endraw";
  const char sign = text.empty() ? '\0' : text[0];
  const bool has_sign = sign == '-' || (is_end && sign == '+');
  if (!text.substr(has_sign ? 1 : 0).starts_with("%}")) return {};
  return {all.size() - text.size() + (has_sign ? 3 : 2), sign == '-', is_end && !has_sign};
}

void Lexer::pass_raw(const RawTag& tag) {
  advance(tag.bytes);
  if (tag.is_stripping) skip_space();
  if (tag.is_trimming && sees("\n")) advance(1);
}

void Lexer::lex_raw() {
  for (std::size_t open = source_.find("{%", at_); open != std::string::npos; open = source_.find("{%", open + 1)) {
    const char next = open + 2 < source_.size() ? source_[open + 2] : '\0';
    const char sign = next == '-' || next == '+' ? next : '\0';
    const std::size_t inside = open + 2 + (sign != '\0' ? 1 : 0);
    const RawTag end = match_raw(inside, "endraw");
    if (end.bytes == 0) continue;
    add_data(std::string_view(source_).substr(at_, open - at_), sign, false);
    advance(inside - at_);
    pass_raw(end);
    return;
  }
  fail_here("missing end of raw block");
}

void Lexer::lex_tag(TokenKind end) {
  open_brackets_.clear();
  while (at_ < source_.size()) {
    if (open_brackets_.empty() && try_tag_end(end)) return;
    std::size_t after = at_;
    const char c = source_[at_];
    if (is_space(next_code_point(source_, after))) {
      skip_space();
    } else if (is_digit(c)) {
      lex_number();
    } else if (is_letter(c)) {
      const std::size_t start = at_;
      while (at_ < source_.size() && (is_letter(source_[at_]) || is_digit(source_[at_]))) ++at_;
      if (at_ < source_.size() && static_cast<unsigned char>(source_[at_]) >= 0x80) {
        fail_here("names with other than ASCII letters are not supported");
      }
      add(TokenKind::name, source_.substr(start, at_ - start));
    } else if (c == '\'' || c == '"') {
      lex_string();
    } else {
      lex_symbol();
    }
  }
}

bool Lexer::try_tag_end(TokenKind end) {
  const std::string_view mark = end == TokenKind::variable_end ? "}}" : "%}";
  const bool is_stripping = sees("-") && rest().substr(1).starts_with(mark);
  const bool is_plus = end == TokenKind::block_end && sees("+") && rest().substr(1).starts_with(mark);
  if (!is_stripping && !is_plus && !sees(mark)) return false;
  add(end, {});
  advance(is_stripping || is_plus ? 3 : 2);
  if (is_stripping) {
    skip_space();
  } else if (end == TokenKind::block_end && !is_plus && sees("\n")) {
    advance(1);
  }
  return true;
}

void Lexer::lex_number() {
  TokenKind kind = TokenKind::integer;
  std::size_t length = based_length(rest());
  if (length == 0 && (at_ == 0 || source_[at_ - 1] != '.')) {  // x.1.5 is two subscripts
    length = real_length(rest());
    if (length != 0) kind = TokenKind::real;
  }
  if (length == 0) length = integer_length(rest());
  std::string number = source_.substr(at_, length);
  std::erase(number, '_');
  add(kind, std::move(number));
  at_ += length;
}

void Lexer::lex_string() {
  const char quote = source_[at_];
  std::size_t end = at_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) fail_here("a text in quotes has no end");
  const std::string_view inside = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
  add(TokenKind::string, read_string_literal(inside, line_));
  advance(end + 1 - at_);
}

void Lexer::lex_symbol() {
  constexpr std::array<std::string_view, 26> kSymbols = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                         "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                         ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
  for (const std::string_view symbol : kSymbols) {
    if (!sees(symbol)) continue;
    const char c = symbol[0];
    if (symbol == "{") open_brackets_ += '}';
    if (symbol == "(") open_brackets_ += ')';
    if (symbol == "[") open_brackets_ += ']';
    if (c == '}' || c == ')' || c == ']') {
      if (open_brackets_.empty()) fail_here(fmt::format("unexpected '{}'", c));
      if (open_brackets_.back() != c)
        fail_here(fmt::format("unexpected '{}', expected '{}'", c, open_brackets_.back()));
      open_brackets_.pop_back();
    }
    add(TokenKind::symbol, std::string(symbol));
    at_ += symbol.size();
    return;
  }
  std::size_t after = at_;
  next_code_point(source_, after);
  fail_here(fmt::format("unexpected character '{}'", source_.substr(at_, after - at_)));
}

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  return Lexer(source).run();
}

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::data:
      return "text";
    case TokenKind::variable_begin:
      return "'{{'";
    case TokenKind::variable_end:
      return "end of print statement";
    case TokenKind::block_begin:
      return "'{%'";
    case TokenKind::block_end:
      return "end of statement";
    case TokenKind::string:
      return "a text";
    case TokenKind::end:
      return "end of template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

}  // namespace refserver::jinja
