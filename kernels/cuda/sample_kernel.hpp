// The choice of a token on the device, by the arithmetic of kernels/sampling.hpp: filters become limits that every pass
// over the row tests again, and limits are found by a radix search over ranks with exact sums of masses, so that the
// choice is the host's whatever the order of threads.
#pragma once

#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/simt.hpp"
#include "kernels/sampling.hpp"

namespace kernels::cuda {

/// A SampleRow with places in the arrays of the launch instead of spans.
struct SampleTask {
  ChoiceRule rule;
  float temperature;
  float repetition_penalty;
  float frequency_penalty;
  std::uint32_t top_k;
  float top_p;
  float typical_p;
  std::uint32_t context;  ///< first of `context_count` counts
  std::uint32_t context_count;
  std::uint32_t context_length;
  std::uint32_t forbidden;  ///< first of `forbidden_count` ids
  std::uint32_t forbidden_count;
  std::uint64_t seed;
  std::uint64_t position;
};

struct SampleArgs {
  DeviceRows x;        ///< logits; masks and penalties are written to them
  std::uint32_t cols;  ///< ids that can be chosen
  const SampleTask* tasks;
  const TokenCount* counts;
  const std::int32_t* forbidden;
  SampledId* results;
};

/// One block per row.
struct SampleKernel {
  using Args = SampleArgs;
  static constexpr unsigned kThreads = 1024;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kBins = 256;
  static constexpr unsigned kListed = 4096;  ///< ids of a bin that are kept instead of reading the row again
  struct Shared {
    std::uint64_t bins[kBins];
    std::uint64_t parts[kThreads / simt::kLanes];
    std::uint64_t below;  ///< weight of the bins before the one that was found
    std::uint32_t found;
    std::uint32_t listed;
    std::uint32_t ids[kListed];
  };
  static constexpr unsigned kSharedBytes = sizeof(Shared);

  /// The row and what has been filtered out so far; the same in every thread.
  struct Row {
    const float* x;
    std::uint32_t cols;
    float greatest;
    float temperature;
    float most_surprising = INFINITY;            ///< of top_k
    std::uint64_t last_key = ~std::uint64_t{0};  ///< of top_p
    float mean = 0;                              ///< surprise
    float most_untypical = INFINITY;             ///< of typical_p

    /// Whether an id can be chosen, and how surprising it is.
    PLUMBLINE_KERNEL bool has(std::uint32_t id, float& surprise) const {
      const float logit = x[id];
      if (logit == -INFINITY) return false;
      surprise = sampling::surprise_of(logit, greatest, temperature);
      return surprise <= most_surprising && key_of(surprise, id) <= last_key &&
             sampling::untypical(surprise, mean) <= most_untypical;
    }
  };

  static PLUMBLINE_KERNEL void run(const Args& args) {
    auto& shared = *reinterpret_cast<Shared*>(simt::shared_memory());
    const SampleTask& task = args.tasks[simt::block_index()];
    float* const x = args.x.data + simt::block_index() * args.x.stride;
    prepare(args, task, x);
    Row row{x, args.cols, 0.0F, task.temperature};
    const SampledId result = find_greatest(row, shared) ? choose(task, row, shared) : SampledId{};
    if (simt::thread_index() == 0) args.results[simt::block_index()] = result;
  }

 private:
  /// Ascending: by rank, which is 0 or above, then by id.
  static PLUMBLINE_KERNEL std::uint64_t key_of(float rank, std::uint32_t id) {
    return std::uint64_t{simt::float_bits(rank + 0.0F)} << 32U | id;
  }
  static PLUMBLINE_KERNEL float rank_of(std::uint64_t key) {
    return simt::float_of(static_cast<std::uint32_t>(key >> 32U));
  }
  /// A first, coarse look at ranks that spreads those of a vocabulary: never less for a greater one.
  static PLUMBLINE_KERNEL std::uint32_t bin_of(float rank) {
    return rank < 31.875F ? static_cast<std::uint32_t>(rank * 8.0F) : kBins - 1;
  }

  /// Masks, then penalties.
  static PLUMBLINE_KERNEL void prepare(const Args& args, const SampleTask& task, float* x) {
    for (std::uint32_t i = simt::thread_index(); i < task.forbidden_count; i += kThreads) {
      const std::int32_t id = args.forbidden[task.forbidden + i];
      if (id >= 0 && static_cast<std::uint32_t>(id) < args.cols) x[id] = -INFINITY;
    }
    simt::sync_threads();
    for (std::uint32_t i = simt::thread_index(); i < task.context_count; i += kThreads) {
      const TokenCount one = args.counts[task.context + i];
      if (one.id < 0 || static_cast<std::uint32_t>(one.id) >= args.cols) continue;
      x[one.id] = sampling::penalised(x[one.id], one.count, task.repetition_penalty, task.frequency_penalty,
                                      task.context_length);
    }
    simt::sync_threads();
  }

  /// False if nothing can be chosen.
  static PLUMBLINE_KERNEL bool find_greatest(Row& row, Shared& shared) {
    float greatest = -INFINITY;
    bool has_nan = false;
    for (std::uint32_t i = simt::thread_index(); i < row.cols; i += kThreads) {
      has_nan = has_nan || row.x[i] != row.x[i];
      greatest = fmaxf(greatest, row.x[i]);
    }
    const std::uint64_t bits =
        reduce(ordered(greatest), shared, [](std::uint64_t a, std::uint64_t b) { return a > b ? a : b; });
    const auto order = static_cast<std::uint32_t>(bits);
    row.greatest = simt::float_of((order & 0x80000000U) != 0 ? order ^ 0x80000000U : ~order);
    return !simt::sync_threads_or(has_nan) && fabsf(row.greatest) <= sampling::kGreatestFloat;
  }
  /// Bits that are in order as the floats are.
  static PLUMBLINE_KERNEL std::uint64_t ordered(float value) {
    const std::uint32_t bits = simt::float_bits(value);
    return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  }

  static PLUMBLINE_KERNEL SampledId choose(const SampleTask& task, Row& row, Shared& shared) {
    const auto one = [](float) { return std::uint64_t{1}; };
    const auto mass = [](float surprise) { return sampling::mass_of(surprise); };
    const auto surprise_rank = [](float surprise) { return surprise; };
    if (task.top_k > 0) {
      const std::uint64_t last = search(row, shared, task.top_k, surprise_rank, one);
      if (last != ~std::uint64_t{0}) row.most_surprising = rank_of(last);
    }
    std::uint64_t total = add_up(row, shared, mass);
    if (task.top_p < 1.0F) {
      row.last_key = search(row, shared, sampling::share_of(total, task.top_p), surprise_rank, mass);
      total = add_up(row, shared, mass);
    }
    if (task.typical_p < 1.0F) {
      const float mean = mean_surprise(row, shared, total);
      const auto untypical = [mean](float surprise) { return sampling::untypical(surprise, mean); };
      const std::uint64_t last = search(row, shared, sampling::share_of(total, task.typical_p), untypical, mass);
      row.mean = mean;
      row.most_untypical = rank_of(last);
      total = add_up(row, shared, mass);
    }
    const std::uint64_t chosen =
        task.rule == ChoiceRule::greatest
            ? least_key(row, shared)
            : search(row, shared, sampling::drawn_mass(total, task.seed, task.position), surprise_rank, mass);
    return {static_cast<std::int32_t>(static_cast<std::uint32_t>(chosen)), rank_of(chosen), total};
  }

  /// Of all threads' values; the same in every thread.
  template <class Combine>
  static PLUMBLINE_KERNEL std::uint64_t reduce(std::uint64_t value, Shared& shared, const Combine& combine) {
    const unsigned lane = simt::thread_index() % simt::kLanes;
    PLUMBLINE_UNROLL
    for (unsigned step = simt::kLanes / 2; step > 0; step /= 2)
      value = combine(value, simt::shuffle(value, lane ^ step));
    simt::sync_threads();  // an earlier reduction has been read
    if (lane == 0) shared.parts[simt::thread_index() / simt::kLanes] = value;
    simt::sync_threads();
    value = shared.parts[0];
    for (unsigned i = 1; i < kThreads / simt::kLanes; ++i) value = combine(value, shared.parts[i]);
    return value;
  }
  static PLUMBLINE_KERNEL std::uint64_t sum(std::uint64_t value, Shared& shared) {
    return reduce(value, shared, [](std::uint64_t a, std::uint64_t b) { return a + b; });
  }

  template <class WeightOf>
  static PLUMBLINE_KERNEL std::uint64_t add_up(const Row& row, Shared& shared, const WeightOf& weight_of) {
    std::uint64_t total = 0;
    for (std::uint32_t i = simt::thread_index(); i < row.cols; i += kThreads) {
      float surprise = 0;
      if (row.has(i, surprise)) total += weight_of(surprise);
    }
    return sum(total, shared);
  }
  static PLUMBLINE_KERNEL float mean_surprise(const Row& row, Shared& shared, std::uint64_t total) {
    sampling::SurpriseSums sums;
    for (std::uint32_t i = simt::thread_index(); i < row.cols; i += kThreads) {
      float surprise = 0;
      if (row.has(i, surprise)) sums.add(sampling::mass_of(surprise), surprise);
    }
    sums.high = sum(sums.high, shared);
    sums.low = sum(sums.low, shared);
    return sums.mean(total);
  }
  static PLUMBLINE_KERNEL std::uint64_t least_key(const Row& row, Shared& shared) {
    std::uint64_t least = ~std::uint64_t{0};
    for (std::uint32_t i = simt::thread_index(); i < row.cols; i += kThreads) {
      float surprise = 0;
      if (row.has(i, surprise) && key_of(surprise, i) < least) least = key_of(surprise, i);
    }
    return reduce(least, shared, [](std::uint64_t a, std::uint64_t b) { return a < b ? a : b; });
  }

  /// The least key for which all ids up to it weigh at least `target`; all ones if the whole row weighs less.
  template <class RankOf, class WeightOf>
  static PLUMBLINE_KERNEL std::uint64_t search(const Row& row, Shared& shared, std::uint64_t target, const RankOf& rank,
                                               const WeightOf& weight_of) {
    // By bins first: of a vocabulary, few ids are in one.
    begin_digit(shared);
    for (std::uint32_t i = simt::thread_index(); i < row.cols; i += kThreads) {
      float surprise = 0;
      if (row.has(i, surprise)) simt::atomic_add(&shared.bins[bin_of(rank(surprise))], weight_of(surprise));
    }
    if (!find_digit(shared, target)) return ~std::uint64_t{0};
    const std::uint32_t bin = shared.found;
    target -= shared.below;
    list_bin(row, shared, bin, rank);
    const bool is_listed = shared.listed <= kListed;
    const std::uint32_t count = is_listed ? shared.listed : row.cols;
    // Then by the bytes of the key. Ids have less than 24 bits.
    std::uint64_t prefix = 0;
    std::uint64_t known = 0;
    for (int shift = 56; shift >= 0; shift = shift == 32 ? 16 : shift - 8) {
      begin_digit(shared);
      for (std::uint32_t i = simt::thread_index(); i < count; i += kThreads) {
        const std::uint32_t id = is_listed ? shared.ids[i] : i;
        float surprise = 0;
        if (!row.has(id, surprise) || bin_of(rank(surprise)) != bin) continue;
        const std::uint64_t key = key_of(rank(surprise), id);
        if ((key & known) == prefix) simt::atomic_add(&shared.bins[key >> shift & 0xFFU], weight_of(surprise));
      }
      find_digit(shared, target);
      target -= shared.below;
      prefix |= std::uint64_t{shared.found} << shift;
      known |= std::uint64_t{0xFF} << shift;
    }
    return prefix;
  }
  static PLUMBLINE_KERNEL void begin_digit(Shared& shared) {
    simt::sync_threads();  // what was found before has been read
    for (unsigned i = simt::thread_index(); i < kBins; i += kThreads) shared.bins[i] = 0;
    if (simt::thread_index() == 0) shared.listed = 0;
    simt::sync_threads();
  }
  /// Puts the first bin up to which the weights reach `target` into shared.found, and what is before it into
  /// shared.below; false if they do not. The first warp: each lane has eight bins.
  static PLUMBLINE_KERNEL bool find_digit(Shared& shared, std::uint64_t target) {
    constexpr unsigned kEach = kBins / simt::kLanes;
    simt::sync_threads();
    bool is_found = false;
    if (simt::thread_index() < simt::kLanes) {
      const unsigned lane = simt::thread_index();
      std::uint64_t own = 0;
      for (unsigned i = 0; i < kEach; ++i) own += shared.bins[lane * kEach + i];
      std::uint64_t up_to = own;  // this lane's
      for (unsigned step = 1; step < simt::kLanes; step *= 2) {
        const std::uint64_t before = simt::shuffle(up_to, lane >= step ? lane - step : lane);
        if (lane >= step) up_to += before;
      }
      std::uint64_t below = up_to - own;
      if (below < target && target <= up_to) {
        unsigned bin = lane * kEach;
        while (below + shared.bins[bin] < target) below += shared.bins[bin++];
        shared.found = bin;
        shared.below = below;
        is_found = true;
      }
    }
    return simt::sync_threads_or(is_found);
  }
  template <class RankOf>
  static PLUMBLINE_KERNEL void list_bin(const Row& row, Shared& shared, std::uint32_t bin, const RankOf& rank) {
    for (std::uint32_t i = simt::thread_index(); i < row.cols; i += kThreads) {
      float surprise = 0;
      if (!row.has(i, surprise) || bin_of(rank(surprise)) != bin) continue;
      const std::uint32_t place = simt::atomic_add(&shared.listed, 1);
      if (place < kListed) shared.ids[place] = i;
    }
    simt::sync_threads();
  }
};

}  // namespace kernels::cuda
