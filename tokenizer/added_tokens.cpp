// The strings stand in a tree that is walked from every byte that could begin one.
#include "tokenizer/added_tokens.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {

StringSearch::StringSearch(const std::vector<std::string>& strings) {
  std::vector<std::uint32_t> order(strings.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return strings[a] < strings[b]; });
  // A node is a range of the sorted strings that agree in their first `depth` bytes; its edges are the ranges within.
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, order.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t node = 0; node < ranges.size(); ++node) {
    auto [at, end, depth] = ranges[node];
    if (at < end && depth > 0 && strings[order[at]].size() == depth) nodes_[node].index = order[at];
    while (at < end && strings[order[at]].size() == depth) ++at;
    nodes_[node].first_edge = static_cast<std::uint32_t>(edges_.size());
    while (at < end) {
      const char byte = strings[order[at]][depth];
      const std::size_t begin = at;
      while (at < end && strings[order[at]][depth] == byte) ++at;
      edges_.push_back({static_cast<unsigned char>(byte), static_cast<std::uint32_t>(nodes_.size())});
      nodes_.emplace_back();
      ranges.push_back({begin, at, depth + 1});
    }
    nodes_[node].edge_count = static_cast<std::uint32_t>(edges_.size()) - nodes_[node].first_edge;
  }
  for (std::uint32_t i = 0; i < nodes_[0].edge_count; ++i) is_first_[edges_[i].byte] = true;
  first_count_ = static_cast<int>(nodes_[0].edge_count);
  if (first_count_ == 1) only_first_ = static_cast<char>(edges_[0].byte);
}

bool StringSearch::next(std::string_view text, std::size_t from, Found& found) const {
  for (std::size_t start = next_start(text, from); start < text.size(); start = next_start(text, start + 1)) {
    bool any = false;
    std::uint32_t node = 0;
    for (std::size_t at = start; at < text.size(); ++at) {
      node = follow(nodes_[node], static_cast<unsigned char>(text[at]));
      if (node == kNone) break;
      if (nodes_[node].index == kNone) continue;
      found = {start, at + 1, nodes_[node].index};
      any = true;
    }
    if (any) return true;
  }
  return false;
}

std::uint32_t StringSearch::follow(const Node& node, unsigned char byte) const {
  const auto first = edges_.begin() + node.first_edge;
  const auto last = first + node.edge_count;
  const auto edge = std::lower_bound(first, last, byte, [](const Edge& e, unsigned char b) { return e.byte < b; });
  return edge != last && edge->byte == byte ? edge->node : kNone;
}

std::size_t StringSearch::next_start(std::string_view text, std::size_t from) const {
  if (from >= text.size() || first_count_ == 0) return text.size();
  if (first_count_ == 1) return std::min(text.find(only_first_, from), text.size());
  while (from < text.size() && !is_first_[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

namespace {

std::size_t point_before(std::string_view text, std::size_t at) {
  while (is_continuation(text[--at])) continue;
  return at;
}

}  // namespace

bool AddedTokenSearch::stands_alone(std::string_view text, const StringSearch::Found& found) const {
  const auto is_word = [&](std::size_t at) {
    return (traits_.traits(utf8_point(&text[at]).code) & CodePoints::kWord) != 0;
  };
  return (found.start == 0 || !is_word(point_before(text, found.start))) &&
         (found.stop == text.size() || !is_word(found.stop));
}

/// Not past `limit`, where the token before ends.
std::size_t AddedTokenSearch::spaces_before(std::string_view text, std::size_t at, std::size_t limit) const {
  while (at > limit) {
    const std::size_t before = point_before(text, at);
    if ((traits_.traits(utf8_point(&text[before]).code) & CodePoints::kSpace) == 0) break;
    at = before;
  }
  return std::max(at, limit);
}

std::size_t AddedTokenSearch::spaces_after(std::string_view text, std::size_t at, SpaceRun& known) const {
  if (at >= known.start && at < known.stop) return known.stop;
  const std::size_t start = at;
  while (at < text.size()) {
    const Utf8Point point = utf8_point(&text[at]);
    if ((traits_.traits(point.code) & CodePoints::kSpace) == 0) break;
    at += point.bytes;
  }
  known = {start, at};
  return at;
}

}  // namespace tokenizer
