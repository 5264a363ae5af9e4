// Turns a planned request into the bytes of its HTTP/1.1 request. Everything that does not change between requests of
// an entry is prepared once; per request only prompt, number of tokens and length are filled in.
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
  /// A stretch of JSON that is always the same, and what follows it.
  struct Piece {
    enum class Next : std::uint8_t { end, prompt, tokens };
    std::string text;
    Next next = Next::end;
  };
  /// Everything behind the index, where only the nonce differs from request to request: it is put in afterwards.
  struct Ready {
    std::string rest;
    std::vector<std::size_t> nonces;  ///< where in `rest`
  };
  struct Template {
    std::string head;  ///< request line and headers up to the index in `x-request-id`
    std::vector<Piece> body;
    std::size_t body_bytes = 0;        ///< of all its texts
    std::vector<std::string> prompts;  ///< JSON-escaped; none where `ready` holds them
    std::vector<Ready> ready;          ///< by prompt; empty where lengths are drawn or prompts made up
  };

  static std::vector<Piece> cut(std::string body);
  static Ready make_ready(const Template& made, const std::string& prompt, bool nonce);
  void write_ready(const Template& made, const PlannedRequest& request, std::string& out) const;
  void write_drawn(const Template& made, const PlannedRequest& request, std::string& out) const;

  const Plan& plan_;
  std::vector<Template> templates_;  ///< by entry
  std::string index_header_;         ///< from the end of the line before it to its value; empty: none
};

}  // namespace loadgen
