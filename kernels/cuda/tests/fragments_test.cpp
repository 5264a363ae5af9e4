// Every index map over its whole domain: each number lies somewhere, nothing lies twice, and banks do not collide.
#include "kernels/cuda/fragments.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "kernels/cuda/pack_kernel.hpp"
#include "kernels/cuda/wide_matmul_kernel.hpp"

namespace kernels::cuda {
namespace {

TEST(Fragments, HoldEveryElementOnce) {
  std::set<std::pair<unsigned, unsigned>> a, b, c;
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned h = 0; h < 2; ++h) {
      for (unsigned r = 0; r < 4; ++r) a.insert({a_place(lane, r, h).row, a_place(lane, r, h).col});
      for (unsigned r = 0; r < 2; ++r) b.insert({b_place(lane, r, h).row, b_place(lane, r, h).col});
    }
    for (unsigned i = 0; i < 4; ++i) c.insert({c_place(lane, i).row, c_place(lane, i).col});
  }
  EXPECT_EQ(a.size(), 256U);
  EXPECT_EQ(b.size(), 128U);
  EXPECT_EQ(c.size(), 128U);
  EXPECT_EQ(*a.rbegin(), std::pair(15U, 15U));
  EXPECT_EQ(*b.rbegin(), std::pair(15U, 7U));
  EXPECT_EQ(*c.rbegin(), std::pair(15U, 7U));
}

TEST(Fragments, AreTheDocumentedOnes) {
  // PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type": lane 5 is group 1, thread 1 of it.
  const auto is = [](Place2 place, unsigned row, unsigned col) { return place.row == row && place.col == col; };
  EXPECT_TRUE(is(a_place(5, 0, 0), 1, 2) && is(a_place(5, 0, 1), 1, 3));
  EXPECT_TRUE(is(a_place(5, 1, 0), 9, 2) && is(a_place(5, 2, 0), 1, 10) && is(a_place(5, 3, 1), 9, 11));
  EXPECT_TRUE(is(b_place(5, 0, 0), 2, 1) && is(b_place(5, 1, 1), 11, 1));
  EXPECT_TRUE(is(c_place(5, 0), 1, 2) && is(c_place(5, 1), 1, 3) && is(c_place(5, 2), 9, 2) && is(c_place(5, 3), 9, 3));
}

class TileMap : public ::testing::TestWithParam<unsigned> {};

TEST_P(TileMap, FillsTheTileOnceAndAgreesWithTheFragments) {
  const unsigned bits = GetParam();
  const unsigned words = bits / 4;
  std::vector<bool> taken(tile_words(bits) * 32 / bits);
  for (unsigned n = 0; n < kTileOutputs; ++n) {
    for (unsigned k = 0; k < kTileInputs; ++k) {
      const TilePlace at = tile_place(n, k, bits);
      ASSERT_LT(at.word, tile_words(bits));
      ASSERT_EQ(at.shift % bits, 0U);
      const std::size_t number = at.word * (32 / bits) + at.shift / bits;
      ASSERT_FALSE(taken[number]) << n << " " << k;
      taken[number] = true;
      const Place2 back = tile_source(at.word, at.shift, bits);
      ASSERT_EQ(back.row, n);
      ASSERT_EQ(back.col, k);
      // As a lane reads it: vector v of its half, word w of its fragment.
      const std::size_t vector = at.word / 4;
      const auto lane = static_cast<unsigned>(vector % 32);
      const std::size_t warp_half = vector / 32 / words;
      const std::size_t place = vector / 32 % words * 4 + at.word % 4;
      const auto fragment = static_cast<unsigned>(place / words);
      bool found = false;
      for (unsigned r = 0; r < 4; ++r) {
        for (unsigned h = 0; h < 2; ++h) {
          const Place2 in = a_place(lane, r, h);
          found = found || (warp_half / 2 * 16 + in.row == n && warp_half % 2 * 64 + fragment * 16 + in.col == k);
        }
      }
      ASSERT_TRUE(found) << "lane " << lane << " does not need output " << n << ", input " << k;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Bits, TileMap, ::testing::Values(4U, 8U, 16U));

TEST(Swizzle, IsABijectionWithoutBankConflicts) {
  std::set<unsigned> offsets;
  for (unsigned token = 0; token < 64; ++token) {
    for (unsigned chunk = 0; chunk < 16; ++chunk) offsets.insert(swizzled(token, chunk));
  }
  EXPECT_EQ(offsets.size(), 64U * 16U);
  EXPECT_EQ(*offsets.rbegin(), 64U * 256U - 16U);
  const auto bank = [](unsigned offset) { return offset / 16 % 8; };  // of four words: a phase of eight lanes has all
  for (unsigned first = 0; first < 64; first += 8) {
    for (unsigned chunk = 0; chunk < 16; ++chunk) {
      std::set<unsigned> banks;
      for (unsigned token = first; token < first + 8; ++token) banks.insert(bank(swizzled(token, chunk)));
      EXPECT_EQ(banks.size(), 8U) << "ldmatrix of chunk " << chunk;
    }
  }
  for (unsigned token = 0; token < 64; ++token) {
    for (unsigned first = 0; first < 16; first += 8) {
      std::set<unsigned> banks;
      for (unsigned chunk = first; chunk < first + 8; ++chunk) banks.insert(bank(swizzled(token, chunk)));
      EXPECT_EQ(banks.size(), 8U) << "copy of token " << token;
    }
  }
}

TEST(Swizzle, OfHalvesIsABijectionWithoutBankConflicts) {
  std::set<unsigned> offsets;
  for (unsigned column = 0; column < kWideColumns; ++column) {
    std::set<unsigned> banks;
    for (unsigned chunk = 0; chunk < 8; ++chunk) {
      offsets.insert(swizzled_half(column, chunk));
      banks.insert(swizzled_half(column, chunk) / 16 % 8);
    }
    EXPECT_EQ(banks.size(), 8U) << "copy of column " << column;
  }
  EXPECT_EQ(offsets.size(), kWideColumns * 8U);
  EXPECT_EQ(*offsets.rbegin(), kWideColumns * 128U - 16U);
  for (unsigned first = 0; first < kWideColumns; first += 8) {
    for (unsigned chunk = 0; chunk < 8; ++chunk) {
      std::set<unsigned> banks;
      for (unsigned column = first; column < first + 8; ++column) banks.insert(swizzled_half(column, chunk) / 16 % 8);
      EXPECT_EQ(banks.size(), 8U) << "ldmatrix of chunk " << chunk;
    }
  }
}

/// Checks that stripes cover every tile once, evenly, and that the blocks of a slice are found.
void expect_cover(const Stripes& stripes) {
  ASSERT_EQ(stripes.begin(0), 0U);
  ASSERT_EQ(stripes.begin(stripes.blocks), stripes.tiles());
  const std::uint32_t share = stripes.tiles() / stripes.blocks;
  for (std::uint32_t block = 0; block < stripes.blocks; ++block) {
    const std::uint32_t size = stripes.begin(block + 1) - stripes.begin(block);
    ASSERT_TRUE(size == share || size == share + 1) << block;
    for (std::uint32_t tile = stripes.begin(block); tile < stripes.begin(block + 1); ++tile) {
      ASSERT_EQ(stripes.owner(tile), block) << stripes.slices << "x" << stripes.slice_tiles << " tile " << tile;
    }
  }
}

TEST(Stripes, CoverEveryTileOnce) {
  for (std::uint32_t slices = 1; slices < 12; ++slices) {
    for (std::uint32_t slice_tiles = 1; slice_tiles < 12; ++slice_tiles) {
      for (std::uint32_t blocks = 1; blocks <= slices * slice_tiles; ++blocks) {
        expect_cover({slices, slice_tiles, blocks});
      }
    }
  }
}

TEST(Stripes, CoverTheMatricesOfBothModelsOnEveryCard) {
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> matrices{
      {3584, 4608}, {3584, 3584}, {3584, 37888}, {18944, 3584}, {3584, 152064},
      {4096, 6144}, {4096, 4096}, {4096, 28672}, {14336, 4096}, {4096, 128256}};
  for (const auto& [in, out] : matrices) {
    for (const std::uint32_t processors : {46U, 56U, 108U, 128U, 132U}) {
      expect_cover({out / 128, in / 128, 2 * processors});
    }
  }
}

TEST(Stripes, GiveEverySharedSliceDistinctPlaces) {
  for (std::uint32_t blocks = 1; blocks <= 35; ++blocks) {
    const Stripes stripes{5, 7, blocks};
    std::set<std::pair<std::uint32_t, std::uint32_t>> places;
    for (std::uint32_t slice = 0; slice < 5; ++slice) {
      const std::uint32_t first = stripes.first_block(slice);
      const std::uint32_t last = stripes.last_block(slice);
      if (first == last) continue;
      for (std::uint32_t block = first; block <= last; ++block) {
        const bool has_beginning = stripes.begin(block) <= slice * 7;
        EXPECT_EQ(has_beginning, block == first);
        EXPECT_TRUE(places.insert({block, partial_place(has_beginning)}).second)
            << blocks << " blocks, slice " << slice;
      }
    }
  }
}

}  // namespace
}  // namespace kernels::cuda
