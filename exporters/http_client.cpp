#include "exporters/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <stdexcept>
#include <utility>

namespace exporters {
namespace {

/// libcurl wants this once per process, before its first handle.
void initialize_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw std::runtime_error("libcurl cannot be initialised");
}

struct Collector {
  std::string body;
  std::size_t limit;
};

/// Takes everything and keeps what fits: an endless answer ends with the request's time limit, not our memory.
std::size_t collect(char* data, std::size_t size, std::size_t count, void* user) {
  auto& collector = *static_cast<Collector*>(user);
  const std::size_t room = collector.limit - std::min(collector.limit, collector.body.size());
  collector.body.append(data, std::min(room, size * count));
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(user))() ? 1 : 0;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

struct HttpClient::Handle {
  CURL* curl = curl_easy_init();
  curl_slist* headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> error{};

  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }

  template <class T>
  void set(CURLoption option, T value) {
    const CURLcode result = curl_easy_setopt(curl, option, value);
    assert(result == CURLE_OK);
  }

  void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

  /// Back to no options and no headers; the connection stays open.
  void reset() {
    curl_easy_reset(curl);
    curl_slist_free_all(std::exchange(headers, nullptr));
    error[0] = '\0';
  }
};

HttpClient::HttpClient(HttpClientOptions options) : options_(std::move(options)) {
  initialize_curl();
  handle_ = std::make_unique<Handle>();
  if (handle_->curl == nullptr) throw std::runtime_error("libcurl cannot make a handle");
}

HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::get(std::string_view path) {
  handle_->reset();
  return perform(path);
}

HttpAnswer HttpClient::post(std::string_view path, std::string_view content_type, std::string_view body,
                            ContentEncoding encoding) {
  handle_->reset();
  handle_->set(CURLOPT_POST, 1L);
  handle_->set(CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
  handle_->set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  handle_->add_header("Expect:");  // no waiting for "100 Continue"
  handle_->add_header("Content-Type: " + std::string(content_type));
  if (encoding == ContentEncoding::gzip) handle_->add_header("Content-Encoding: gzip");
  return perform(path);
}

HttpAnswer HttpClient::perform(std::string_view path) {
  const HttpCredentials& credentials = options_.credentials;
  if (has_control(credentials.token) || has_control(credentials.user) || has_control(credentials.password))
    return {0, {}, {}, "the credentials hold a control character (a line break at the end of a file?)"};
  Handle& h = *handle_;
  Collector collector{{}, options_.max_answer_bytes};
  const std::string url = options_.server + std::string(path);
  h.set(CURLOPT_URL, url.c_str());
  h.set(CURLOPT_NOSIGNAL, 1L);
  h.set(CURLOPT_PROXY, "");
  h.set(CURLOPT_PROTOCOLS_STR, "http,https");
  h.set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  h.set(CURLOPT_ERRORBUFFER, h.error.data());
  h.set(CURLOPT_WRITEFUNCTION, &collect);
  h.set(CURLOPT_WRITEDATA, &collector);
  if (options_.should_abort) {
    h.set(CURLOPT_NOPROGRESS, 0L);
    h.set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    h.set(CURLOPT_XFERINFODATA, &options_.should_abort);
  }
  if (!credentials.token.empty()) {
    h.add_header("Authorization: " + credentials.token_scheme + " " + credentials.token);
  } else if (!credentials.user.empty()) {
    h.set(CURLOPT_USERNAME, credentials.user.c_str());
    h.set(CURLOPT_PASSWORD, credentials.password.c_str());
  }
  h.set(CURLOPT_HTTPHEADER, h.headers);

  const CURLcode result = curl_easy_perform(h.curl);
  long status = 0;
  curl_off_t retry_after = 0;
  curl_easy_getinfo(h.curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(h.curl, CURLINFO_RETRY_AFTER, &retry_after);
  // A server that refuses a body early closes while we still send: its answer counts. Any other cut-off answer does
  // not.
  const bool refused_early = result == CURLE_SEND_ERROR && status >= 400;
  if (result != CURLE_OK && !refused_early)
    return {0, {}, {}, h.error[0] != '\0' ? h.error.data() : curl_easy_strerror(result)};
  return {static_cast<int>(status), std::move(collector.body), std::chrono::seconds(retry_after), {}};
}

}  // namespace exporters
