#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "data/thought_cache_manifest.h"
#include "data/thought_cache_reader.h"
#include "data/thought_cache_verify.h"
#include "runtime/random.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/thought_caches.h"

namespace {
bool locks_fail = false;
// The variable overrides what a program asks for; the library reads it at its first call.
const int locking_unset = unsetenv("HDF5_USE_FILE_LOCKING");
}  // namespace

// Stands before the C library's flock: where told so, a file system without locks.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int flock(int descriptor, int operation) {
  if (!locks_fail) return static_cast<int>(syscall(SYS_flock, descriptor, operation));
  errno = ENOLCK;
  return -1;
}

namespace softcot {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kRefused = 40 + static_cast<int>(ExitCode::kCache);

/// A child that runs `action` and exits with its result, or 40 + the code of its Error.
template <typename Action>
pid_t start_child(Action&& action) {
  const pid_t child = fork();
  if (child != 0) return child;
  int status = 99;
  try {
    status = action();
  } catch (const Error& error) {
    status = 40 + static_cast<int>(error.code());
  } catch (...) {
  }
  _exit(status);
}

/// Exit status, or −signal.
int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int run_quietly(const std::filesystem::path& folder, const ThoughtCacheKey& key) {
  run_job(folder, key, 4);
  return 0;
}

/// A child that takes the lock, says so, and holds it until it is killed.
class Holder {
 public:
  explicit Holder(const std::filesystem::path& folder) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    child_ = start_child([&] {
      const CacheLock lock(folder);
      if (write(ends[1], "x", 1) != 1) return 1;
      while (true) pause();
    });
    close(ends[1]);
    char sign = 0;
    EXPECT_EQ(read(ends[0], &sign, 1), 1);
    close(ends[0]);
  }
  ~Holder() { end(); }
  pid_t pid() const { return child_; }
  /// How it ended.
  int end(int signal = SIGKILL) {
    if (child_ == 0) return 0;
    kill(child_, signal);
    return wait_for(std::exchange(child_, 0));
  }

 private:
  pid_t child_ = 0;
};

TEST(ThoughtCacheKill, AKilledJobLosesNothingThatWasFinished) {
  const TemporaryFolder folder;
  const ThoughtCacheKey key = small_key(61, ThoughtType::kBfloat16);
  const auto start = std::chrono::steady_clock::now();
  run_job(folder.path() / "undisturbed", key, 4);
  const auto whole = std::chrono::steady_clock::now() - start;
  const auto expected = contents(folder.path() / "undisturbed");
  const auto longest = std::chrono::duration_cast<std::chrono::microseconds>(whole).count();

  RandomStream random(11, RandomPurpose::kTest);
  int kills = 0;
  int finished = 0;
  std::size_t kept = 0;
  while (kills < 60) {
    const std::filesystem::path cache = folder.path() / ("run" + std::to_string(finished));
    for (int attempt = 0;; ++attempt) {
      const pid_t child = start_child([&] { return run_quietly(cache, key); });
      // The first attempts are cut short, so that the work goes on over several of them.
      const auto limit = static_cast<std::uint64_t>(attempt < 4 ? longest / 3 : longest * 2);
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(limit) + 1));
      kill(child, SIGKILL);
      const int status = wait_for(child);
      if (status == 0) break;
      ASSERT_EQ(status, -SIGKILL);
      ++kills;
      if (!std::filesystem::exists(cache)) continue;
      // Whatever was left: a reader sees a whole cache or is told that it is not finished.
      const CacheHealth health = verify_thought_cache(cache);
      EXPECT_TRUE(health.damaged.empty()) << health.damaged.front().reason;
      if (!health.sound()) {
        EXPECT_THAT(error_of([&] { ThoughtCache::open(cache, key); }, ExitCode::kCache),
                    HasSubstr("not finished"));
      }
      // What a dead job left is neither lost nor made again.
      const CacheLock lock(cache);
      const auto missing = ThoughtCacheWriter(cache, key, 4).missing_blocks(lock);
      EXPECT_EQ(static_cast<std::int64_t>(missing.size()) + health.sound_blocks, 16);
      kept += static_cast<std::size_t>(health.sound_blocks);
    }
    EXPECT_EQ(contents(cache), expected);
    ++finished;
  }
  std::cout << kills << " kills, " << finished << " caches finished, " << kept
            << " blocks found sound after a kill\n";
  EXPECT_GE(finished, 3);
  EXPECT_GT(kept, 0U);
}

TEST(ThoughtCacheKill, AFinishedCacheSurvivesKilledJobs) {
  const TemporaryFolder folder;
  const ThoughtCacheKey key = small_key(61);
  run_job(folder.path(), key, 4);
  const auto expected = contents(folder.path());
  RandomStream random(12, RandomPurpose::kTest);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = start_child([&] { return run_quietly(folder.path(), key); });
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));
    kill(child, SIGKILL);
    wait_for(child);
    auto now = contents(folder.path());
    // The lock, or what was to become it.
    std::erase_if(now, [](const auto& file) { return file.first.find(kLockName) <= 1; });
    ASSERT_EQ(now, expected);
  }
  EXPECT_EQ(run_quietly(folder.path(), key), 0);
  EXPECT_EQ(contents(folder.path()), expected);
}

TEST(ThoughtCacheKill, AnyNumberOfWritersMakeTheSameCache) {
  const TemporaryFolder folder;
  const ThoughtCacheKey key = small_key(61);
  run_job(folder.path() / "alone", key, 4);
  const auto expected = contents(folder.path() / "alone");
  for (const std::int64_t writers : {2, 3, 5}) {
    const std::filesystem::path cache = folder.path() / std::to_string(writers);
    {
      const CacheLock lock(cache);
      const ThoughtCacheWriter first(cache, key, 4);
      const auto missing = first.missing_blocks(lock);
      ASSERT_EQ(missing.size(), 16U);
      std::vector<pid_t> children;
      for (std::int64_t rank = 0; rank < writers; ++rank) {
        children.push_back(start_child([&] {
          const ThoughtCacheWriter writer(cache, key, 4);
          for (const std::int64_t block : missing) {
            // Block 7 is written by all of them at once: the last one stands, and all are equal.
            if (block % writers != rank && block != 7) continue;
            writer.write_block(block,
                               std::span<const float>(block_thoughts(writer.layout(), block)),
                               block_row_ids(writer.layout(), block));
          }
          return 0;
        }));
      }
      for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
      first.finish(lock);
    }
    EXPECT_EQ(contents(cache), expected) << writers;
  }
}

TEST(CacheLock, TheSecondJobIsToldWhoHoldsIt) {
  for (const bool without_locks : {false, true}) {
    locks_fail = without_locks;
    const TemporaryFolder folder;
    Holder holder(folder.path());
    EXPECT_THAT(
        error_of([&] { run_job(folder.path(), small_key(9), 4); }, ExitCode::kCache),
        AllOf(HasSubstr("being written by another job"),
              HasSubstr("/" + std::to_string(holder.pid()) + " since 20"), HasSubstr(kLockName)));
    holder.end();
    // Its process is dead: the lock it left is taken over.
    EXPECT_TRUE(std::filesystem::exists(folder.path() / kLockName));
    EXPECT_EQ(run_job(folder.path(), small_key(9), 4).size(), 3U);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / kLockName));
  }
  locks_fail = false;
}

TEST(CacheLock, JudgesWhatTheFileSays) {
  const TemporaryFolder folder;
  const auto lock_path = folder.path() / kLockName;
  const pid_t dead = start_child([] { return 0; });
  wait_for(dead);
  std::string host(256, '\0');
  ASSERT_EQ(gethostname(host.data(), host.size()), 0);
  host.resize(host.find('\0'));
  const auto record = [](const std::string& who, pid_t pid, const std::string& started) {
    std::string text = who + " " + std::to_string(pid) + " " + started + " 2026-01-02T03:04:05Z\n";
    text.resize(512, ' ');
    return text;
  };
  const auto take = [&] { const CacheLock lock(folder.path()); };
  for (const std::string& stale : {std::string(), std::string("garbage"), record(host, dead, "5"),
                                   record(host, getpid(), "5")}) {  // An earlier process of our id.
    spill(lock_path, stale);
    EXPECT_NO_THROW(take()) << stale;
    EXPECT_FALSE(std::filesystem::exists(lock_path));
  }
  const pid_t ended = start_child([] { return 0; });
  siginfo_t unused{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(ended), &unused, WEXITED | WNOWAIT), 0);
  spill(lock_path, record(host, ended, "?"));  // Still in the table of processes.
  EXPECT_NO_THROW(take());
  wait_for(ended);
  spill(lock_path, record("elsewhere", dead, "5"));
  EXPECT_THAT(
      error_of(take, ExitCode::kCache),
      HasSubstr("held by elsewhere/" + std::to_string(dead) + " since 2026-01-02T03:04:05Z"));
  EXPECT_EQ(slurp(lock_path), record("elsewhere", dead, "5"));
}

TEST(CacheLock, AJobOfAnotherMachineIsKnownByItsHeartbeatAlone) {
  const TemporaryFolder folder;
  const auto lock_path = folder.path() / kLockName;
  const auto take = [&] { const CacheLock lock(folder.path()); };
  std::string host(256, '\0');
  ASSERT_EQ(gethostname(host.data(), host.size()), 0);
  host.resize(host.find('\0'));
  // Of another name; of this name in another container or after another start, though this machine
  // has a process of that number.
  for (const std::string& record :
       {std::string("elsewhere 4711 5 2026-01-02T03:04:05Z\n"),
        "elsewhere " + std::to_string(getpid()) + " ? 2026-01-02T03:04:05Z other/pid:[1]\n",
        host + " " + std::to_string(getpid()) + " ? 2026-01-02T03:04:05Z other/pid:[1]\n"}) {
    spill(lock_path, record);
    const auto now = std::filesystem::last_write_time(lock_path);
    for (const int silent : {0, 50}) {
      std::filesystem::last_write_time(lock_path, now - std::chrono::seconds(silent));
      EXPECT_THAT(error_of(take, ExitCode::kCache), HasSubstr("since 2026-01-02T03:04:05Z"));
      EXPECT_EQ(slurp(lock_path), record);
    }
    // A clock that is ahead of this one's is no reason either.
    std::filesystem::last_write_time(lock_path, now + std::chrono::hours(1));
    EXPECT_THAT(error_of(take, ExitCode::kCache), HasSubstr("held by"));
    std::filesystem::last_write_time(lock_path, now - std::chrono::seconds(61));
    EXPECT_NO_THROW(take()) << record;
    EXPECT_FALSE(std::filesystem::exists(lock_path));
  }
}

TEST(CacheLock, ALivingJobRenewsItsHeartbeat) {
  const TemporaryFolder folder;
  const Holder holder(folder.path());
  const auto lock_path = folder.path() / kLockName;
  const auto now = std::filesystem::last_write_time(lock_path);
  std::filesystem::last_write_time(lock_path, now - std::chrono::hours(1));
  const auto limit = std::chrono::steady_clock::now() + 3 * Heartbeat::kInterval;
  while (std::filesystem::last_write_time(lock_path) < now) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

TEST(CacheLock, GoesWithTheSignalsThatEndAJob) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
    const TemporaryFolder folder;
    Holder holder(folder.path());
    EXPECT_EQ(holder.end(signal), -signal);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / kLockName)) << signal;
  }
  // A process that ignores one, as under nohup, goes on and keeps its lock.
  std::signal(SIGHUP, SIG_IGN);
  const TemporaryFolder folder;
  Holder holder(folder.path());
  std::signal(SIGHUP, SIG_DFL);
  kill(holder.pid(), SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / kLockName));
  EXPECT_EQ(kill(holder.pid(), 0), 0);
}

TEST(CacheLock, WhoLostItLeavesTheLockOfTheNextAlone) {
  const TemporaryFolder folder;
  const auto lock_path = folder.path() / kLockName;
  {
    const CacheLock lost(folder.path());
    std::filesystem::remove(lock_path);  // As another machine does that takes it for dead.
    spill(lock_path, "elsewhere 4711 5 2026-01-02T03:04:05Z\n");
  }
  EXPECT_TRUE(std::filesystem::exists(lock_path));
}

TEST(CacheLock, OneOfManyTakesOverAStaleLock) {
  for (const bool without_locks : {false, true}) {
    locks_fail = without_locks;
    for (int round = 0; round < 6; ++round) {
      const TemporaryFolder folder;
      Holder(folder.path()).end();
      ASSERT_TRUE(std::filesystem::exists(folder.path() / kLockName));
      if (round % 2 == 1) {  // Of another machine, silent for long.
        spill(folder.path() / kLockName, "elsewhere 4711 5 2026-01-02T03:04:05Z\n");
        std::filesystem::last_write_time(
            folder.path() / kLockName,
            std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
      }
      std::vector<pid_t> children;
      for (int i = 0; i < 6; ++i) {
        children.push_back(start_child([&] {
          const CacheLock lock(folder.path());
          std::this_thread::sleep_for(std::chrono::milliseconds(500));
          return 0;
        }));
      }
      int taken = 0;
      for (const pid_t child : children) {
        const int status = wait_for(child);
        taken += status == 0;
        EXPECT_TRUE(status == 0 || status == kRefused) << status;
      }
      EXPECT_EQ(taken, 1) << "without locks: " << without_locks;
    }
  }
  locks_fail = false;
}

TEST(ThoughtCacheKill, WorksWithoutLocksInTheFileSystem) {
  const TemporaryFolder folder;
  locks_fail = true;
  run_job(folder.path(), small_key(9), 4);
  ThoughtCache cache = ThoughtCache::open(folder.path(), small_key(9));
  EXPECT_EQ(cache.read(std::vector<std::int64_t>{0, 1, 2, 3}), block_thoughts(cache.layout(), 0));
  EXPECT_TRUE(verify_thought_cache(folder.path()).sound());
  locks_fail = false;
}

}  // namespace
}  // namespace softcot
