// The requests that hold blocks: which of them have work that is due, and whom to preempt. Those whose next token is
// not due yet cost nothing per step. Holds pointers, owns nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "refserver/schedule/sequence.hpp"

namespace refserver {

class RunningSet {
 public:
  /// Lets a sequence in; it is ready unless its `not_before` lies after `now`.
  void insert(Sequence& sequence, TimePoint now);
  /// Takes a sequence out. The lists keep the pointer until the next `sweep`, and it must live until then.
  void erase(Sequence& sequence);
  /// To be called after `computed`, `tokens` or `not_before` of a ready member changed.
  void update(Sequence& sequence, TimePoint now);
  /// Makes those ready whose time has come.
  void wake(TimePoint now);
  /// Brings the lists up to date with all of the above.
  void sweep();

  /// Ready ones with one token left to compute, and with more; oldest first. Between two sweeps they may hold some
  /// whose `list` says that they have left.
  const std::vector<Sequence*>& decoding() const { return decoding_; }
  const std::vector<Sequence*>& prefilling() const { return prefilling_; }
  bool has_ready() const { return !decoding_.empty() || !prefilling_.empty() || !incoming_.empty(); }
  /// When the next one becomes ready. May be early, never late.
  std::optional<TimePoint> next_due() const;

  /// Whose blocks `asker` may have: of those of a lower class, or its own and later, the lowest and latest, with those
  /// preempted `protect_after` times chosen last. The asker itself if there is no other.
  Sequence& victim_for(Sequence& asker, std::uint32_t protect_after) const;

  std::size_t size() const { return members_.size(); }
  /// Members past their prompt, due or not.
  std::size_t decoding_members() const { return decoding_members_; }
  /// Everyone, lowest class and latest arrival last.
  std::vector<Sequence*> members() const { return {members_.begin(), members_.end()}; }

 private:
  struct ByRank {
    bool operator()(const Sequence* a, const Sequence* b) const {
      return a->spec.priority != b->spec.priority ? a->spec.priority < b->spec.priority : a->order < b->order;
    }
  };
  struct Wake {
    TimePoint due;
    std::uint64_t order = 0;
    bool operator>(const Wake& other) const { return due != other.due ? due > other.due : order > other.order; }
  };

  void place(Sequence& sequence, TimePoint now);
  void count_decoding(Sequence& sequence, bool is_decoding);
  void drop_stale_wakes();

  std::set<Sequence*, ByRank> members_;
  std::vector<Sequence*> decoding_;
  std::vector<Sequence*> prefilling_;
  std::vector<Sequence*> incoming_;                      ///< ready, not yet in the lists
  std::unordered_map<std::uint64_t, Sequence*> asleep_;  ///< by order of arrival
  std::vector<Wake> wakes_;                              ///< a heap; those not asleep any more are skipped
  std::size_t decoding_members_ = 0;
};

}  // namespace refserver
