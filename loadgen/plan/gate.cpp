// The grammar of gates: TERM COMPARISON LIMIT, read left to right with the column of whatever is wrong.
#include "loadgen/plan/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "loadgen/plan/text.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

constexpr std::array<std::pair<std::string_view, Scalar>, 6> scalars = {
    {{"error_rate", Scalar::error_rate},
     {"qps", Scalar::qps},
     {"output_token_throughput", Scalar::output_token_throughput},
     {"concurrency_mean", Scalar::concurrency_mean},
     {"errors", Scalar::errors},
     {"osl_mismatch", Scalar::osl_mismatch}}};
constexpr std::size_t longest_gate = 300;

constexpr std::array<std::string_view, 4> plain_statistics = {"mean", "min", "max", "last"};

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t';
}
bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/// Reads one gate. Every step returns false once something is wrong; the first thing wrong is what `error` says.
class GateParser {
 public:
  explicit GateParser(std::string_view text) : text_(text) { gate_.text = std::string(text); }

  Result<Gate, std::string> parse() {
    if (text_.size() > longest_gate) {
      error_ = fmt::format("a gate has at most {} characters", longest_gate);
      return {boost::system::in_place_error, std::move(error_)};
    }
    if (read_term() && read_comparison() && read_limit() && read_end()) return std::move(gate_);
    return {boost::system::in_place_error, std::move(error_)};
  }

 private:
  bool fail(std::size_t at, std::string_view what) {
    error_ = fmt::format("column {} of '{}': {}", at + 1, text_, what);
    return false;
  }
  void skip_space() noexcept {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(char c) noexcept {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view take_word() noexcept {
    skip_space();
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  bool read_term() {
    skip_space();
    const std::size_t start = at_;
    const std::string_view word = take_word();
    for (const auto& [name, scalar] : scalars) {
      if (word == name) return read_scalar(scalar);
    }
    if (const auto metric = observed_metric_from(word)) return read_whole(*metric, start);
    const auto plain = std::find(plain_statistics.begin(), plain_statistics.end(), word);
    double quantile = 0;
    if (plain == plain_statistics.end() && !read_percentile(word, start, quantile)) return false;
    if (!take('(')) return fail(at_, "expected '(' and a metric, as in p99(e2e)");
    // Both kinds of terms count statistics in the order of `plain_statistics`, percentile after them.
    const auto statistic = static_cast<std::uint8_t>(plain - plain_statistics.begin());
    return read_metric(statistic, quantile, start);
  }

  bool read_scalar(Scalar scalar) {
    gate_.term = scalar;
    if (!take('(')) return true;
    return read_entry() && (take(')') || fail(at_, "expected ')' after the entry's name"));
  }

  bool read_percentile(std::string_view word, std::size_t start, double& quantile) {
    const std::string_view number = word.substr(word.empty() ? 0 : 1);
    std::string_view rest = number;
    const bool named_p = !word.empty() && word[0] == 'p';
    const std::optional<double> percent = named_p ? take_number(rest) : std::nullopt;
    if (!percent || !rest.empty()) return fail(start, unknown_term(word));
    if (*percent <= 0 || *percent >= 100) {
      return fail(start, "a percentile lies between p0 and p100, both excluded; write p99.9 for the 99.9th");
    }
    // "99.9" becomes "0.999" before it is read, so that the quantile is the nearest double to what was written.
    const std::size_t point = std::min(number.find('.'), number.size());
    std::string digits(number.substr(0, point));
    while (digits.size() > 2) digits.erase(0, 1);  // leading zeros: the value is below 100
    digits.insert(0, digits.size() < 2 ? "0.0" : "0.");
    if (point < number.size()) digits += number.substr(point + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), quantile);
    return true;
  }

  static std::string unknown_term(std::string_view word) {
    if (metric_from(word)) return fmt::format("{0} has many values: write p99({0}), p50, mean, min or max", word);
    std::vector<std::string_view> names = {"mean", "min", "max", "p50", "p90", "p95", "p99"};
    for (const auto& [name, scalar] : scalars) names.push_back(name);
    for (const ObservedMetricInfo& metric : observed_metrics) names.push_back(metric.name);
    return fmt::format(
        "expected pNN(metric), mean(metric), min(metric), max(metric), error_rate, qps, "
        "output_token_throughput, concurrency_mean, errors, osl_mismatch, or a metric of gpu or server such as "
        "max(gpu.memory_used_mib){}",
        did_you_mean(word, names));
  }

  /// `statistic` is a position in `plain_statistics`, or behind it a percentile.
  bool read_metric(std::uint8_t statistic, double quantile, std::size_t start) {
    skip_space();
    const std::size_t metric_at = at_;
    const std::string_view word = take_word();
    if (const auto observed = observed_metric_from(word)) {
      if (info(*observed).kind != ObservedKind::level)
        return fail(start, fmt::format("{} has one value per run: write '{} < LIMIT'", word, word));
      gate_.term = ObservedTerm{static_cast<ObservedTerm::Statistic>(statistic), quantile, *observed, {}};
      return read_selector();
    }
    const std::optional<Metric> metric = metric_from(word);
    if (!metric) return fail(metric_at, unknown_metric(word));
    constexpr std::uint8_t last = 3;
    if (statistic == last) return fail(start, "last() is for metrics of gpu and server only");
    const auto latency_statistic =
        statistic < last ? static_cast<LatencyTerm::Statistic>(statistic) : LatencyTerm::Statistic::percentile;
    gate_.term = LatencyTerm{latency_statistic, statistic < last ? LatencyTerm{}.quantile : quantile, *metric};
    if (take(',') && !read_entry()) return false;
    return take(')') || fail(at_, "expected ')' or ', ENTRY)' after the metric");
  }

  static std::string unknown_metric(std::string_view word) {
    std::vector<std::string_view> levels;
    for (const ObservedMetricInfo& metric : observed_metrics)
      if (metric.kind == ObservedKind::level) levels.push_back(metric.name);
    std::vector<std::string_view> all(metric_labels.begin(), metric_labels.end());
    all.insert(all.end(), levels.begin(), levels.end());
    return fmt::format("expected a metric, one of {}; or, of a machine or server, one of {}{}", joined(metric_labels),
                       joined(levels), did_you_mean(word, all));
  }

  /// A metric of a machine or a server without a statistic.
  bool read_whole(ObservedMetric metric, std::size_t start) {
    if (info(metric).kind == ObservedKind::level)
      return fail(start, fmt::format("{} has many readings: write max({}), mean, min, last or p95", info(metric).name,
                                     info(metric).name));
    gate_.term = ObservedTerm{ObservedTerm::Statistic::whole, 0, metric, {}};
    if (!take('(')) return true;
    return read_key() && (take(')') || fail(at_, "expected ')'"));
  }

  bool read_selector() {
    if (take(',') && !read_key()) return false;
    return take(')') || fail(at_, "expected ')' or which one, as in ', gpu=0)' or ', model=qwen2)'");
  }

  /// gpu=INDEX or model=NAME, whichever the metric is about. A model's name goes up to the bracket.
  bool read_key() {
    auto& term = std::get<ObservedTerm>(gate_.term);
    skip_space();
    const std::size_t start = at_;
    const bool about_gpu = is_about_gpu(term.metric);
    const std::string_view key = take_word();
    if (key != (about_gpu ? "gpu" : "model") || !take('='))
      return fail(start, about_gpu ? "expected gpu=INDEX, as in gpu=0" : "expected model=NAME, as in model=qwen2");
    skip_space();
    const std::size_t value_at = at_;
    if (about_gpu) {
      term.only = std::string(take_word());
    } else {
      const std::size_t end = std::min(text_.find(')', at_), text_.size());
      std::string_view name = text_.substr(at_, end - at_);
      while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
      term.only = std::string(name);
      at_ = end;
    }
    return !term.only.empty() || fail(value_at, about_gpu ? "expected the index of a GPU" : "expected a model's name");
  }

  bool read_entry() {
    skip_space();
    const std::size_t start = at_;
    gate_.entry = std::string(take_word());
    return !gate_.entry.empty() || fail(start, "expected the name of a mix entry");
  }

  bool read_comparison() {
    skip_space();
    const std::size_t start = at_;
    const bool less = take('<');
    const bool greater = !less && take('>');
    if (!less && !greater) return fail(start, "expected <, <=, > or >=");
    const bool or_equal = at_ < text_.size() && text_[at_] == '=';
    if (or_equal) ++at_;
    using Comparison = Gate::Comparison;
    gate_.comparison = less ? (or_equal ? Comparison::less_equal : Comparison::less)
                            : (or_equal ? Comparison::greater_equal : Comparison::greater);
    return true;
  }

  bool read_limit() {
    skip_space();
    const std::size_t start = at_;
    std::string_view rest = text_.substr(at_);
    const std::optional<double> number = take_number(rest);
    if (!number) return fail(start, "expected a limit: a number that is not negative");
    at_ = text_.size() - rest.size();
    skip_space();
    const std::size_t unit_at = at_;
    while (at_ < text_.size() && !is_space(text_[at_])) ++at_;
    const std::string_view unit = text_.substr(unit_at, at_ - unit_at);
    if (std::holds_alternative<LatencyTerm>(gate_.term)) return set_latency_limit(*number, unit, unit_at);
    if (const auto* term = std::get_if<ObservedTerm>(&gate_.term))
      return set_observed_limit(info(term->metric).unit, *number, unit, unit_at);
    return set_scalar_limit(std::get<Scalar>(gate_.term), *number, unit, unit_at);
  }

  bool set_latency_limit(double number, std::string_view unit, std::size_t at) {
    const std::optional<double> ns = unit == "h" ? std::nullopt : unit_in_ns(unit);
    if (!ns) return fail(at, "expected a unit after the number: ns, us, ms, s or m");
    gate_.limit = *ns >= 1e6 ? number * (*ns / 1e6) : number / (1e6 / *ns);  // one rounding either way
    return true;
  }

  bool set_observed_limit(ObservedUnit kind, double number, std::string_view unit, std::size_t at) {
    gate_.limit = number;
    if (kind == ObservedUnit::time) return set_latency_limit(number, unit, at);
    if (kind == ObservedUnit::share) return set_share(number, unit, at);
    if (unit.empty() || unit == label(kind)) return true;
    const std::string_view own = label(kind);
    return fail(at, own.empty() ? "expected nothing after the number: it has no unit here"
                                : fmt::format("expected {} or nothing after the number", own));
  }

  /// 0.05 or 5%
  bool set_share(double number, std::string_view unit, std::size_t at) {
    if (unit.empty()) return number <= 1 || fail(at, "it is a share between 0 and 1; write 5% or 0.05");
    if (unit != "%") return fail(at, "expected % or nothing after the number");
    if (number > 100) return fail(at, "a share cannot exceed 100%");
    gate_.limit = number / 100;
    return true;
  }

  bool set_scalar_limit(Scalar scalar, double number, std::string_view unit, std::size_t at) {
    gate_.limit = number;
    if (scalar == Scalar::error_rate || scalar == Scalar::osl_mismatch) return set_share(number, unit, at);
    const bool per_second = scalar == Scalar::qps || scalar == Scalar::output_token_throughput;
    if (unit.empty() || (per_second && unit == "/s")) return true;
    return fail(at, "expected nothing after the number: it has no unit here");
  }

  bool read_end() {
    skip_space();
    return at_ == text_.size() || fail(at_, "expected nothing more after the limit; one gate is one comparison");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Gate gate_;
  std::string error_;
};

}  // namespace

Result<Gate, std::string> parse_gate(std::string_view text) {
  return GateParser(text).parse();
}

}  // namespace loadgen
