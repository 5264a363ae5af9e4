#include "loadgen/plan/field_paths.hpp"

#include <algorithm>
#include <charconv>

namespace loadgen {
namespace {

constexpr std::size_t most_steps = 8;
constexpr std::size_t longest_pointer = 200;

/// `~1` and `~0` back to `/` and `~`; false for another use of `~`.
bool unescape(std::string& step) {
  std::string plain;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '~') {
      plain += step[i];
      continue;
    }
    if (++i == step.size() || (step[i] != '0' && step[i] != '1')) return false;
    plain += step[i] == '0' ? '~' : '/';
  }
  step = std::move(plain);
  return true;
}

}  // namespace

std::string FieldPaths::add(std::string_view pointer, Field field) {
  if (pointer.empty() || pointer[0] != '/' || pointer.size() > longest_pointer)
    return "is not a JSON pointer such as /choices/0/text";
  Node at = root;
  std::size_t steps = 0;
  while (!pointer.empty()) {
    if (nodes_[at].field != Field::none) return "lies inside of another field's place";
    if (++steps > most_steps) return "has more than 8 steps";
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::string step(pointer.substr(1, end - 1));
    pointer.remove_prefix(end);
    if (!unescape(step)) return "has a '~' that is not part of ~0 or ~1";
    const Node known = child(at, step);
    if (known != nowhere) {
      at = known;
      continue;
    }
    const auto made = static_cast<Node>(nodes_.size());
    nodes_.push_back({});
    nodes_[at].steps.push_back({std::move(step), made});
    at = made;
  }
  if (nodes_[at].field != Field::none || !nodes_[at].steps.empty()) return "is the place of another field as well";
  nodes_[at].field = field;
  return {};
}

FieldPaths::Node FieldPaths::child(Node node, std::string_view key) const noexcept {
  for (const Step& step : nodes_[node].steps) {
    if (step.key == key) return step.to;
  }
  return nowhere;
}

FieldPaths::Node FieldPaths::item(Node node, std::size_t index) const noexcept {
  if (nodes_[node].steps.empty()) return nowhere;
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, index).ptr;
  return child(node, {digits, static_cast<std::size_t>(end - digits)});
}

bool FieldPaths::has(Field field) const noexcept {
  return std::any_of(nodes_.begin(), nodes_.end(), [field](const Place& place) { return place.field == field; });
}

}  // namespace loadgen
