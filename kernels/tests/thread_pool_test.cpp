// Every chunk once, whatever the threads do; and loops end with threads that are asleep or held up.
#include "kernels/cpu/thread_pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace kernels {
namespace {

TEST(ThreadPool, RunsEveryChunkOnceLoopAfterLoop) {
  for (const std::size_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::size_t loop = 0; loop < 2000; ++loop) {
      const std::size_t chunks = loop % 41;
      std::vector<int> seen(chunks, 0);  // unprotected on purpose: a chunk run twice is a race, too
      pool.run(chunks, [&](std::size_t i) { ++seen[i]; });
      for (std::size_t i = 0; i < chunks; ++i) ASSERT_EQ(seen[i], 1) << "loop " << loop << " chunk " << i;
    }
  }
}

TEST(ThreadPool, WritesOfChunksAreSeenByTheNextLoop) {
  ThreadPool pool(4);
  std::vector<long> a(64), b(64);
  std::iota(a.begin(), a.end(), 0);
  for (int loop = 0; loop < 500; ++loop) {
    pool.run(64, [&](std::size_t i) { b[i] = a[63 - i] + 1; });
    pool.run(64, [&](std::size_t i) { a[i] = b[63 - i] + 1; });
  }
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(a[i], static_cast<long>(i) + 1000);
}

TEST(ThreadPool, AHeldUpThreadKeepsItsOwnChunkOnly) {
  ThreadPool pool(2);
  std::mutex mutex;
  std::condition_variable others_done;
  std::size_t finished = 0;
  // The first chunk returns only after all others have: they must be run meanwhile, by the other thread.
  pool.run(100, [&](std::size_t i) {
    std::unique_lock lock(mutex);
    if (i == 0) {
      ASSERT_TRUE(others_done.wait_for(lock, std::chrono::seconds(30), [&] { return finished == 99; }));
    } else {
      ++finished;
      others_done.notify_all();
    }
  });
  EXPECT_EQ(finished, 99U);
}

TEST(ThreadPool, AHeldUpThreadLosesWhatItHasNotBegun) {
  for (const std::size_t threads : {2, 3}) {
    ThreadPool pool(threads);
    std::mutex mutex;
    std::condition_variable change;
    std::size_t finished = 0;
    std::set<std::thread::id> held;
    // All threads but one stop in the first chunk they get, whatever share it is of, until the rest is done.
    pool.run(100, [&](std::size_t) {
      std::unique_lock lock(mutex);
      const bool holds = held.size() + 1 < threads && held.insert(std::this_thread::get_id()).second;
      if (holds) {
        ASSERT_TRUE(change.wait_for(lock, std::chrono::seconds(30), [&] { return finished + held.size() == 100; }));
      } else {
        ++finished;
        change.notify_all();
      }
    });
    EXPECT_EQ(finished + held.size(), 100U);
  }
}

TEST(ThreadPool, AThreadRunsNeighbouringChunksOneAfterTheOther) {
  ThreadPool pool(2);
  constexpr std::size_t kChunks = 4096;
  std::mutex mutex;
  std::condition_variable met;
  std::map<std::thread::id, std::vector<std::size_t>> order;
  pool.run(kChunks, [&](std::size_t i) {
    std::unique_lock lock(mutex);
    order[std::this_thread::get_id()].push_back(i);
    met.notify_all();
    ASSERT_TRUE(met.wait_for(lock, std::chrono::seconds(30), [&] { return order.size() == 2; }));
  });
  std::size_t breaks = 0;
  for (const auto& [id, chunks] : order) {
    for (std::size_t i = 1; i < chunks.size(); ++i) breaks += chunks[i] == chunks[i - 1] + 1 ? 0 : 1;
  }
  EXPECT_LT(breaks, kChunks / 8);  // one for each time that a thread has run out and takes from the other
}

TEST(ThreadPool, SharesWithThreadsThatWereAsleep) {
  ThreadPool pool(2);
  for (int loop = 0; loop < 20; ++loop) {
    std::mutex mutex;
    std::condition_variable met;
    std::set<std::thread::id> ids;
    // Both chunks are on at the same time only if two threads take one each: the sleeping one is woken.
    pool.run(2, [&](std::size_t) {
      std::unique_lock lock(mutex);
      ids.insert(std::this_thread::get_id());
      met.notify_all();
      ASSERT_TRUE(met.wait_for(lock, std::chrono::seconds(30), [&] { return ids.size() == 2; }));
    });
    const auto asleep_by = std::chrono::steady_clock::now() + std::chrono::microseconds(300);
    while (std::chrono::steady_clock::now() < asleep_by) std::this_thread::yield();
  }
}

TEST(ThreadPool, WaitingThreadsDoSomethingElseMeanwhile) {
  std::array<std::atomic<int>, 2> calls{};
  ThreadPool pool(2, [&](std::size_t thread) {
    ++calls.at(thread);
    return false;
  });
  // The thread that is not in the one chunk waits, before the loop or for its end.
  for (int loop = 0; loop < 20 && (calls[0] == 0 || calls[1] == 0); ++loop) {
    pool.run(2, [&](std::size_t) {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(100 * (loop + 1));
      while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
    });
  }
  EXPECT_GT(calls[0] + calls[1], 0);
}

TEST(ThreadPool, EndsWhileThreadsSpinOrSleep) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(3);
    if (i % 2 == 0) pool.run(8, [](std::size_t) {});
  }
}

TEST(ThreadPool, ZeroThreadsMeansOnePerUsableCore) {
  EXPECT_EQ(ThreadPool(0).threads(), usable_cores());
}

}  // namespace
}  // namespace kernels
