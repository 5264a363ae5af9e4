// Addresses of backends, and where requests go.
#include "refserver/gateway/routing.hpp"

#include <gtest/gtest.h>

namespace refserver {
namespace {

std::vector<Backend> two() {
  std::vector<Backend> backends(2);
  backends[0].address = {"qwen2", "tgi-qwen2", 80};
  backends[0].served_name = "Qwen/Qwen2-7B-Instruct-GPTQ-Int4";
  backends[1].address = {"llama3", "tgi-llama3", 80};
  return backends;
}

TEST(ParseBackend, ReadsHostsLiteralsAndPorts) {
  EXPECT_EQ(*parse_backend("qwen2=http://tgi-qwen2:80"), (BackendAddress{"qwen2", "tgi-qwen2", 80}));
  EXPECT_EQ(*parse_backend("a=http://10.0.0.1/"), (BackendAddress{"a", "10.0.0.1", 80}));
  EXPECT_EQ(*parse_backend("a=http://[::1]:8081"), (BackendAddress{"a", "::1", 8081}));
  EXPECT_EQ(host_header(*parse_backend("a=http://[::1]:8081")), "[::1]:8081");
  EXPECT_EQ(host_header(*parse_backend("a=http://h")), "h");
}

TEST(ParseBackend, SaysWhatIsWrong) {
  for (const auto& [text, words] :
       std::vector<std::pair<std::string, std::string>>{{"http://h:80", "NAME=URL"},
                                                        {"qwen2", "NAME=URL"},
                                                        {"=http://h", "not made of letters"},
                                                        {"a/b=http://h", "not made of letters"},
                                                        {"v1=http://h", "a path of the gateway's own"},
                                                        {"health=http://h", "a path of the gateway's own"},
                                                        {"a=https://h", "TLS is not spoken"},
                                                        {"a=h:80", "does not begin with http://"},
                                                        {"a=http://", "not HOST or HOST:PORT"},
                                                        {"a=http://h:", "not HOST or HOST:PORT"},
                                                        {"a=http://h:0", "not HOST or HOST:PORT"},
                                                        {"a=http://h:65536", "not HOST or HOST:PORT"},
                                                        {"a=http://h:80/path", "not HOST or HOST:PORT"},
                                                        {"a=http://[::1", "not HOST or HOST:PORT"},
                                                        {"a=http://h\r\nx: y", "not HOST or HOST:PORT"},
                                                        {"a=http://user@h", "not HOST or HOST:PORT"}}) {
    const auto address = parse_backend(text);
    ASSERT_FALSE(address) << text;
    EXPECT_NE(address.error().find(words), std::string::npos) << text << ": " << address.error();
  }
}

TEST(FindWay, KnowsItsOwnPaths) {
  const auto backends = two();
  EXPECT_EQ(find_way({"GET", "/health"}, backends)->kind, Way::Kind::health);
  EXPECT_EQ(find_way({"HEAD", "/"}, backends)->kind, Way::Kind::health);
  EXPECT_EQ(find_way({"GET", "/metrics?x=1"}, backends)->kind, Way::Kind::metrics);
  EXPECT_EQ(find_way({"GET", "/v1/models"}, backends)->kind, Way::Kind::models);
  EXPECT_EQ(find_way({"OPTIONS", "/anything"}, backends)->kind, Way::Kind::preflight);
  EXPECT_EQ(find_way({"POST", "/v1/generate"}, backends)->kind, Way::Kind::scenario);
}

TEST(FindWay, APathsFirstPartChoosesAndIsTakenOff) {
  const auto backends = two();
  const auto way = find_way({"POST", "/llama3/generate_stream?a=b"}, backends);
  ASSERT_TRUE(way);
  EXPECT_EQ(way->backend, 1U);
  EXPECT_EQ(way->target, "/generate_stream?a=b");
  EXPECT_EQ(find_way({"GET", "/qwen2"}, backends)->target, "/");
  EXPECT_EQ(find_way({"GET", "/qwen2?x"}, backends)->target, "/?x");
  EXPECT_EQ(find_way({"GET", "/qwen2/health"}, backends)->kind, Way::Kind::forward);
  EXPECT_FALSE(find_way({"POST", "/qwen2x/generate", std::nullopt, "{}"}, backends));
}

TEST(FindWay, TheHeaderChoosesBeforeTheBody) {
  const auto backends = two();
  const auto way = find_way({"POST", "/generate", "llama3", R"({"model":"qwen2"})"}, backends);
  ASSERT_TRUE(way);
  EXPECT_EQ(way->backend, 1U);
  EXPECT_EQ(find_way({"GET", "/info", "qwen2"}, backends)->backend, 0U);
  EXPECT_EQ(find_way({"GET", "/info", "gpt"}, backends).error().type, ErrorType::model_not_found);
}

TEST(FindWay, TheBodysModelChoosesByNameOrServedName) {
  const auto backends = two();
  EXPECT_EQ(find_way({"POST", "/v1/chat/completions", {}, R"({"messages":[],"model":"llama3"})"}, backends)->backend,
            1U);
  EXPECT_EQ(
      find_way({"POST", "/generate", {}, R"({"inputs":"a","model_id":"Qwen/Qwen2-7B-Instruct-GPTQ-Int4"})"}, backends)
          ->backend,
      0U);
  const auto unknown = find_way({"POST", "/generate", {}, R"({"model":"gpt"})"}, backends);
  EXPECT_EQ(unknown.error().text, "unknown model `gpt`, expected one of: qwen2, llama3");
}

TEST(FindWay, SaysHowToNameAModel) {
  const auto backends = two();
  for (const char* const body : {"", "{}", R"({"model":7})", R"({"model":""})"}) {
    const auto way = find_way({"POST", "/generate", {}, body}, backends);
    ASSERT_FALSE(way) << body;
    EXPECT_EQ(way.error().type, ErrorType::model_not_found) << body;
    EXPECT_NE(way.error().text.find("x-plumbline-model"), std::string::npos);
  }
  EXPECT_EQ(find_way({"POST", "/generate", {}, "{\"model\":"}, backends).error().type, ErrorType::body_malformed);
  EXPECT_EQ(find_way({"POST", "/generate", {}, "[1]"}, backends).error().type, ErrorType::body_shape);
}

TEST(FindWay, OneBackendTakesEverything) {
  const auto backends = two();
  const auto way = find_way({"POST", "/generate", {}, "not json"}, std::span(backends).first(1));
  ASSERT_TRUE(way);
  EXPECT_EQ(way->backend, 0U);
}

}  // namespace
}  // namespace refserver
