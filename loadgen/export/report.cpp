#include "loadgen/export/report.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "loadgen/export/assets.hpp"
#include "loadgen/export/summary_json.hpp"

namespace loadgen {
namespace {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

struct Part {
  std::string_view marker;
  std::string_view text;
};

/// Replaces each marker once, where the template has it: what is filled in is never searched.
template <std::size_t count>
std::string fill(std::string_view page, const std::array<Part, count>& parts) {
  std::string out;
  for (const Part& part : parts) {  // in the order of the template
    const std::size_t at = page.find(part.marker);
    out += page.substr(0, at);
    out += part.text;
    page.remove_prefix(at + part.marker.size());
  }
  out += page;
  return out;
}

}  // namespace

std::string escape_for_script(const std::string& json) {
  std::string out;
  out.reserve(json.size() + json.size() / 64);
  for (const char c : json) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string render_report(const nlohmann::ordered_json& report) {
  const nlohmann::ordered_json& summary = report.at("summary");
  const std::string name = summary.at("scenario").at("name").get<std::string>();
  // Through the JSON writer, so that bytes that are not UTF-8 are replaced here as everywhere.
  const std::string clean_name = nlohmann::json::parse(render_json_line(name)).get<std::string>();
  const std::string title = escape_html(clean_name);
  const std::string data = escape_for_script(render_json_line(report));
  return fill(assets::report_html, std::array<Part, 6>{{{"@TITLE@", title},
                                                        {"@CSS@", assets::report_css},
                                                        {"@DATA@", data},
                                                        {"@CHART_JS@", assets::chart_js},
                                                        {"@TEXT_JS@", assets::text_js},
                                                        {"@CHARTS_JS@", assets::charts_js}}});
}

}  // namespace loadgen
