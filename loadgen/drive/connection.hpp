// One connection of a courier: a transport, whom it serves, and what is still to be written. Internal to drive.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "loadgen/drive/event_loop.hpp"
#include "loadgen/drive/transport.hpp"

namespace loadgen {

class Connection;
class Exchange;

/// Told when a connection can go on. May retire the connection meanwhile.
class ConnectionOwner {
 public:
  virtual void on_ready(Connection& connection, std::uint32_t events) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : public Watcher {
 public:
  /// setting_up: connected, but for a tunnel or a handshake.
  enum class State : std::uint8_t { connecting, setting_up, open, closed };

  Connection(ConnectionOwner& owner, std::size_t target, std::unique_ptr<Transport> transport, State state)
      : transport_(std::move(transport)), state_(state), target_(target), owner_(owner) {}

  void on_ready(std::uint32_t events) override {
    if (state_ != State::closed) owner_.on_ready(*this, events);
  }

  void get_near() const noexcept override;
  void get_nearer() const noexcept override;

  Exchange* exchange = nullptr;  ///< whose request it carries; null while idle
  std::size_t position = 0;      ///< in the list that owns it
  std::int64_t idle_since_ns = 0;
  std::uint64_t number = 0;  ///< tells it from all others of the process

  State state() const noexcept { return state_; }
  std::size_t target() const noexcept { return target_; }
  Transport& transport() noexcept { return *transport_; }
  /// The peer will send no more than what is there, or the socket is broken: it carries no other request.
  void note_end() noexcept { is_ending_ = true; }
  bool is_ending() const noexcept { return is_ending_; }
  bool has_unsent() const noexcept { return !unsent_.empty() || transport_->wants() != 0; }

  /// Watches for bytes, and for room to write or the end of the connecting where one of those is awaited. 0 or errno.
  int update_interest(EventLoop& loop) noexcept;
  /// Is to be told once more of what is there: not all of it has been read. 0 or errno.
  int ask_again(EventLoop& loop) noexcept;
  void on_setting_up() noexcept { state_ = State::setting_up; }
  void on_connected() noexcept { state_ = State::open; }
  /// Hands `bytes` to the transport and keeps what it does not take. 0 or errno.
  int write(std::string_view bytes);
  /// Goes on with what was kept.
  int write_rest();
  /// Keeps a request until the connection is there; `take_kept` gives it back.
  void keep(std::string_view request) {
    unsent_.assign(request);
    unsent_at_ = 0;
  }
  std::string take_kept() noexcept { return std::exchange(unsent_, {}); }
  /// Ends it at once; the object lives on until the current events have been handled.
  void close(EventLoop& loop) noexcept;

 private:
  std::unique_ptr<Transport> transport_;
  State state_;
  bool is_ending_ = false;
  std::uint32_t interest_ = 0;  ///< what the loop watches for; 0: not watched yet
  std::size_t target_;
  ConnectionOwner& owner_;
  std::string unsent_;
  std::size_t unsent_at_ = 0;  ///< how much of it has been written
};

}  // namespace loadgen
