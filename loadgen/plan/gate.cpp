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
    LatencyTerm term;
    if (word == "mean") {
      term.statistic = LatencyTerm::Statistic::mean;
    } else if (word == "min") {
      term.statistic = LatencyTerm::Statistic::min;
    } else if (word == "max") {
      term.statistic = LatencyTerm::Statistic::max;
    } else if (!read_percentile(word, start, term)) {
      return false;
    }
    return read_metric(term);
  }

  bool read_scalar(Scalar scalar) {
    gate_.term = scalar;
    if (!take('(')) return true;
    return read_entry() && (take(')') || fail(at_, "expected ')' after the entry's name"));
  }

  bool read_percentile(std::string_view word, std::size_t start, LatencyTerm& term) {
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
    std::from_chars(digits.data(), digits.data() + digits.size(), term.quantile);
    term.statistic = LatencyTerm::Statistic::percentile;
    return true;
  }

  static std::string unknown_term(std::string_view word) {
    std::vector<std::string_view> names = {"mean", "min", "max", "p50", "p90", "p95", "p99"};
    for (const auto& [name, scalar] : scalars) names.push_back(name);
    return fmt::format(
        "expected pNN(metric), mean(metric), min(metric), max(metric), error_rate, qps, "
        "output_token_throughput, concurrency_mean, errors or osl_mismatch{}",
        did_you_mean(word, names));
  }

  bool read_metric(LatencyTerm& term) {
    if (!take('(')) return fail(at_, "expected '(' and a metric, as in p99(e2e)");
    skip_space();
    const std::size_t start = at_;
    const std::string_view word = take_word();
    const std::optional<Metric> metric = metric_from(word);
    if (!metric) {
      return fail(start, fmt::format("expected a metric, one of {}{}", joined(metric_labels),
                                     did_you_mean(word, metric_labels)));
    }
    term.metric = *metric;
    gate_.term = term;
    if (take(',') && !read_entry()) return false;
    return take(')') || fail(at_, "expected ')' or ', ENTRY)' after the metric");
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
    return set_scalar_limit(std::get<Scalar>(gate_.term), *number, unit, unit_at);
  }

  bool set_latency_limit(double number, std::string_view unit, std::size_t at) {
    const std::optional<double> ns = unit == "h" ? std::nullopt : unit_in_ns(unit);
    if (!ns) return fail(at, "expected a unit after the number: ns, us, ms, s or m");
    gate_.limit = *ns >= 1e6 ? number * (*ns / 1e6) : number / (1e6 / *ns);  // one rounding either way
    return true;
  }

  bool set_scalar_limit(Scalar scalar, double number, std::string_view unit, std::size_t at) {
    gate_.limit = number;
    const bool is_share = scalar == Scalar::error_rate || scalar == Scalar::osl_mismatch;
    const bool per_second = scalar == Scalar::qps || scalar == Scalar::output_token_throughput;
    if (unit.empty() || (per_second && unit == "/s")) {
      if (is_share && number > 1) {
        return fail(at, "it is a share between 0 and 1; write 5% or 0.05");
      }
      return true;
    }
    if (!is_share) return fail(at, "expected nothing after the number: it has no unit here");
    if (unit != "%") return fail(at, "expected % or nothing after the number");
    if (number > 100) return fail(at, "a share cannot exceed 100%");
    gate_.limit = number / 100;
    return true;
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
