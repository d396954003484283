#include "runtime/mpi_roll_call.h"

#include <fmt/format.h>
#include <sched.h>

namespace softcot {
namespace {

constexpr int kTag = 4711;
constexpr int kShown = 8;

/// The messages of a roll call. Never freed: a rank that is late may still take one.
struct Messages {
  std::uint64_t mine = 0;
  std::vector<std::uint64_t> theirs;
  std::vector<MPI_Request> answers;
};

}  // namespace

std::string missing_ranks(MPI_Comm group, const std::vector<int>& world_ranks, int rank,
                          std::uint64_t sequence, std::chrono::milliseconds patience) {
  const std::size_t size = world_ranks.size();
  auto& messages = *new Messages{sequence, std::vector<std::uint64_t>(size),
                                 std::vector<MPI_Request>(size, MPI_REQUEST_NULL)};
  for (int other = 0; other < static_cast<int>(size); ++other) {
    if (other == rank) continue;
    MPI_Request sent = MPI_REQUEST_NULL;
    MPI_Isend(&messages.mine, 1, MPI_UINT64_T, other, kTag, group, &sent);
    MPI_Request_free(&sent);
    MPI_Irecv(&messages.theirs[other], 1, MPI_UINT64_T, other, kTag, group,
              &messages.answers[other]);
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  int all = 0;
  while (all == 0 && std::chrono::steady_clock::now() < end) {
    MPI_Testall(static_cast<int>(size), messages.answers.data(), &all, MPI_STATUSES_IGNORE);
    sched_yield();
  }
  std::string missing;
  int count = 0;
  for (std::size_t other = 0; other < size; ++other) {
    const bool silent = messages.answers[other] != MPI_REQUEST_NULL;
    const std::uint64_t number = messages.theirs[other];
    if (!silent && (static_cast<int>(other) == rank || number == sequence)) continue;
    if (count++ >= kShown) continue;
    missing += fmt::format("{}rank {} ({})", missing.empty() ? "" : ", ", world_ranks[other],
                           silent ? "does not answer" : fmt::format("at number {}", number));
  }
  if (count > kShown) missing += fmt::format(" and {} more", count - kShown);
  return missing;
}

}  // namespace softcot
