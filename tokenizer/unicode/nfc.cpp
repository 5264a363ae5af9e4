// Only the stretches around code points that can change are decomposed, ordered and composed again; the rest is copied.
#include "tokenizer/unicode/nfc.hpp"

#include <algorithm>
#include <cstdint>

#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/unicode_data.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {
namespace {

namespace hangul {
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeads = 0x1100;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kFinals = 0x11A7;  // one before the first
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kFinalCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kFinalCount;

/// Unsigned wrap-around makes each of these one comparison.
bool is_syllable(char32_t c) {
  return c - kSyllables < kSyllableCount;
}

/// 0 if the two do not compose.
char32_t compose(char32_t a, char32_t b) {
  if (a - kLeads < kLeadCount && b - kVowels < kVowelCount) {
    return kSyllables + ((a - kLeads) * kVowelCount + (b - kVowels)) * kFinalCount;
  }
  const bool open = is_syllable(a) && (a - kSyllables) % kFinalCount == 0;
  return open && b - (kFinals + 1) < kFinalCount - 1 ? a + (b - kFinals) : 0;
}
}  // namespace hangul

/// One code point on its way to form C.
struct Part {
  char32_t point = 0;
  std::uint8_t combining = 0;
  /// How the library counts what a result stands for: 1: nothing more than the result before it; 0: one code point of
  /// the text; -n: one and the n after it.
  int change = 0;
};

/// The tables of unicode_data.hpp, ready for look-ups.
class Tables {
 public:
  static const Tables& instance() {
    static const Tables tables;
    return tables;
  }

  /// The canonical decomposition in full; empty if the code point is its own.
  std::span<const char32_t> decomposition(char32_t c) const {
    const auto found = std::lower_bound(decompositions_.begin(), decompositions_.end(), c,
                                        [](const Entry& entry, char32_t point) { return entry.point < point; });
    return found != decompositions_.end() && found->point == c ? found->parts : std::span<const char32_t>();
  }

  static std::uint8_t combining_class(char32_t c) {
    const auto ranges = unicode_data::combining_classes();
    const auto found = std::upper_bound(ranges.begin(), ranges.end(), c,
                                        [](char32_t point, const auto& range) { return point < range.first; });
    return found != ranges.begin() && c <= (found - 1)->last ? (found - 1)->value : std::uint8_t{0};
  }

  /// 0 if the two do not compose.
  static char32_t compose(char32_t a, char32_t b) {
    if (const char32_t syllable = hangul::compose(a, b)) return syllable;
    const auto pairs = unicode_data::compositions();
    const auto found = std::lower_bound(pairs.begin(), pairs.end(), std::pair(a, b), [](const auto& pair, auto key) {
      return std::pair(pair.first, pair.second) < key;
    });
    return found != pairs.end() && found->first == a && found->second == b ? found->composed : 0;
  }

 private:
  struct Entry {
    char32_t point;
    std::span<const char32_t> parts;
  };

  Tables() {
    const auto flat = unicode_data::decompositions();
    for (std::size_t i = 0; i < flat.size(); i += 2 + flat[i + 1]) {
      decompositions_.push_back({flat[i], flat.subspan(i + 2, flat[i + 1])});
    }
  }

  std::vector<Entry> decompositions_;
};

class Normalizer {
 public:
  Normalizer(std::string_view text, std::string& out, std::vector<ByteRange>* origin)
      : text_(text), out_(out), origin_(origin) {}

  void run() {
    std::size_t at = 0;
    while (at < text_.size()) {
      const std::size_t settled = at + settled_size(text_.substr(at));
      copy(at, settled);
      at = settled;
      if (at == text_.size()) break;
      const std::size_t end = unsettled_end(at);
      normalize_stretch(at, end);
      at = end;
    }
  }

 private:
  /// The end of the stretch whose code points, all but the first, are unsettled.
  std::size_t unsettled_end(std::size_t at) const {
    do at += utf8_size(text_[at]);
    while (at < text_.size() && (traits_.traits(utf8_point(&text_[at]).code) & CodePoints::kUnsettled) != 0);
    return at;
  }

  void copy(std::size_t from, std::size_t to) {
    out_.append(text_.substr(from, to - from));
    if (!origin_) return;
    while (from < to) {
      const std::size_t stop = from + utf8_size(text_[from]);
      origin_->insert(origin_->end(), stop - from, {from, stop});
      from = stop;
    }
  }

  void normalize_stretch(std::size_t from, std::size_t to) {
    parts_.clear();
    for (std::size_t at = from; at < to; at += utf8_size(text_[at])) decompose(utf8_point(&text_[at]).code);
    order();
    compose();
    write(from);
  }

  void decompose(char32_t c) {
    const auto push = [this](char32_t point, bool first) {
      parts_.push_back({point, Tables::combining_class(point), first ? 0 : 1});
    };
    if (hangul::is_syllable(c)) {
      const char32_t index = c - hangul::kSyllables;
      push(hangul::kLeads + index / (hangul::kVowelCount * hangul::kFinalCount), true);
      push(hangul::kVowels + index / hangul::kFinalCount % hangul::kVowelCount, false);
      if (index % hangul::kFinalCount != 0) push(hangul::kFinals + index % hangul::kFinalCount, false);
      return;
    }
    const auto decomposed = tables_.decomposition(c);
    if (decomposed.empty()) return push(c, true);
    for (std::size_t i = 0; i < decomposed.size(); ++i) push(decomposed[i], i == 0);
  }

  /// Runs of combining marks come in the order of their classes.
  void order() {
    const auto is_mark = [](const Part& part) { return part.combining != 0; };
    for (auto at = parts_.begin(); at != parts_.end();) {
      const auto first = std::find_if(at, parts_.end(), is_mark);
      at = std::find_if_not(first, parts_.end(), is_mark);
      std::stable_sort(first, at, [](const Part& a, const Part& b) { return a.combining < b.combining; });
    }
  }

  /// Puts each part into the starter before it where the two compose and nothing in between blocks them.
  void compose() {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::size_t starter = kNone;
    std::size_t size = 0;
    std::uint8_t last_class = 0;  // of the marks kept since the starter; 0: none
    for (const Part part : parts_) {
      const bool blocked = starter == kNone || (last_class != 0 && last_class >= part.combining);
      if (const char32_t composed = blocked ? 0 : Tables::compose(parts_[starter].point, part.point)) {
        parts_[starter].point = composed;
        parts_[starter].change += part.change - 1;
        continue;
      }
      if (part.combining == 0) starter = size;
      last_class = starter == kNone ? std::uint8_t{0} : part.combining;
      parts_[size++] = part;
    }
    parts_.resize(size);
  }

  /// Appends the parts, and reads along in the text to say what each stands for.
  void write(std::size_t at) {
    ByteRange before = point_before(at);
    for (const Part& part : parts_) {
      append_utf8(part.point, out_);
      if (!origin_) continue;
      const ByteRange here = part.change > 0 ? before : ByteRange{at, at + utf8_size(text_[at])};
      origin_->resize(out_.size(), here);
      for (int n = part.change; n <= 0; ++n) {
        before = {at, at + utf8_size(text_[at])};
        at = before.stop;
      }
    }
  }

  ByteRange point_before(std::size_t at) const {
    std::size_t start = at;
    while (start > 0 && is_continuation(text_[--start])) continue;
    return {start, at};
  }

  std::string_view text_;
  std::string& out_;
  std::vector<ByteRange>* origin_;
  std::vector<Part> parts_;
  const CodePoints& traits_ = CodePoints::table();
  const Tables& tables_ = Tables::instance();
};

}  // namespace

std::size_t settled_size(std::string_view text) {
  const CodePoints& table = CodePoints::table();
  std::size_t before = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      before = at++;
      continue;
    }
    const Utf8Point point = utf8_point(&text[at]);
    if ((table.traits(point.code) & CodePoints::kUnsettled) != 0) return before;
    before = at;
    at += point.bytes;
  }
  return text.size();
}

void normalize_nfc(std::string_view text, std::string& out, std::vector<ByteRange>* origin) {
  out.clear();
  out.reserve(text.size());
  if (origin) origin->clear();
  Normalizer(text, out, origin).run();
}

}  // namespace tokenizer
