// A posted handler goes behind the poll of the sockets in Asio's queue; each turn posts the next one.
#include "refserver/http/turnstile.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

namespace refserver {

namespace asio = boost::asio;

asio::awaitable<void> Turnstile::wait_turn() {
  // What resumes the coroutine can only be moved; std::function wants copies, so it gets a shared one.
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this](auto resume) {
        auto shared = std::make_shared<decltype(resume)>(std::move(resume));
        waiting_.push_back([shared] { std::move (*shared)(); });
        if (waiting_.size() == 1) post_next();
      },
      asio::use_awaitable);
}

void Turnstile::post_next() {
  asio::post(io_, [this] {
    const std::function<void()> resume = std::move(waiting_.front());
    waiting_.pop_front();
    if (!waiting_.empty()) post_next();
    resume();
  });
}

}  // namespace refserver
