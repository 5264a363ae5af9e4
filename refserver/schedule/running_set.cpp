// Sorted vectors for the ready, a heap for the sleeping: a step touches what it runs and what has become due.
#include "refserver/schedule/running_set.hpp"

#include <algorithm>
#include <iterator>

namespace refserver {
namespace {

/// Stale entries of the heap that are put up with before it is rebuilt.
constexpr std::size_t kStaleWakes = 1024;

bool is_older(const Sequence* a, const Sequence* b) {
  return a->order < b->order;
}

}  // namespace

void RunningSet::insert(Sequence& sequence, TimePoint now) {
  members_.insert(&sequence);
  place(sequence, now);
}

void RunningSet::erase(Sequence& sequence) {
  members_.erase(&sequence);
  asleep_.erase(sequence.order);
  count_decoding(sequence, false);
  sequence.list = ReadyList::none;
}

void RunningSet::update(Sequence& sequence, TimePoint now) {
  const bool is_due = !sequence.not_before || *sequence.not_before <= now;
  if (is_due && sequence.is_decoding == (sequence.to_compute() <= 1)) return;
  place(sequence, now);
}

void RunningSet::place(Sequence& sequence, TimePoint now) {
  count_decoding(sequence, sequence.to_compute() <= 1);
  if (!sequence.not_before || *sequence.not_before <= now) {
    sequence.list = sequence.is_decoding ? ReadyList::decoding : ReadyList::prefilling;
    incoming_.push_back(&sequence);
    return;
  }
  sequence.list = ReadyList::none;
  asleep_.emplace(sequence.order, &sequence);
  wakes_.push_back({*sequence.not_before, sequence.order});
  std::push_heap(wakes_.begin(), wakes_.end(), std::greater<>());
  drop_stale_wakes();
}

void RunningSet::count_decoding(Sequence& sequence, bool is_decoding) {
  if (sequence.is_decoding == is_decoding) return;
  sequence.is_decoding = is_decoding;
  is_decoding ? ++decoding_members_ : --decoding_members_;
}

void RunningSet::drop_stale_wakes() {
  if (wakes_.size() < 2 * asleep_.size() + kStaleWakes) return;
  std::erase_if(wakes_, [this](const Wake& wake) { return !asleep_.contains(wake.order); });
  std::make_heap(wakes_.begin(), wakes_.end(), std::greater<>());
}

void RunningSet::wake(TimePoint now) {
  while (!wakes_.empty() && wakes_.front().due <= now) {
    const auto found = asleep_.find(wakes_.front().order);
    std::pop_heap(wakes_.begin(), wakes_.end(), std::greater<>());
    wakes_.pop_back();
    if (found == asleep_.end()) continue;
    Sequence& sequence = *found->second;
    if (*sequence.not_before > now) continue;  // from before it was preempted and let in again
    asleep_.erase(found);
    place(sequence, now);
  }
  sweep();
}

void RunningSet::sweep() {
  std::erase_if(decoding_, [](const Sequence* s) { return s->list != ReadyList::decoding; });
  std::erase_if(prefilling_, [](const Sequence* s) { return s->list != ReadyList::prefilling; });
  if (incoming_.empty()) return;
  std::ranges::sort(incoming_, is_older);
  for (auto* const list : {&decoding_, &prefilling_}) {
    const ReadyList kind = list == &decoding_ ? ReadyList::decoding : ReadyList::prefilling;
    const auto middle = std::ssize(*list);
    std::ranges::copy_if(incoming_, std::back_inserter(*list), [kind](const Sequence* s) { return s->list == kind; });
    std::inplace_merge(list->begin(), list->begin() + middle, list->end(), is_older);
  }
  incoming_.clear();
}

std::optional<TimePoint> RunningSet::next_due() const {
  if (wakes_.empty()) return std::nullopt;
  return wakes_.front().due;
}

Sequence& RunningSet::victim_for(Sequence& asker, std::uint32_t protect_after) const {
  for (auto at = members_.rbegin(); at != members_.rend(); ++at) {
    if ((*at)->preemptions < protect_after) return **at;
    if (*at == &asker) break;
  }
  return **members_.rbegin();
}

}  // namespace refserver
