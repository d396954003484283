// Instructions that fixed pieces of work take in our own inner loops (pieces.cpp), against
// instructions.json: a fall in speed that no noise of a machine can hide or feign. Counted by
// valgrind, on AVX2 code, so that they do not depend on the processor. After a change that is
// meant,
//     SOFTCOT_RENEW=1 launch/test.sh -R instruction_count_test
// writes the figures anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "support/child_process.h"
#include "support/files.h"
#include "support/fixtures.h"

namespace softcot::test {
namespace {

constexpr double kTolerance = 0.2;

/// Instructions by piece.
std::map<std::string, std::int64_t> counts() {
  const TemporaryFolder folder;
  const ChildResult result =
      run_child({"valgrind", "--tool=callgrind", "--instr-atstart=no",
                 "--callgrind-out-file=" + (folder.path() / "out").string(), SOFTCOT_PIECES},
                "", {{"OMP_NUM_THREADS", "1"}, {"ATEN_CPU_CAPABILITY", "avx2"}});
  EXPECT_EQ(result.status, 0) << result.err;
  const std::regex piece("Trigger: Client Request: (\\S+)");
  const std::regex total("\ntotals: ([0-9]+)");
  std::map<std::string, std::int64_t> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string dump = slurp(entry.path());
    std::smatch name, instructions;
    if (std::regex_search(dump, name, piece) && std::regex_search(dump, instructions, total)) {
      found[name[1]] = std::stoll(instructions[1]);
    }
  }
  return found;
}

TEST(InstructionCount, EveryPieceIsWithinAFifthOfItsFigure) {
  if (run_child({"sh", "-c", "command -v valgrind"}).status != 0) GTEST_SKIP() << "no valgrind";
  const auto counted = counts();
  ASSERT_FALSE(counted.empty());
  if (std::getenv("SOFTCOT_RENEW") != nullptr) {
    spill(SOFTCOT_INSTRUCTIONS, nlohmann::json(counted).dump(1) + "\n");
    return;
  }
  const auto figures =
      nlohmann::json::parse(slurp(SOFTCOT_INSTRUCTIONS)).get<std::map<std::string, std::int64_t>>();
  for (const auto& [piece, figure] : figures) {
    ASSERT_TRUE(counted.contains(piece)) << piece;
    const double ratio = static_cast<double>(counted.at(piece)) / static_cast<double>(figure);
    std::cout << piece << ": " << counted.at(piece) << " instructions, " << ratio << "\n";
    EXPECT_LT(ratio, 1 + kTolerance) << piece << " is slower; if that is meant, renew its figure";
    EXPECT_GT(ratio, 1 - kTolerance)
        << piece << " is faster: renew its figure, so that it stays so";
  }
  EXPECT_EQ(counted.size(), figures.size());
}

}  // namespace
}  // namespace softcot::test
