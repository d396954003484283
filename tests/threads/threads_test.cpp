// What may be used from several threads at once, from several threads at once: for ThreadSanitizer
// (preset `tsan`), and as an ordinary test. Nothing here needs LibTorch or MPI, neither of which is
// made for it.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "data/thought_cache_reader.h"
#include "data/thought_cache_writer.h"
#include "data/tokenizer.h"
#include "runtime/atomic_file.h"
#include "runtime/flight_record.h"
#include "runtime/log.h"
#include "runtime/nccl_watchdog.h"
#include "runtime/safetensors.h"
#include "runtime/safetensors_writer.h"
#include "runtime/stop_signal.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr int kThreads = 4;

/// Runs `work(thread)` in several threads at once and waits for all.
void in_threads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
}

class Threads : public ::testing::Test {
 protected:
  Threads() : folder_(fs::temp_directory_path() / ("softcot-threads-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Threads() override { fs::remove_all(folder_); }
  fs::path path(const std::string& name) const { return folder_ / name; }

 private:
  fs::path folder_;
};

TEST_F(Threads, AFlightRecordIsKeptWrittenAndRead) {
  FlightRecord record(path("flight"), 0);
  record.join("world", {0, 1});
  record.start({.group = "world", .sequence = 1, .name = "all_reduce"});
  record.write();
  in_threads([&](int thread) {
    for (std::uint64_t i = 0; i < 50; ++i) {
      const std::uint64_t number = 4 * i + static_cast<std::uint64_t>(thread);
      record.start({.group = "world", .sequence = number, .name = "all_reduce"});
      if (thread == 0) record.write();  // As the watchdog does, and no other.
      record.end("world", number);
      EXPECT_TRUE(FlightRecord::read(path("flight"), 0, "world"));
    }
  });
}

TEST_F(Threads, FilesAppearWhole) {
  in_threads([&](int thread) {
    for (int i = 0; i < 25; ++i) {
      write_file_atomically(path("shared"), std::string(5000, static_cast<char>('a' + thread)));
      const std::string text = read_file(path("shared"), 1 << 20);
      EXPECT_EQ(text, std::string(5000, text.at(0)));
    }
  });
}

TEST_F(Threads, LinesOfTheLogAreWhole) {
  testing::internal::CaptureStderr();
  in_threads([](int thread) {
    for (int i = 0; i < 50; ++i) {
      log_warning("line {} of {}", i, thread);
      if (i == 25) set_log_rank(thread, kThreads);
    }
  });
  set_log_rank(0, 1);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 50 * kThreads);
}

TEST_F(Threads, OneTokenizerAndOneModelFileServeAll) {
  test::write_text(path("tokenizer.json"), test::tiny_tokenizer_json().dump());
  const Tokenizer tokenizer = Tokenizer::load(path("tokenizer.json"));
  const auto expected = tokenizer.encode("hello 12 hell <|im_end|>");
  const HostTensor value = HostTensor::of_floats({2}, std::vector<float>{1, 2});
  write_safetensors(path("w.safetensors"), {{"w", value.view()}});
  const SafetensorsFile file = SafetensorsFile::open(path("w.safetensors"));
  in_threads([&](int) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(tokenizer.encode("hello 12 hell <|im_end|>"), expected);
      EXPECT_EQ(tokenizer.decode(expected), "hello 12 hell <|im_end|>");
      EXPECT_EQ(file.tensor("w").bytes.size(), 8U);
    }
  });
}

TEST_F(Threads, BlocksAreWrittenWhileOthersAreRead) {
  const ThoughtCacheKey key{.assistant_hash = "a",
                            .assistant_layers = 1,
                            .tokenizer_hash = "t",
                            .prompt_hash = "p",
                            .thoughts = 3,
                            .dataset_hash = "d",
                            .task = "x",
                            .rows = 64,
                            .width = 8};
  const auto folder = path("cache");
  {
    const CacheLock lock(folder);
    const ThoughtCacheWriter writer(folder, key, 4);
    in_threads([&](int thread) {
      for (std::int64_t block = thread; block < 16; block += kThreads) {
        const std::vector<float> thoughts(std::size_t{4} * 3 * 8, static_cast<float>(block));
        writer.write_block(block, std::span<const float>(thoughts),
                           std::vector<std::uint64_t>(4, static_cast<std::uint64_t>(block)));
      }
    });
    writer.finish(lock);
  }
  in_threads([&](int) {
    ThoughtCache cache = ThoughtCache::open(folder, key);
    for (std::int64_t row = 0; row < 64; ++row) {
      const std::int64_t block = row / 4;
      EXPECT_EQ(cache.read(std::array{row}).front(), static_cast<float>(block));
    }
  });
}

/// The watchdog over the NCCL of fake_nccl.cpp, and a thread in the place of the device.
class WatchdogThreads : public Threads {
 protected:
  WatchdogThreads() {
    setenv("SOFTCOT_NCCL_LIBRARY", SOFTCOT_FAKE_NCCL, 1);
    void* library = dlopen(SOFTCOT_FAKE_NCCL, RTLD_NOW);
    fail_ = reinterpret_cast<void (*)(int)>(dlsym(library, "fake_nccl_fail"));
    aborted_ = reinterpret_cast<int (*)()>(dlsym(library, "fake_nccl_aborted"));
    fail_(nccl::kSuccess);
  }

  /// One collective that the device has done once `finished` counts it.
  void reduce(NcclWatchdog& watchdog, NcclWatchdog::Group& group, std::uint64_t number) {
    watchdog.run(
        group, {.name = "all_reduce"},
        [&](nccl::Comm comm) {
          return NcclLibrary::get().call().AllReduce(nullptr, nullptr, 0, nccl::kFloat32,
                                                     nccl::kSum, comm, nullptr);
        },
        [this, number] { return [this, number] { return finished_ >= number; }; });
  }

  void (*fail_)(int) = nullptr;
  int (*aborted_)() = nullptr;
  std::atomic<std::uint64_t> finished_{0};
};

TEST_F(WatchdogThreads, SeesEveryCollectiveDone) {
  NcclWatchdog watchdog(NcclLibrary::get(),
                        {.rank = 0, .timeout = 20s, .flight_records = path("flight")});
  NcclWatchdog::Group& world = watchdog.open("world", {0}, 0, {});
  NcclWatchdog::Group& dp = watchdog.open("dp", {0}, 0, {});
  std::thread device([&] {
    while (finished_ < 400) {
      ++finished_;
      std::this_thread::sleep_for(1ms);
    }
  });
  for (std::uint64_t i = 0; i < 400; i += 2) {
    reduce(watchdog, world, i + 1);
    reduce(watchdog, dp, i + 2);
    if (i % 100 == 0) watchdog.drain();
  }
  watchdog.drain();
  device.join();
  watchdog.close(dp);
  watchdog.close(world);
  EXPECT_EQ(aborted_(), 0);
}

TEST_F(WatchdogThreads, AbortsWhatFailsAndTellsTheOwner) {
  for (const bool late : {false, true}) {
    const int before = aborted_();
    fail_(nccl::kSuccess);
    std::atomic<int> entered{0};
    NcclWatchdog watchdog(NcclLibrary::get(), {.rank = 0,
                                               .timeout = late ? 200ms : 20000ms,
                                               .flight_records = path("flight"),
                                               .enter_thread = [&] { ++entered; }});
    NcclWatchdog::Group& world = watchdog.open("world", {0}, 0, {});
    watchdog.open("dp", {0}, 0, {});
    reduce(watchdog, world, 1'000'000);  // never done
    std::thread failing([&] {
      std::this_thread::sleep_for(20ms);
      if (!late) fail_(nccl::kRemoteError);
    });
    std::string said = "nothing was thrown";
    try {
      watchdog.drain();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kPeer);
      said = error.what();
    }
    failing.join();
    EXPECT_THAT(said, HasSubstr(late ? "timed out" : "that the test asked for"));
    EXPECT_EQ(aborted_(), before + 2);
    EXPECT_EQ(entered, 3) << "the watchdog's thread and one for each abort";
    EXPECT_THROW(watchdog.check(), Error);
  }
}

}  // namespace
}  // namespace softcot
