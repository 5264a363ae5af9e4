// The schema of our routes, written down by hand from what read_request.hpp takes. It says less than TGI's own file and
// nothing that is not so here.
#include <fmt/format.h>

#include <array>

#include "refserver/api/answer_format.hpp"
#include "refserver/api/server_answers.hpp"

namespace refserver {
namespace {

struct PathDoc {
  std::string_view path;
  std::string_view method;
  std::string_view summary;
  std::string_view body;  ///< a schema below; empty: none
  bool is_ours = false;
};

constexpr std::array kPaths = {
    PathDoc{"/", "post", "As /generate in an array, or as /generate_stream", "CompatGenerateRequest"},
    PathDoc{"/generate", "post", "An answer in one piece", "GenerateRequest"},
    PathDoc{"/generate_stream", "post", "An answer as server-sent events", "GenerateRequest"},
    PathDoc{"/v1/chat/completions", "post", "OpenAI chat, whole or streamed", "ChatRequest"},
    PathDoc{"/v1/completions", "post", "OpenAI completions, whole or streamed", "CompletionRequest"},
    PathDoc{"/v1/generate", "post", "Gateway: a model, a scenario and a text", "GatewayRequest", true},
    PathDoc{"/invocations", "post", "SageMaker: any of the native, chat and completion bodies", "SagemakerRequest"},
    PathDoc{"/vertex", "post", "Vertex: several instances at once", "VertexRequest"},
    PathDoc{"/tokenize", "post", "The tokens of a text", "GenerateRequest"},
    PathDoc{"/chat_tokenize", "post", "A conversation as its template renders it, and the tokens of that",
            "ChatRequest"},
    PathDoc{"/health", "get", "Empty while the engine works", ""},
    PathDoc{"/info", "get", "The model and the limits", ""},
    PathDoc{"/metrics", "get", "Prometheus text", ""},
    PathDoc{"/v1/models", "get", "The models by their served names", ""},
};

constexpr std::string_view kSchemas =
    R"("GenerateParameters":{"type":"object","properties":{)"
    R"("best_of":{"type":"integer","nullable":true},"temperature":{"type":"number","nullable":true},)"
    R"("repetition_penalty":{"type":"number","nullable":true},"frequency_penalty":{"type":"number","nullable":true},)"
    R"("top_k":{"type":"integer","nullable":true},"top_p":{"type":"number","nullable":true},)"
    R"("typical_p":{"type":"number","nullable":true},"do_sample":{"type":"boolean"},)"
    R"("max_new_tokens":{"type":"integer","minimum":1,"nullable":true},)"
    R"("return_full_text":{"type":"boolean","nullable":true},"stop":{"type":"array","items":{"type":"string"}},)"
    R"("truncate":{"type":"integer","minimum":1,"nullable":true},"watermark":{"type":"boolean"},)"
    R"("details":{"type":"boolean"},"decoder_input_details":{"type":"boolean"},)"
    R"("seed":{"type":"integer","minimum":0,"nullable":true},"top_n_tokens":{"type":"integer","nullable":true}}},)"
    R"("GenerateRequest":{"type":"object","required":["inputs"],"properties":{"inputs":{"type":"string"},)"
    R"("parameters":{"$ref":"#/components/schemas/GenerateParameters"}}},)"
    R"("CompatGenerateRequest":{"type":"object","required":["inputs"],"properties":{"inputs":{"type":"string"},)"
    R"("parameters":{"$ref":"#/components/schemas/GenerateParameters"},"stream":{"type":"boolean"}}},)"
    R"("ChatRequest":{"type":"object","required":["messages"],"properties":{)"
    R"("model":{"type":"string","nullable":true},"messages":{"type":"array","items":{"type":"object",)"
    R"("required":["role"],"properties":{"role":{"type":"string"},"content":{}}}},)"
    R"("max_tokens":{"type":"integer","nullable":true},"stream":{"type":"boolean"},)"
    R"("stop":{"type":"array","items":{"type":"string"},"nullable":true}}},)"
    R"("CompletionRequest":{"type":"object","required":["prompt"],"properties":{)"
    R"("model":{"type":"string","nullable":true},"prompt":{"oneOf":[{"type":"string"},{"type":"array",)"
    R"("minItems":1,"items":{"type":"string"}}]},"max_tokens":{"type":"integer","nullable":true},)"
    R"("stream":{"type":"boolean"}}},)"
    R"("SagemakerRequest":{"oneOf":[{"$ref":"#/components/schemas/CompatGenerateRequest"},)"
    R"({"$ref":"#/components/schemas/ChatRequest"},{"$ref":"#/components/schemas/CompletionRequest"}]},)"
    R"("VertexRequest":{"type":"object","required":["instances"],"properties":{"instances":{"type":"array",)"
    R"("items":{"oneOf":[{"$ref":"#/components/schemas/GenerateRequest"},)"
    R"({"$ref":"#/components/schemas/ChatRequest"}]}}}})";

constexpr std::string_view kGatewaySchema =
    R"(,"GatewayRequest":{"type":"object","required":["model_id","inputs"],"properties":{)"
    R"("model_id":{"type":"string"},"scenario":{"type":"string","nullable":true},"inputs":{"type":"string"},)"
    R"("parameters":{"$ref":"#/components/schemas/GenerateParameters"},"stream":{"type":"boolean"}}})";

}  // namespace

std::string make_openapi(Dialect dialect) {
  const bool is_strict = dialect == Dialect::strict_tgi;
  std::string out = fmt::format(R"({{"openapi":"3.0.3","info":{{"title":"{}","version":"{}"}},"paths":{{)",
                                is_strict ? "Text Generation Inference" : "Plumbline refserver", version_of(dialect));
  for (const PathDoc& doc : kPaths) {
    if (doc.is_ours && is_strict) continue;
    out += fmt::format(R"({}"{}":{{"{}":{{"summary":"{}",)", out.back() == '{' ? "" : ",", doc.path, doc.method,
                       doc.summary);
    if (!doc.body.empty()) {
      out += fmt::format(R"("requestBody":{{"required":true,"content":{{"application/json":{{"schema":)"
                         R"({{"$ref":"#/components/schemas/{}"}}}}}}}},)",
                         doc.body);
    }
    out += R"("responses":{"200":{"description":"as asked"}}}})";
  }
  out += R"(},"components":{"schemas":{)";
  out += kSchemas;
  if (!is_strict) out += kGatewaySchema;
  return out += "}}}";
}

std::string make_docs_page() {
  std::string rows;
  for (const PathDoc& doc : kPaths) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", doc.method, doc.path, doc.summary);
  }
  return "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Routes</title>\n<h1>Routes</h1>\n<table>\n" + rows +
         "</table>\n<p>Schema: <a href=\"/api-doc/openapi.json\">/api-doc/openapi.json</a></p>\n";
}

}  // namespace refserver
