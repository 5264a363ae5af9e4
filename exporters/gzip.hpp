// Text made smaller for a network, in the format that HTTP calls gzip. Bytes in, bytes out.
#pragma once

#include <string>
#include <string_view>

namespace exporters {

/// Level 1: about 200 MB/s of line protocol down to a sixth. Throws std::bad_alloc only.
std::string gzipped(std::string_view bytes);

}  // namespace exporters
