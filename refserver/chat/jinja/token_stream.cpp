// Expecting tokens.
#include "refserver/chat/jinja/token_stream.hpp"

#include <fmt/format.h>

#include "refserver/chat/jinja/failure.hpp"

namespace refserver::jinja {

bool TokenStream::skip_symbol(std::string_view text) {
  if (!is_symbol(text)) return false;
  take();
  return true;
}

bool TokenStream::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  take();
  return true;
}

void TokenStream::expect_symbol(std::string_view text) {
  if (!skip_symbol(text)) fail_expected(fmt::format("'{}'", text));
}

void TokenStream::expect_name(std::string_view text) {
  if (!skip_name(text)) fail_expected(fmt::format("'{}'", text));
}

void TokenStream::expect(TokenKind kind) {
  if (!is(kind)) fail_expected(describe({kind, 0, {}}));
  take();
}

std::string TokenStream::expect_any_name() {
  if (!is(TokenKind::name)) fail_expected("a name");
  return take().text;
}

void TokenStream::fail_expected(std::string_view what) const {
  fail_at(fmt::format("expected {}, got {}", what, describe(now())), line());
}

void TokenStream::fail_at(std::string text, int line) {
  throw Failure(std::move(text), line);
}

TokenStream::Level::Level(TokenStream& tokens) : tokens_(tokens) {
  if (tokens.depth_ >= tokens.limits_.max_nesting) fail_at("the template is nested too deeply", tokens.line());
  ++tokens.depth_;
}

}  // namespace refserver::jinja
