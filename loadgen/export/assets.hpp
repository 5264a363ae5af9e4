// The texts that report.html is made of, embedded at build time (cmake/embed.cmake): so a report needs no network and
// the program no installation.
#pragma once

#include <string_view>

namespace loadgen::assets {

extern const std::string_view chart_js;  ///< Chart.js, MIT licence, with its notice
extern const std::string_view
    report_html;  ///< template with @TITLE@, @CSS@, @DATA@, @CHART_JS@, @TEXT_JS@ and @CHARTS_JS@
extern const std::string_view report_css;
extern const std::string_view text_js;    ///< the text of the page
extern const std::string_view charts_js;  ///< the charts of the page

}  // namespace loadgen::assets
