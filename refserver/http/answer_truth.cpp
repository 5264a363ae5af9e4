// The truth on request: what the truth log will say of an answer, told to the client that asked for it.
#include <array>
#include <utility>

#include "refserver/http/answer.hpp"
#include "refserver/http/fault_run.hpp"

namespace refserver {
namespace {

/// Clients refuse headers that are much longer.
constexpr std::size_t kLongestHeader = 7000;

template <class Value>
void keep_ends(std::vector<Value>& values) {
  if (values.size() > 2) values = {values.front(), values.back()};
}

std::string json_of(const TruthRecord& truth) {
  std::string json;
  append_truth_line(truth, json);
  json.pop_back();
  return json;
}

}  // namespace

/// What is known only now of every sequence.
void Answer::settle_truth(Generation& sequence) {
  sequence.truth.outcome = sequence.outcome;
  if (fault_ == nullptr || !fault_->was_done()) return;
  const FaultRule& rule = fault_->rule();
  sequence.truth.fault = label(rule.kind);
  sequence.truth.fault_token = has_token(rule.kind) ? rule.token : 0;
}

/// The last token has been written, and its time is known: a comment per sequence, which no client takes for data.
void Answer::end_with_truth() {
  owes_truth_ = false;
  for (Generation& sequence : sequences_) {
    settle_truth(sequence);
    out_.add_comment("truth " + json_of(sequence.truth));
  }
  out_.finish();
  is_last_formatted_ = true;
  flush();
}

/// A whole answer is written once, directly after this.
void Answer::add_truth_headers(ResponseHead& head) {
  if (!facts_.wants_truth) return;
  for (Generation& sequence : sequences_) {
    settle_truth(sequence);
    TruthRecord truth = sequence.truth;
    truth.achieved = {Clock::now()};
    std::string json = json_of(truth);
    if (json.size() > kLongestHeader) {
      keep_ends(truth.due);
      keep_ends(truth.steps);
      json = json_of(truth);
    }
    head.header("x-plumbline-truth", json);
  }
}

}  // namespace refserver
