// Time is read where tokens come out of the scheduler, as a client of the server would at best.
#include "refserver/transformer/measure.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>

#include "refserver/transformer/local_run.hpp"

namespace refserver {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

std::vector<TokenId> made_up_prompt(std::uint32_t request, std::uint32_t tokens, std::size_t vocabulary) {
  std::vector<TokenId> prompt(tokens);
  std::uint64_t state = request + 1;
  for (TokenId& id : prompt) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    id = static_cast<TokenId>((state >> 33U) % vocabulary);
  }
  return prompt;
}

RequestSpec spec_of(const MeasuredLoad& load, std::uint32_t request, std::size_t vocabulary) {
  RequestSpec spec;
  spec.id = request + 1;
  spec.prompt = made_up_prompt(request, load.prompt_tokens, vocabulary);
  spec.max_new_tokens = load.new_tokens;
  spec.ignores_eos = true;
  return spec;
}

struct Times {
  std::map<RequestId, std::vector<TimePoint>> of;
  std::vector<TokenId> first_ids;

  void add(RequestId request, TokenId id) {
    of[request].push_back(Clock::now());
    if (request == 1) first_ids.push_back(id);
  }
};

/// Each token is asked for as the only one of a longer prompt: what generation costs without a cache of keys and
/// values.
void run_without_kv(TransformerModel& model, const MeasuredLoad& load, LocalRun& run, Times& times) {
  for (std::uint32_t request = 0; request < load.requests; ++request) {
    RequestSpec spec = spec_of(load, request, model.folder.tokenizer->size());
    spec.max_new_tokens = 1;
    for (std::uint32_t i = 0; i < load.new_tokens; ++i) {
      if (run.add(spec)) throw std::runtime_error("prompt and answer do not fit the context");
      run.finish([&](const TokenEvent& event) {
        times.add(event.request, event.token.id);
        spec.prompt.push_back(event.token.id);
      });
    }
  }
}

void run_with_kv(TransformerModel& model, const MeasuredLoad& load, LocalRun& run, Times& times) {
  for (std::uint32_t request = 0; request < load.requests; ++request) {
    if (run.add(spec_of(load, request, model.folder.tokenizer->size()))) {
      throw std::runtime_error("prompt and answer do not fit the context");
    }
  }
  run.finish([&](const TokenEvent& event) { times.add(event.request, event.token.id); });
}

Measurement sum_up(const MeasuredLoad& load, const Times& times, TimePoint start) {
  Measurement result;
  TimePoint last_first = start, end = start;
  std::vector<double> gaps;
  for (const auto& [request, tokens] : times.of) {
    last_first = std::max(last_first, tokens.front());
    end = std::max(end, tokens.back());
    for (std::size_t i = 1; i < tokens.size(); ++i) gaps.push_back(Milliseconds(tokens[i] - tokens[i - 1]).count());
  }
  std::size_t all = 0, later = 0;
  for (const auto& [request, tokens] : times.of) {
    all += tokens.size();
    later += static_cast<std::size_t>(std::ranges::count_if(tokens, [&](TimePoint at) { return at > last_first; }));
  }
  const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
  result.seconds = seconds(end - start);
  result.first_token_ms = Milliseconds(times.of.at(1).front() - start).count();
  result.gap_ms = median(std::move(gaps));
  result.prompt_tokens_per_s = static_cast<double>(load.requests * load.prompt_tokens) / seconds(last_first - start);
  result.tokens_per_s = static_cast<double>(all) / result.seconds;
  if (later > 0) result.decode_tokens_per_s = static_cast<double>(later) / seconds(end - last_first);
  result.ids = times.first_ids;
  return result;
}

/// Of a line such as "VmRSS:     1234 kB" in /proc/self/status.
std::uint64_t kilobytes_of(const std::string& line) {
  const std::size_t digit = line.find_first_of("0123456789");
  std::uint64_t value = 0;
  if (digit != line.npos) std::from_chars(line.data() + digit, line.data() + line.size(), value);
  return value;
}

}  // namespace

Measurement measure(TransformerModel& model, const MeasuredLoad& load) {
  SchedulerConfig config = model.scheduler;
  config.max_batch_size = load.batch;
  config.batch = load.kind;
  config.has_prefix_cache = false;
  LocalRun run(config, *model.vocabulary, *model.engine);
  Times times;
  const TimePoint start = Clock::now();
  load.keeps_kv ? run_with_kv(model, load, run, times) : run_without_kv(model, load, run, times);
  if (run.failed() > 0) throw std::runtime_error("the model's logits are not numbers");
  return sum_up(load, times, start);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

ResidentMemory resident_memory() {
  ResidentMemory memory;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) memory.total = kilobytes_of(line) * 1024;
    if (line.starts_with("RssAnon:")) memory.anonymous = kilobytes_of(line) * 1024;
    if (line.starts_with("VmHWM:")) memory.peak = kilobytes_of(line) * 1024;
  }
  return memory;
}

}  // namespace refserver
