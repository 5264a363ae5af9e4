// The greedy choice with every instruction set: the bits of the definition.
#include "kernels/cpu/choice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/cpu/kernel_table.hpp"

namespace kernels {
namespace {

std::vector<const KernelTable*> tables() {
  std::vector<const KernelTable*> found;
  for (const KernelTable* const table : {find_kernels_avx512(), find_kernels_avx2(), find_kernels_portable()}) {
    if (table != nullptr) found.push_back(table);
  }
  return found;
}

TEST(Choice, MassesAreThoseOfTheDefinition) {
  std::mt19937 random(20261121);
  for (const float spread : {0.01F, 3.0F, 30.0F, 1e30F}) {
    std::normal_distribution<float> normal(0, spread);
    for (const std::size_t count : {1, 15, 16, 17, 1000, 6003}) {
      std::vector<float> logits(count);
      for (float& logit : logits) logit = normal(random);
      if (count > 3) logits[count - 2] = -INFINITY;
      std::uint64_t expected = 0;
      const float greatest = *std::ranges::max_element(logits);
      for (const float logit : logits) expected += sampling::mass_of(sampling::surprise_of(logit, greatest, 1.0F));
      for (const KernelTable* const table : tables()) {
        EXPECT_EQ(table->greatest(logits.data(), count), greatest) << table->name;
        EXPECT_EQ(table->total_mass(logits.data(), count, greatest), expected) << table->name << ' ' << spread;
      }
    }
  }
}

TEST(Choice, EverySurpriseHasItsMass) {
  std::vector<float> logits;
  for (float surprise = 0; surprise < 31; surprise += 0.0137F) logits.push_back(7 - surprise);
  for (const KernelTable* const table : tables()) {
    for (const float& logit : logits) {
      ASSERT_EQ(table->total_mass(&logit, 1, 7), sampling::mass_of(7 - logit)) << table->name << ' ' << logit;
    }
  }
}

TEST(Choice, OfEqualOnesTheFirst) {
  std::vector<float> logits(40, -1.0F);
  logits[33] = logits[21] = 2.5F;
  const SampledId chosen = choose_greatest(logits);
  EXPECT_EQ(chosen.id, 21);
  EXPECT_EQ(chosen.surprise, 0);
  EXPECT_GT(chosen.total, std::uint64_t{2} << kMassBits);
  EXPECT_EQ(choose_greatest(std::vector<float>{-3, -0.0F, 0.0F}).id, 1);
}

TEST(Choice, NothingOfWhatIsNoNumber) {
  for (const float strange : {NAN, INFINITY}) {
    for (const std::size_t at : {0, 15, 16, 39}) {
      std::vector<float> logits(40, 1.0F);
      logits[at] = strange;
      EXPECT_EQ(choose_greatest(logits).id, -1) << strange << " at " << at;
      for (const KernelTable* const table : tables()) {
        EXPECT_FALSE(std::isfinite(table->greatest(logits.data(), logits.size()))) << table->name;
      }
    }
  }
  EXPECT_EQ(choose_greatest(std::vector<float>(20, -INFINITY)).id, -1);
}

}  // namespace
}  // namespace kernels
