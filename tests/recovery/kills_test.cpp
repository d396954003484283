// SIGKILL at random moments: called again without help as often as it takes, a command ends with
// the outcome of one that nobody disturbed, bit for bit, and leaves nothing behind. SOFTCOT_KILLS
// says how many kills each command gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "runtime/random.h"
#include "support/job.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

using std::chrono::steady_clock;
using ::testing::IsEmpty;

struct Target {
  Victim::Kind kind;
  int ranks;  ///< 0: without mpirun.
};

std::string name_of(const Target& target) {
  const std::string name = Victim::name_of(target.kind);
  return target.ranks == 0 ? name : name + std::to_string(target.ranks);
}

int wanted_kills() {
  const char* text = std::getenv("SOFTCOT_KILLS");
  return text == nullptr ? 2 : std::atoi(text);
}

class Kills : public ::testing::TestWithParam<Target> {};

TEST_P(Kills, AtRandomMomentsLoseNothing) {
  const Target target = GetParam();
  const Victim victim(trained_project(), target.kind);
  const TemporaryFolder place;
  const auto folder = place.path() / "victim";
  const auto call = [&] { return run_softcot(victim.call(folder), on_ranks(target.ranks)); };

  victim.prepare(folder);
  const auto start = steady_clock::now();
  const ChildResult whole = call();
  const auto length =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start);
  ASSERT_EQ(whole.status, 0) << whole.err;
  const Outcome expected = victim.outcome(folder);

  constexpr int kInARow = 4;
  RandomStream random(static_cast<std::uint64_t>(target.kind) * 10 + target.ranks,
                      RandomPurpose::kTest);
  int kills = 0;
  int finished = 0;
  while (kills < wanted_kills()) {
    victim.prepare(folder);
    for (int i = 0; i < kInARow && kills < wanted_kills(); ++i) {
      Job job(victim.call(folder), on_ranks(target.ranks));
      const auto limit = static_cast<std::uint64_t>(length.count());
      std::this_thread::sleep_for(std::chrono::microseconds(limit / 8 + random.below(limit)));
      if (!job.running()) break;
      job.kill_all();
      ++kills;
    }
    const ChildResult last = call();
    ASSERT_EQ(last.status, 0) << last.err;
    Outcome got = victim.outcome(folder);
    for (const auto& [name, bytes] : expected) {
      EXPECT_TRUE(got[name] == bytes) << name << " differs after " << kills << " kills";
    }
    EXPECT_THAT(leftovers_below(folder), IsEmpty());
    ++finished;
  }
  std::cout << name_of(target) << ": " << kills << " kills, " << finished
            << " times the same outcome\n";
}

INSTANTIATE_TEST_SUITE_P(
    Commands, Kills,
    ::testing::Values(Target{Victim::Kind::kPrecompute, 0}, Target{Victim::Kind::kPrecompute, 2},
                      Target{Victim::Kind::kTrain, 0}, Target{Victim::Kind::kTrain, 2},
                      Target{Victim::Kind::kEvaluate, 0}, Target{Victim::Kind::kEvaluate, 2},
                      Target{Victim::Kind::kSweep, 0}),
    [](const auto& parameter) { return name_of(parameter.param); });

}  // namespace
}  // namespace softcot::test
