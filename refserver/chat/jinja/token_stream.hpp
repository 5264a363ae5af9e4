// What the two parsers share: the tokens, where they are, and how deep.
#pragma once

#include <string_view>
#include <vector>

#include "refserver/chat/jinja/budget.hpp"
#include "refserver/chat/jinja/lexer.hpp"

namespace refserver::jinja {

class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, const Limits& limits) : tokens_(std::move(tokens)), limits_(limits) {}

  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_[at_]; }
  int line() const { return now().line; }

  bool is(TokenKind kind) const { return now().kind == kind; }
  bool is_symbol(std::string_view text) const { return is(TokenKind::symbol) && now().text == text; }
  bool is_name(std::string_view text) const { return is(TokenKind::name) && now().text == text; }
  bool skip_symbol(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_symbol(std::string_view text);
  void expect_name(std::string_view text);
  void expect(TokenKind kind);
  std::string expect_any_name();
  [[noreturn]] void fail_expected(std::string_view what) const;
  [[noreturn]] static void fail_at(std::string text, int line);

  /// One level of nesting for as long as it lives.
  class Level {
   public:
    explicit Level(TokenStream& tokens);
    ~Level() { --tokens_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    TokenStream& tokens_;
  };
  const Limits& limits() const { return limits_; }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  const Limits& limits_;
};

}  // namespace refserver::jinja
