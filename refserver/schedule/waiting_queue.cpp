// Tenants are ordered by what they were served; an idle one is forgotten once remembering it would change nothing.
#include "refserver/schedule/waiting_queue.hpp"

#include <algorithm>
#include <cassert>

#include "refserver/schedule/policy.hpp"

namespace refserver {

void WaitingQueue::enter(Sequence& sequence, std::uint32_t uncached_tokens) {
  const std::string name = config_.policy == PolicyKind::fair ? sequence.spec.tenant : std::string();
  Tenant& tenant = tenants_.try_emplace(name, Tenant{name}).first->second;
  if (tenant.present++ == 0) {
    idle_.erase(&tenant);
    tenant.served = std::max(tenant.served, least_served());
    present_.insert(&tenant);
  }
  sequence.tenant = &tenant;
  sequence.key = make_key(config_, sequence, uncached_tokens);
  insert(sequence);
}

void WaitingQueue::insert(Sequence& sequence) {
  const bool is_new = sequence.tenant->waiting.insert(&sequence).second;
  assert(is_new);
  sequence.place = Place::waiting;
  ++size_;
  prompt_tokens_ += sequence.known();
}

void WaitingQueue::remove(Sequence& sequence) {
  sequence.tenant->waiting.erase(&sequence);
  --size_;
  prompt_tokens_ -= sequence.known();
}

void WaitingQueue::take(Sequence& sequence) {
  remove(sequence);
  sequence.place = Place::running;
}

void WaitingQueue::put_back(Sequence& sequence) {
  sequence.key = make_key(config_, sequence, 0);
  insert(sequence);
}

void WaitingQueue::leave(Sequence& sequence) {
  if (sequence.place == Place::waiting) remove(sequence);
  Tenant& tenant = *sequence.tenant;
  if (--tenant.present > 0) return;
  present_.erase(&tenant);
  last_left_ = tenant.served;
  idle_.insert(&tenant);
  forget_idle();
}

void WaitingQueue::charge(const Sequence& sequence, std::uint64_t weighted_tokens) {
  if (config_.policy != PolicyKind::fair) return;
  Tenant& tenant = *sequence.tenant;
  present_.erase(&tenant);
  tenant.served += weighted_tokens;
  present_.insert(&tenant);
}

void WaitingQueue::forget_idle() {
  // Coming back, such a tenant would be lifted to least_served() anyway.
  while (!idle_.empty() && (*idle_.begin())->served <= least_served()) {
    Tenant* const tenant = *idle_.begin();
    idle_.erase(idle_.begin());
    tenants_.erase(std::string(tenant->name));
  }
}

void WaitingQueue::first(std::size_t most, std::vector<Sequence*>& out) const {
  out.clear();
  const bool is_fair = config_.policy == PolicyKind::fair;
  for (Tenant* const tenant : present_) {
    for (Sequence* const sequence : tenant->waiting) {
      if (out.size() == most) return;
      out.push_back(sequence);
      if (is_fair) break;
    }
  }
}

}  // namespace refserver
