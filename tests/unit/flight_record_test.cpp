#include "runtime/flight_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runtime/gpus.h"
#include "support/fixtures.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr double kSilence = 30;

FlightEntry all_reduce(std::uint64_t sequence, std::uint64_t bytes = 64) {
  return {.group = "tp",
          .sequence = sequence,
          .name = "all_reduce",
          .bytes = bytes,
          .dtype = "Float",
          .started = 1};
}

/// The record of a rank that has ended all calls up to `last`; that one only if `ended`.
void write_record(const std::filesystem::path& folder, int rank, const FlightEntry& last,
                  bool ended) {
  FlightRecord record(folder, rank);
  record.start(last);
  if (ended) record.end(last.group, last.sequence);
  record.write();
}

TEST(FlightRecord, NamesRanksThatHaveNotCome) {
  const TemporaryFolder folder;
  write_record(folder.path(), 0, all_reduce(7), false);
  write_record(folder.path(), 1, all_reduce(7), false);
  write_record(folder.path(), 2, all_reduce(6), true);
  const auto found = find_missing(folder.path(), all_reduce(7), 0, {0, 1, 2, 3}, kSilence);
  EXPECT_EQ(found.sequence, 7U);
  EXPECT_EQ(found.name, "all_reduce");
  EXPECT_EQ(found.missing, "rank 2 (at number 6), rank 3 (no record of it)");
}

TEST(FlightRecord, NamesTheRankThatSkippedFromBothSides) {
  const TemporaryFolder folder;
  write_record(folder.path(), 0, all_reduce(7), false);
  write_record(folder.path(), 1, all_reduce(8), false);
  write_record(folder.path(), 2, all_reduce(7), false);
  for (const int rank : {0, 1, 2}) {
    const auto mine = all_reduce(rank == 1 ? 8 : 7);
    const auto found = find_missing(folder.path(), mine, rank, {0, 1, 2}, kSilence);
    EXPECT_EQ(found.sequence, 7U) << rank;
    EXPECT_EQ(found.missing, "rank 1 (past it, at number 8)") << rank;
  }
}

TEST(FlightRecord, NamesTheRankThatCalledSomethingElse) {
  const TemporaryFolder folder;
  write_record(folder.path(), 1, all_reduce(7, 128), false);
  const auto found = find_missing(folder.path(), all_reduce(7), 0, {0, 1}, kSilence);
  EXPECT_EQ(found.missing, "rank 1 (called all_reduce of 128 bytes Float)");
}

TEST(FlightRecord, DoesNotTrustARecordThatIsNotRenewed) {
  const TemporaryFolder folder;
  write_record(folder.path(), 1, all_reduce(5), false);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto found = find_missing(folder.path(), all_reduce(7), 0, {0, 1}, 0.01);
  EXPECT_EQ(found.sequence, 7U);
  EXPECT_THAT(found.missing, StartsWith("rank 1 (silent since "));
  EXPECT_THAT(found.missing, HasSubstr("at number 5)"));
}

TEST(FlightRecord, FindsNobodyMissingWhereAllHaveCalled) {
  const TemporaryFolder folder;
  write_record(folder.path(), 1, all_reduce(7), false);
  EXPECT_EQ(find_missing(folder.path(), all_reduce(7), 0, {0, 1}, kSilence).missing, "");
}

TEST(FlightRecord, TellsForWhomAMissingRankWaits) {
  const TemporaryFolder folder;
  const auto waiting = [&](int rank, const std::string& group, const std::vector<int>& ranks) {
    FlightRecord record(folder.path(), rank);
    FlightEntry before = all_reduce(4);
    before.group = "dp";
    record.start(before);
    record.end("dp", 4);
    record.join(group, ranks);
    FlightEntry call = all_reduce(group == "tp" ? 16 : 5);
    call.group = group;
    record.start(call);
    record.write();
  };
  waiting(0, "dp", {0, 2});
  waiting(2, "tp", {2, 3});
  FlightEntry mine = all_reduce(5);
  mine.group = "dp";
  EXPECT_EQ(find_missing(folder.path(), mine, 0, {0, 2}, kSilence).missing,
            "rank 2 (at number 4; it waits in all_reduce number 16 of group tp, missing: rank 3 "
            "(no record of it))");
}

TEST(FlightRecord, CutsALongList) {
  const TemporaryFolder folder;
  std::vector<int> ranks(100);
  for (int r = 0; r < 100; ++r) ranks[r] = r;
  const auto found = find_missing(folder.path(), all_reduce(7), 0, ranks, kSilence);
  EXPECT_THAT(found.missing, HasSubstr("rank 8 (no record of it) and 91 more"));
}

TEST(FlightRecord, KeepsTheLastCallsAndForgetsAnEarlierRun) {
  const TemporaryFolder folder;
  {
    FlightRecord record(folder.path(), 0);
    for (std::uint64_t i = 1; i <= 200; ++i) {
      record.start(all_reduce(i));
      record.end("tp", i);
    }
    record.write();
  }
  const auto position = FlightRecord::read(folder.path(), 0, "tp");
  ASSERT_TRUE(position);
  EXPECT_EQ(position->entry.sequence, 200U);
  EXPECT_GT(position->entry.ended, 1e9);
  EXPECT_FALSE(FlightRecord::read(folder.path(), 0, "dp"));
  EXPECT_LT(std::filesystem::file_size(folder.path() / "rank-00000.json"), 20000U);
  const FlightRecord next(folder.path(), 0);
  EXPECT_FALSE(FlightRecord::read(folder.path(), 0, "tp"));
}

TEST(Gpus, EachRankTakesItsOwn) {
  const std::vector<std::string> all = {"a", "b", "c"};
  // Every rank sees all of them.
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(gpu_for_rank({all, all, all}, rank), rank);
  EXPECT_EQ(gpu_for_rank({all, all, all, all}, 3), std::nullopt);
  EXPECT_EQ(gpu_for_rank({all, all, all, all}, 2), 2);
  // The launcher shows each its own, as its number 0.
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(gpu_for_rank({{"a"}, {"b"}, {"c"}}, rank), 0);
  }
  // Two of them overlap.
  EXPECT_EQ(gpu_for_rank({{"a", "b"}, {"b", "c"}, {"c"}}, 1), 0);
  EXPECT_EQ(gpu_for_rank({{"a"}, {"a", "b"}}, 1), 1);
  EXPECT_EQ(gpu_for_rank({{"a"}, {"a"}}, 1), std::nullopt);
}

}  // namespace
}  // namespace softcot::test
