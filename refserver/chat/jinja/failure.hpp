// How a template fails inside the interpreter: an exception, because it has to leave a walk of any depth at once. It
// never leaves chat/: chat_template.cpp turns it into an Error.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace refserver::jinja {

/// What went wrong, in words, and the line of the template (1 is the first; 0 where it is not known yet).
class Failure : public std::exception {
 public:
  explicit Failure(std::string text, int line = 0) : text_(std::move(text)), line_(line) {}

  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& text() const { return text_; }
  int line() const { return line_; }

 private:
  std::string text_;
  int line_;
};

[[noreturn]] inline void fail(std::string text) {
  throw Failure(std::move(text));
}

}  // namespace refserver::jinja
