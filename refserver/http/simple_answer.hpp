// The answers that need no engine: health, information, metrics, and what is wrong with a request's head.
#pragma once

#include <string>
#include <string_view>

#include "refserver/http/response_head.hpp"
#include "refserver/http/route_table.hpp"
#include "refserver/http/service.hpp"

namespace refserver {

struct SimpleAnswer {
  int status = 200;
  std::string_view content_type{};
  std::string body{};
  std::string_view allow{};
  bool is_preflight = false;
};

/// What every target but generation and tokens answers.
SimpleAnswer make_simple_answer(const Service& service, const Face& face, const RouteMatch& match);

/// An error of the body layer or of validation.
SimpleAnswer make_error_answer(const Error& error);

/// Head and body, or the head alone for HEAD requests.
enum class BodyPart : std::uint8_t { shown, left_out };
std::string to_bytes(const SimpleAnswer& answer, BodyPart part, Persistence persistence, std::string_view allow_origin);

}  // namespace refserver
