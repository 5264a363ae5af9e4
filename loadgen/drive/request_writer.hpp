// Turns a planned request into the bytes of its HTTP/1.1 request. Everything that does not change between requests of
// an entry is prepared once; per request only the prompt is escaped and the length filled in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/plan/plan.hpp"

namespace loadgen {

class RequestWriter {
 public:
  /// `run_id` goes into `x-request-id: <run_id>-<index>`, which a server may log.
  RequestWriter(const Plan& plan, const std::string& run_id);

  /// Replaces `out` by the whole request. No allocation once `out` has grown.
  void write(const PlannedRequest& request, std::string& out) const;

 private:
  struct Template {
    std::string head;         ///< request line and headers up to the index in `x-request-id`
    std::string body_before;  ///< JSON up to the opening quote of the prompt
    std::string body_after;
    std::vector<std::string> prompts;  ///< JSON-escaped
  };

  const Plan& plan_;
  std::vector<Template> templates_;  ///< by entry
  std::string index_header_;         ///< from the end of the line before it to its value; empty: none
};

}  // namespace loadgen
