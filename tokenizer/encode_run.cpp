// One text's way through the stages.
#include <algorithm>
#include <iterator>

#include "tokenizer/pipeline.hpp"
#include "tokenizer/unicode/nfc.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {
namespace {

/// For each byte of what replace_invalid makes of `text`, the bytes it stands for.
std::vector<ByteRange> origin_of_replaced(std::string_view text) {
  std::vector<ByteRange> origin;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    origin.insert(origin.end(), step.kind == Utf8::whole ? step.bytes : kReplacement.size(), {at, at + step.bytes});
    at += step.bytes;
  }
  return origin;
}

/// Where `span` is after `characters` of its characters, at most all of them.
std::size_t characters_on(std::string_view text, const TokenSpan& span, std::size_t characters) {
  std::size_t at = span.start;
  for (; characters > 0 && at < span.stop; --characters) at += utf8_step(text, at).bytes;
  return at;
}

std::size_t count_characters(std::string_view text, const TokenSpan& span) {
  std::size_t count = 0;
  for (std::size_t at = span.start; at < span.stop; ++count) at += utf8_step(text, at).bytes;
  return count;
}

}  // namespace

ByteRange EncodeRun::Layer::locate(ByteRange range) const {
  if (range.start >= range.stop) return {};
  if (origin) {
    range = {(*origin)[range.start].start, (*origin)[range.stop - 1].stop};
  } else {
    while (range.start > 0 && is_continuation(text[range.start])) --range.start;
    while (range.stop < text.size() && is_continuation(text[range.stop])) ++range.stop;
    range = {base + range.start, base + range.stop};
  }
  return below ? below->locate(range) : range;
}

void EncodeRun::run(std::string_view text) {
  if (options_.special_tokens == SpecialTokens::add) {  // the last step's tokens stand outermost
    for (auto step = pipeline_.post_steps.rbegin(); step != pipeline_.post_steps.rend(); ++step) {
      ids_.insert(ids_.end(), step->before.begin(), step->before.end());
    }
  }
  if (valid_utf8_size(text) == text.size()) {
    encode_text({text});
  } else {
    const std::string replaced = replace_invalid(text);
    const std::vector<ByteRange> origin = spans_ ? origin_of_replaced(text) : std::vector<ByteRange>();
    encode_text({replaced, nullptr, 0, &origin});
  }
  post_process(text);
}

void EncodeRun::encode_text(const Layer& layer) {
  pipeline_.raw_tokens.split(
      layer.text, options_.token_text == TokenText::plain,
      [&](std::size_t start, std::size_t stop) {
        encode_between_raw_tokens({layer.text.substr(start, stop - start), &layer, start});
      },
      [&](std::size_t start, std::size_t stop, TokenId id) { add_token(layer, start, stop, id); });
}

void EncodeRun::encode_between_raw_tokens(const Layer& layer) {
  if (!pipeline_.normalize_nfc || settled_size(layer.text) == layer.text.size()) return encode_normalized(layer);
  std::string normalized;
  std::vector<ByteRange> origin;
  normalize_nfc(layer.text, normalized, spans_ ? &origin : nullptr);
  encode_normalized({normalized, &layer, 0, &origin});
}

void EncodeRun::encode_normalized(const Layer& layer) {
  pipeline_.normalized_tokens.split(
      layer.text, options_.token_text == TokenText::plain,
      [&](std::size_t start, std::size_t stop) { split_and_encode(layer, layer.text.substr(start, stop - start), 0); },
      [&](std::size_t start, std::size_t stop, TokenId id) { add_token(layer, start, stop, id); });
}

void EncodeRun::split_and_encode(const Layer& layer, std::string_view text, std::size_t splitter) {
  const bool is_last = splitter + 1 == pipeline_.splitters.size();
  if (is_last && !pipeline_.add_prefix_space && !pipeline_.split_as_gpt2) {
    const auto encode = [&](std::string_view piece) { encode_piece(layer, piece); };
    return pipeline_.splitters[splitter].for_each_piece(text, encode);
  }
  if (splitter < pipeline_.splitters.size()) {
    const auto go_on = [&](std::string_view piece) { split_and_encode(layer, piece, splitter + 1); };
    return pipeline_.splitters[splitter].for_each_piece(text, go_on);
  }
  if (pipeline_.add_prefix_space && text.front() != ' ') return encode_with_prefix_space(layer, text);
  if (!pipeline_.split_as_gpt2) return encode_piece(layer, text);
  Splitter(SplitPattern::gpt2).for_each_piece(text, [&](std::string_view piece) { encode_piece(layer, piece); });
}

/// The space stands for the same bytes as the character after it.
void EncodeRun::encode_with_prefix_space(const Layer& layer, std::string_view text) {
  const std::string spaced = " " + std::string(text);
  std::vector<ByteRange> origin;
  if (spans_) {
    const auto before = static_cast<std::size_t>(text.data() - layer.text.data());
    origin.push_back({before, before + utf8_size(text.front())});
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!is_continuation(text[i]))
        origin.push_back({before + i, before + i + utf8_size(text[i])});
      else
        origin.push_back(origin.back());
    }
  }
  const Layer with_space{spaced, &layer, 0, &origin};
  const auto encode = [&](std::string_view piece) { encode_piece(with_space, piece); };
  if (!pipeline_.split_as_gpt2) return encode(spaced);
  Splitter(SplitPattern::gpt2).for_each_piece(spaced, encode);
}

void EncodeRun::encode_piece(const Layer& layer, std::string_view piece) {
  if (!spans_) return pipeline_.bpe.encode(piece, ids_);
  const std::size_t first = ids_.size();
  ranges_.clear();
  pipeline_.bpe.encode(piece, ids_, &ranges_);
  const auto base = static_cast<std::size_t>(piece.data() - layer.text.data());
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const TokenId id = ids_[first + i];
    const ByteRange range = layer.locate({base + ranges_[i].start, base + ranges_[i].stop});
    spans_->push_back({id, range.start, range.stop});
    const std::string_view bytes = pipeline_.bpe.tokens().bytes(id);
    const auto leading = std::min(bytes.find_first_not_of(' '), bytes.size());
    blanks_.push_back({leading, bytes.size() - (leading == bytes.size() ? 0 : bytes.find_last_not_of(' ') + 1)});
  }
}

void EncodeRun::add_token(const Layer& layer, std::size_t start, std::size_t stop, TokenId id) {
  ids_.push_back(id);
  if (!spans_) return;
  const ByteRange range = layer.locate({start, stop});
  spans_->push_back({id, range.start, range.stop});
  // White space, and the letter that stands for a space in the byte alphabet: the library tests for both.
  std::vector<bool> is_blank;
  for (std::size_t at = start; at < stop;) {
    const Utf8Point point = utf8_point(&layer.text[at]);
    is_blank.push_back(point.code == 0x120 || (CodePoints::table().traits(point.code) & CodePoints::kSpace) != 0);
    at += point.bytes;
  }
  const auto leading = std::find(is_blank.begin(), is_blank.end(), false) - is_blank.begin();
  const auto trailing = std::find(is_blank.rbegin(), is_blank.rend(), false) - is_blank.rbegin();
  blanks_.push_back({static_cast<std::size_t>(leading), static_cast<std::size_t>(trailing)});
}

void EncodeRun::post_process(std::string_view text) {
  for (const PostStep& step : pipeline_.post_steps) {
    if (step.kind == PostStep::Kind::trim_offsets) {
      if (spans_) trim(step, text);
    } else if (options_.special_tokens == SpecialTokens::add) {
      ids_.insert(ids_.end(), step.after.begin(), step.after.end());
      if (spans_) add_around(step);
    }
  }
}

void EncodeRun::add_around(const PostStep& step) {
  const auto span = [](TokenId id) { return TokenSpan{id, 0, 0}; };
  std::vector<TokenSpan> before(step.before.size());
  std::transform(step.before.begin(), step.before.end(), before.begin(), span);
  spans_->insert(spans_->begin(), before.begin(), before.end());
  std::transform(step.after.begin(), step.after.end(), std::back_inserter(*spans_), span);
  blanks_.insert(blanks_.begin(), before.size(), Blanks{});
  blanks_.resize(spans_->size());
}

void EncodeRun::trim(const PostStep& step, std::string_view text) {
  for (std::size_t i = 0; i < spans_->size(); ++i) {
    TokenSpan& span = (*spans_)[i];
    const auto [leading, trailing] = blanks_[i];
    const bool is_spared = step.spare_prefix_space && leading == 1 && (i == 0 || span.start == 0);
    if (!is_spared) span.start = characters_on(text, span, leading);
    if (trailing == 0) continue;
    const std::size_t left = count_characters(text, span);
    span.stop = characters_on(text, span, left - std::min(left, trailing));
  }
}

}  // namespace tokenizer
