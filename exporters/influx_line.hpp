// One measurement in, one line of InfluxDB line protocol out; whatever the names and values hold, it stays one line.
// Knows nothing of files, servers or batches.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace exporters {

enum class PointResult : std::uint8_t {
  appended,   ///< the line is in the buffer
  no_fields,  ///< every field was NaN or infinite, or there was none: nothing appended
  refused,    ///< a measurement, tag or field name that InfluxDB would misread or that is reserved: nothing appended
};

/// Builds one point at the end of a string: name, then tags, then fields, then finish(). Without finish() nothing
/// stays. Allocates nothing but the buffer's growth. Escaping and refusals as InfluxDB 1.6 was seen to need them:
///   - names: empty, "time", beginning with '_' or '#', or with a backslash or a control character are refused;
///   - tag values: line break, tab and form feed become \n \r \t \f (two characters), other control characters '_';
///     what is longer than 1,000 bytes is cut at a character, then trailing backslashes are cut off; what is empty then
///     is left out. A repeated tag key keeps its first value;
///   - numbers: a NaN or infinite field is left out; integers carry the suffix i; doubles are printed shortest.
class InfluxPoint {
 public:
  static constexpr std::size_t max_tags = 16;  ///< distinct calls of tag() per point (asserted)

  /// `out` must outlive the point and is not to be touched until finish().
  InfluxPoint(std::string& out, std::string_view measurement);
  ~InfluxPoint();
  InfluxPoint(const InfluxPoint&) = delete;
  InfluxPoint& operator=(const InfluxPoint&) = delete;

  /// Tags are written sorted by key. Before the first field only (asserted); both views must live until then.
  InfluxPoint& tag(std::string_view key, std::string_view value);

  InfluxPoint& field(std::string_view key, double value);
  InfluxPoint& field(std::string_view key, bool value);
  InfluxPoint& field(std::string_view key, std::string_view text);
  InfluxPoint& field(std::string_view key, const char* text) { return field(key, std::string_view(text)); }
  /// An integer field; above 2^63 - 1 it is written as 2^63 - 1.
  template <std::integral T>
  requires(!std::same_as<T, bool>) InfluxPoint& field(std::string_view key, T value) {
    return integer_field(key, std::in_range<std::int64_t>(value) ? static_cast<std::int64_t>(value) : INT64_MAX);
  }

  /// Ends the line with its time stamp (nanoseconds since 1970) and a line feed; call it once.
  PointResult finish(std::int64_t unix_ns);

 private:
  InfluxPoint& integer_field(std::string_view key, std::int64_t value);
  void refuse_unless(bool valid) noexcept { refused_ = refused_ || !valid; }
  void append_tags();
  bool begin_field(std::string_view key);

  std::string& out_;
  std::size_t begin_;  ///< where this line starts
  std::array<std::pair<std::string_view, std::string_view>, max_tags> tags_;
  std::size_t tag_count_ = 0;
  bool refused_ = false;
  bool has_field_ = false;
  bool finished_ = false;
};

/// Gives every point a time of its own: points of one series with equal times would overwrite each other in silence.
class UniqueClock {
 public:
  /// `unix_ns`, or the smallest time after the last one given out.
  std::int64_t next(std::int64_t unix_ns) noexcept {
    last_ns_ = unix_ns > last_ns_ ? unix_ns : last_ns_ + 1;
    return last_ns_;
  }

 private:
  std::int64_t last_ns_ = INT64_MIN;
};

}  // namespace exporters
