// Who is next: waiting requests in policy order, and what each tenant was served. Holds pointers, owns nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "refserver/schedule/scheduler_config.hpp"
#include "refserver/schedule/sequence.hpp"

namespace refserver {

struct ByKey {
  bool operator()(const Sequence* a, const Sequence* b) const { return a->key < b->key; }
};

/// One tenant's waiting requests. Where the policy is not `fair`, everyone is of one tenant.
struct Tenant {
  std::string name;
  std::uint64_t served = 0;   ///< weighted tokens, or what it was lifted to
  std::uint32_t present = 0;  ///< requests waiting or running
  std::set<Sequence*, ByKey> waiting{};
};

class WaitingQueue {
 public:
  explicit WaitingQueue(const SchedulerConfig& config) : config_(config) {}

  /// A new request. A tenant that had none is lifted to the least served of those that have: idling saves nothing up.
  void enter(Sequence& sequence, std::uint32_t uncached_tokens);
  /// Let in: no longer waiting.
  void take(Sequence& sequence);
  /// Preempted: waiting again.
  void put_back(Sequence& sequence);
  /// Over, wherever it was.
  void leave(Sequence& sequence);
  /// Counts work for a request towards its tenant.
  void charge(const Sequence& sequence, std::uint64_t weighted_tokens);

  std::size_t size() const { return size_; }
  std::uint64_t prompt_tokens() const { return prompt_tokens_; }
  /// The next up to `most` in order; under `fair` the first of each tenant.
  void first(std::size_t most, std::vector<Sequence*>& out) const;
  /// Tenants remembered: those present, and those that left having been served more than the rest.
  std::size_t tenants() const { return tenants_.size(); }

 private:
  struct ByServed {
    bool operator()(const Tenant* a, const Tenant* b) const {
      return a->served != b->served ? a->served < b->served : a->name < b->name;
    }
  };

  void insert(Sequence& sequence);
  void remove(Sequence& sequence);
  std::uint64_t least_served() const { return present_.empty() ? last_left_ : (*present_.begin())->served; }
  void forget_idle();

  const SchedulerConfig& config_;
  std::unordered_map<std::string, Tenant> tenants_;
  std::set<Tenant*, ByServed> present_;
  std::set<Tenant*, ByServed> idle_;
  std::uint64_t last_left_ = 0;  ///< what the last tenant to leave was served
  std::size_t size_ = 0;
  std::uint64_t prompt_tokens_ = 0;
};

}  // namespace refserver
