// Sends a rendering's text elsewhere for a while.
#pragma once

#include <string>
#include <utility>

namespace refserver::jinja {

class Redirect {
 public:
  Redirect(std::string*& out, std::string& to) : out_(out), before_(std::exchange(out, &to)) {}
  ~Redirect() { out_ = before_; }
  Redirect(const Redirect&) = delete;
  Redirect& operator=(const Redirect&) = delete;

 private:
  std::string*& out_;
  std::string* before_;
};

}  // namespace refserver::jinja
