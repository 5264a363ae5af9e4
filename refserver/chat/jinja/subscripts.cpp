// len(), container[index] and container[start:stop:step].
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/loop.hpp"
#include "refserver/chat/jinja/objects.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

/// A slice with its three numbers settled for a length: `count` positions from `start` on, `step` apart.
struct Cut {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::size_t count = 0;
};

std::int64_t part_of(const Value& part, std::int64_t otherwise) {
  if (part.is(Kind::none)) return otherwise;
  if (!part.is(Kind::integer) && !part.is(Kind::boolean)) {
    fail("slice indices must be integers or None or have an __index__ method");
  }
  return part.integer();
}

/// `at` counted from the end where negative, and moved into [low, high].
std::int64_t settle(std::int64_t at, std::int64_t length, std::int64_t low, std::int64_t high) {
  if (at < 0) at = at < -length ? low : at + length;
  return std::clamp(at, low, high);
}

Cut settle(const Slice& slice, std::size_t size) {
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
  const auto length = static_cast<std::int64_t>(size);
  Cut cut;
  cut.step = std::max(part_of(slice.step, 1), -kFar);
  if (cut.step == 0) fail("slice step cannot be zero");
  if (cut.step > 0) {
    cut.start = settle(part_of(slice.start, 0), length, 0, length);
    const std::int64_t stop = settle(part_of(slice.stop, kFar), length, 0, length);
    if (stop > cut.start) cut.count = static_cast<std::size_t>((stop - cut.start - 1) / cut.step + 1);
  } else {
    cut.start = slice.start.is(Kind::none) ? length - 1 : settle(part_of(slice.start, 0), length, -1, length - 1);
    const std::int64_t stop = slice.stop.is(Kind::none) ? -1 : settle(part_of(slice.stop, 0), length, -1, length - 1);
    if (stop < cut.start) cut.count = static_cast<std::size_t>((cut.start - stop - 1) / -cut.step + 1);
  }
  return cut;
}

std::string slice_ascii(const std::string& bytes, const Cut& cut) {
  if (cut.step == 1) return bytes.substr(static_cast<std::size_t>(cut.start), cut.count);
  std::string out;
  std::int64_t at = cut.start;
  for (std::size_t i = 0; i < cut.count; ++i, at += cut.step) out += bytes[static_cast<std::size_t>(at)];
  return out;
}

std::string slice_text(Budget& budget, const Text& text, const Slice& slice) {
  budget.scan(text.bytes.size());
  if (text.is_ascii) {
    const Cut cut = settle(slice, text.bytes.size());
    budget.grow(cut.count);
    return slice_ascii(text.bytes, cut);
  }
  std::vector<std::size_t> starts;  // of every code point, and the end
  budget.grow(sizeof(std::size_t), text.bytes.size());
  for (std::size_t at = 0; at < text.bytes.size(); next_code_point(text.bytes, at)) starts.push_back(at);
  starts.push_back(text.bytes.size());
  const Cut cut = settle(slice, starts.size() - 1);
  std::string out;
  std::int64_t at = cut.start;
  for (std::size_t i = 0; i < cut.count; ++i, at += cut.step) {
    const auto n = static_cast<std::size_t>(at);
    out.append(text.bytes, starts[n], starts[n + 1] - starts[n]);
  }
  return out;
}

Value slice_sequence(Budget& budget, const Sequence& sequence, const Slice& slice) {
  const Cut cut = settle(slice, sequence.items.size());
  std::vector<Value> items;
  items.reserve(cut.count);
  std::int64_t at = cut.start;
  for (std::size_t i = 0; i < cut.count; ++i, at += cut.step)
    items.push_back(sequence.items[static_cast<std::size_t>(at)]);
  return sequence.is_tuple ? make_tuple(budget, std::move(items)) : make_list(budget, std::move(items));
}

Value slice_range(const Range& range, const Slice& slice) {
  const Cut cut = settle(slice, range.size());
  // A range of the sandbox has at most 100 000 members, so only a useless step can leave 64 bits.
  std::int64_t step = 0;
  if (__builtin_mul_overflow(range.step, cut.step, &step)) fail("integers beyond 64 bits are not supported");
  const std::int64_t start = range.start + cut.start * range.step;
  const std::int64_t stop = start + static_cast<std::int64_t>(cut.count) * step;
  return Value(std::make_shared<Range>(start, stop, step));
}

std::optional<Value> find_in_text(Budget& budget, const Text& text, std::int64_t index) {
  budget.scan(text.is_ascii ? 1 : text.bytes.size());
  const std::size_t length = text.is_ascii ? text.bytes.size() : count_code_points(text.bytes);
  const auto at = normal_index(index, length);
  if (!at || *at == length) return std::nullopt;
  const std::size_t start = text.is_ascii ? *at : byte_position(text.bytes, *at);
  std::size_t end = start;
  next_code_point(text.bytes, end);
  return make_text(budget, text.bytes.substr(start, end - start), text.is_markup ? Markup::yes : Markup::no);
}

}  // namespace

std::size_t length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::text:
      return value.text().is_ascii ? value.bytes().size() : count_code_points(value.bytes());
    case Kind::sequence:
      return value.sequence().items.size();
    case Kind::dict:
      return value.dict().entries.size();
    case Kind::object:
      if (value.is_object(ObjectKind::range)) return value.as<Range>().size();
      if (value.is_object(ObjectKind::view)) return value.as<View>().dict->entries.size();
      if (value.is_object(ObjectKind::loop)) return static_cast<std::size_t>(value.as<Loop>().length());
      break;
    default:
      break;
  }
  fail(fmt::format("object of type '{}' has no len()", type_name(value)));
}

std::optional<std::size_t> normal_index(std::int64_t index, std::size_t length) {
  if (index < 0) {
    if (index < -static_cast<std::int64_t>(length)) return std::nullopt;
    return static_cast<std::size_t>(index + static_cast<std::int64_t>(length));
  }
  if (static_cast<std::uint64_t>(index) > length) return std::nullopt;
  return static_cast<std::size_t>(index);
}

std::optional<Value> find_item(Budget& budget, const Value& container, const Value& index) {
  require_defined(container);
  if (container.is(Kind::dict)) {
    if (!is_hashable(budget, index)) return std::nullopt;
    const auto at = container.dict().find(budget, index);
    return at ? std::optional<Value>(container.dict().entries[*at].second) : std::nullopt;
  }
  if (!index.is(Kind::integer) && !index.is(Kind::boolean)) return std::nullopt;
  if (container.is(Kind::text)) return find_in_text(budget, container.text(), index.integer());
  const bool is_range = container.is_object(ObjectKind::range);
  if (!is_range && !container.is(Kind::sequence)) return std::nullopt;
  const std::size_t length = length_of(container);
  const auto at = normal_index(index.integer(), length);
  if (!at || *at == length) return std::nullopt;
  return is_range ? Value(container.as<Range>().at(*at)) : container.sequence().items[*at];
}

Value get_slice(Budget& budget, const Value& container, const Slice& slice) {
  require_defined(container);
  budget.step();
  if (container.is(Kind::text)) {
    return make_text(budget, slice_text(budget, container.text(), slice),
                     container.text().is_markup ? Markup::yes : Markup::no);
  }
  if (container.is(Kind::sequence)) return slice_sequence(budget, container.sequence(), slice);
  if (container.is_object(ObjectKind::range)) return slice_range(container.as<Range>(), slice);
  if (container.is(Kind::dict)) fail("unhashable type: 'slice'");
  fail(fmt::format("'{}' object is not subscriptable", type_name(container)));
}

}  // namespace refserver::jinja
