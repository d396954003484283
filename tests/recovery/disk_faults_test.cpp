// Disks that fail under a command, and kills at each of its calls that change a disk: an error line
// that names the place or a warning, and the same outcome once it is called again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>

#include "runtime/random.h"
#include "support/files.h"
#include "support/job.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// SOFTCOT_FAULTS: how many places of each command are tried (0: all).
std::size_t wanted_places() {
  const char* text = std::getenv("SOFTCOT_FAULTS");
  return text == nullptr ? 5 : static_cast<std::size_t>(std::atol(text));
}

/// So many of 1 … count, or all, in order; a function of `seed`.
std::vector<int> some_of(int count, std::size_t wanted, std::uint64_t seed) {
  std::vector<int> all;
  for (int k = 1; k <= count; ++k) all.push_back(k);
  RandomStream random(seed, RandomPurpose::kTest);
  while (wanted > 0 && all.size() > wanted) {
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(random.below(all.size())));
  }
  return all;
}

class DiskFaults : public ::testing::TestWithParam<Victim::Kind> {
 protected:
  DiskFaults() : victim_(trained_project(), GetParam()) {
    victim_.prepare(folder());
    const ChildResult result = run_softcot(victim_.call(folder()));
    EXPECT_EQ(result.status, 0) << result.err;
    expected_ = victim_.outcome(folder());
  }

  /// The same for all calls: results name the settings, and these the folder.
  std::filesystem::path folder() const { return place_.path() / "victim"; }

  /// Calls the command, to which everything is new, on a disk with a fault below a folder.
  ChildResult disturbed(const std::string& fault) const { return disturbed(fault, folder()); }
  ChildResult disturbed(const std::string& fault, const std::filesystem::path& below) const {
    victim_.prepare(folder());
    std::filesystem::remove(log());
    JobOptions options;
    options.environment = {{"LD_PRELOAD", SOFTCOT_DISK_STAND_IN},
                           {"SOFTCOT_TEST_DISK", fault + ":" + below.string()},
                           {"SOFTCOT_TEST_DISK_LOG", log()}};
    return run_softcot(victim_.call(folder()), options);
  }
  std::filesystem::path log() const { return place_.path() / "log"; }
  /// Whether the fault has come, and into what.
  std::string met() const {
    const auto lines = lines_with(slurp(log()), "fault ");
    return lines.empty() ? "" : lines[0].substr(6);
  }

  /// How many calls of a kind the undisturbed command makes.
  int count_of(const std::string& which) const {
    const ChildResult result = disturbed(which + "#1000000:kill");
    EXPECT_EQ(result.status, 0) << result.err;
    int most = 0;  // A sweep's own processes count for themselves.
    for (const std::string& line : lines_with(slurp(log()), "calls ")) {
      most = std::max(most, std::atoi(line.c_str() + 6));
    }
    return most;
  }

  /// What the commands of a sweep's cells have said.
  std::string logs_of_cells() const {
    std::string logs;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
      if (entry.path().filename() == "cell.log") logs += slurp(entry.path());
    }
    return logs;
  }

  /// `but`: what may differ.
  void expect_outcome(const std::string& but = "") const {
    Outcome got = victim_.outcome(folder());
    for (const auto& [name, bytes] : expected_) {
      EXPECT_TRUE(name == but || got[name] == bytes) << name << " differs";
    }
  }
  /// Called again without help, the command ends as if nothing had been.
  void expect_recovery() const {
    const ChildResult again = run_softcot(victim_.call(folder()));
    EXPECT_EQ(again.status, 0) << again.err;
    expect_outcome();
    EXPECT_THAT(leftovers_below(folder()), IsEmpty());
  }

  Victim victim_;
  TemporaryFolder place_;
  Outcome expected_;
};

TEST_P(DiskFaults, KilledAtAnyChange) {
  const int calls = count_of("any");
  ASSERT_GT(calls, 20);
  int killed = 0;
  for (const int k : some_of(calls, wanted_places(), 31)) {
    const ChildResult result = disturbed("any#" + std::to_string(k) + ":kill");
    SCOPED_TRACE("killed before change " + std::to_string(k) + ": " + met());
    if (GetParam() == Victim::Kind::kSweep) {
      EXPECT_NE(result.status, 0) << result.err;
    } else {
      EXPECT_EQ(result.status, 128 + SIGKILL) << result.err;
    }
    killed += met().empty() ? 0 : 1;
    expect_recovery();
  }
  std::cout << victim_.name() << ": killed at " << killed << " of " << calls << " changes\n";
}

TEST_P(DiskFaults, ErrorsNameThePlaceAndNothingIsLost) {
  struct Kind {
    std::string which;
    std::string what;
    std::string words;
    bool for_good;  // All later calls fail too.
  };
  const auto number = [](int error) { return std::to_string(error); };
  const std::vector<Kind> kinds = {{"write", number(ENOSPC), "No space left on device", true},
                                   {"write", "half", "No space left on device", true},
                                   {"write", number(EIO), "Input/output error", false},
                                   {"sync", number(EIO), "Input/output error", false},
                                   {"rename", number(EIO), "Input/output error", false},
                                   {"open", number(EROFS), "Read-only file system", true},
                                   {"open", number(EMFILE), "Too many open files", false}};
  std::uint64_t seed = 40;
  const std::size_t each = wanted_places() == 0 ? 0 : (wanted_places() + 4) / 5;
  for (const Kind& kind : kinds) {
    int met_at_all = 0;
    for (const int k : some_of(count_of(kind.which), each, ++seed)) {
      const std::string fault = kind.which + "#" + std::to_string(k) + (kind.for_good ? "+" : "");
      const ChildResult result = disturbed(fault + ":" + kind.what);
      SCOPED_TRACE(fault + " " + kind.what + ": " + met());
      met_at_all += met().empty() ? 0 : 1;
      EXPECT_THAT(leftovers_below(folder()), IsEmpty());
      if (result.status == 0) {
        // Only a log may be short of something, and that is told.
        EXPECT_THAT(result.err, Not(HasSubstr("error[")));
        const bool told = result.err.find(" W cannot write ") != std::string::npos;
        expect_outcome(told ? "metrics" : "");
        continue;
      }
      EXPECT_THAT(result.status, AnyOf(6, 2)) << result.err;
      const std::string said = result.err + logs_of_cells();
      // The log of a sweep's cell lies on the same disk.
      const bool unsaid =
          said.find("its log could not say so: see " + folder().string()) != std::string::npos;
      if (GetParam() != Victim::Kind::kSweep || !unsaid) {
        EXPECT_THAT(lines_with(said, "error["),
                    Contains(AllOf(HasSubstr(folder().string()), HasSubstr(kind.words))))
            << said;
      }
      expect_recovery();
    }
    EXPECT_GT(met_at_all, 0) << kind.which << " " << kind.what;
    std::cout << fmt::format("{}: {} × {} {}\n", victim_.name(), met_at_all, kind.which, kind.what);
  }
}

TEST_P(DiskFaults, ReadOnlyFromTheStartIsToldBeforeAnythingIsComputed) {
  const ChildResult result = disturbed(fmt::format("open#1+:{}", EROFS));
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_THAT(lines_with(result.err, "error["),
              ElementsAre(AllOf(HasSubstr(folder().string()), HasSubstr("Read-only file system"))));
  EXPECT_THAT(result.err, Not(AnyOf(HasSubstr("parameters"), HasSubstr("rows/s"))));
  expect_recovery();
}

INSTANTIATE_TEST_SUITE_P(Commands, DiskFaults,
                         ::testing::Values(Victim::Kind::kPrecompute, Victim::Kind::kTrain,
                                           Victim::Kind::kEvaluate, Victim::Kind::kSweep),
                         [](const auto& parameter) { return Victim::name_of(parameter.param); });

/// A save makes its hidden folder first, and that one's parent is then synced.
using DiskFaultsOfSaves = DiskFaults;

TEST_P(DiskFaultsOfSaves, AFolderWhoseParentIsNotSyncedIsNotLeft) {
  const std::string parent = (folder() / "run/checkpoints").string();
  int k = 0;
  do {
    const ChildResult result = disturbed(fmt::format("sync#{}:{}", ++k, EIO));
    ASSERT_EQ(result.status, 6) << k << ": " << result.err;
    EXPECT_THAT(leftovers_below(folder()), IsEmpty()) << met();
  } while (!met().ends_with(parent));
  expect_recovery();
}

/// What a cell says goes into a log beside its results.
using DiskFaultsOfSweeps = DiskFaults;

TEST_P(DiskFaultsOfSweeps, ACellWhoseLogCannotBeWrittenHasAReason) {
  const auto cells = folder() / "sweep/cells";
  // The sweep itself writes less than ten times there: locks, configurations, what failed.
  const ChildResult result = disturbed(fmt::format("write#10+:{}", ENOSPC), cells);
  EXPECT_EQ(result.status, 6) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("failed with status 6: memory, disk or file handles do not suffice, and "
                        "its log could not say so: see " +
                        cells.string()));
  expect_recovery();
}

INSTANTIATE_TEST_SUITE_P(Command, DiskFaultsOfSweeps, ::testing::Values(Victim::Kind::kSweep),
                         [](const auto& parameter) { return Victim::name_of(parameter.param); });

INSTANTIATE_TEST_SUITE_P(Command, DiskFaultsOfSaves, ::testing::Values(Victim::Kind::kTrain),
                         [](const auto& parameter) { return Victim::name_of(parameter.param); });

}  // namespace
}  // namespace softcot::test
