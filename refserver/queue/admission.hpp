// Permits: one per request being answered, taken before validation and given back by destructor. Full means a refusal
// now, not memory later. Used by the I/O thread only.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <utility>

namespace refserver {

class Admission {
 public:
  /// Gives its place back when destroyed. Must not outlive the Admission.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(owner_, other.owner_);
      return *this;
    }
    ~Permit() {
      if (owner_ != nullptr) --owner_->in_use_;
    }

   private:
    friend class Admission;
    explicit Permit(Admission& owner) : owner_(&owner) { ++owner.in_use_; }
    Admission* owner_;
  };

  explicit Admission(std::uint32_t limit) : limit_(limit) {}
  ~Admission() { assert(in_use_ == 0); }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Empty if all permits are taken.
  std::optional<Permit> try_enter() {
    if (in_use_ >= limit_) return std::nullopt;
    return Permit(*this);
  }
  std::uint32_t in_use() const { return in_use_; }
  std::uint32_t limit() const { return limit_; }

 private:
  std::uint32_t limit_;
  std::uint32_t in_use_ = 0;
};

}  // namespace refserver
