// Asio's types bound to one io_context, so that nothing on the hot path goes through a type-erased executor. Internal
// to drive.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace loadgen {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
template <class T>
using Task = asio::awaitable<T, Executor>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Endpoint = asio::ip::tcp::endpoint;
using ErrorCode = boost::system::error_code;

/// The completion token of every operation: awaits a tuple whose first member is the error code.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable_t<Executor>());

}  // namespace loadgen
