#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>

#include "launch/commands/commands.h"
#include "launch/run/file_lock.h"
#include "launch/standard_output.h"
#include "launch/sweep/cell_settings.h"
#include "launch/sweep/gpu_slots.h"
#include "launch/sweep/sweep_cost.h"
#include "launch/sweep/sweep_folder.h"
#include "launch/sweep/sweep_plan.h"
#include "launch/sweep/sweep_text.h"
#include "launch/sweep/work_runner.h"
#include "runtime/launcher.h"
#include "runtime/log.h"
#include "runtime/processors.h"
#include "runtime/stop_signal.h"

namespace softcot {
namespace {

/// Part `number` of `count`, from 1 on.
struct Shard {
  std::size_t number = 1;
  std::size_t count = 1;
};

Shard read_shard(const std::string& text) {
  if (text.empty()) return {};
  Shard shard{0, 0};
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, shard.number);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '/') {
    const auto second = std::from_chars(first.ptr + 1, end, shard.count);
    if (second.ec != std::errc() || second.ptr != end) shard.count = 0;
  }
  if (shard.number < 1 || shard.number > shard.count) {
    fail(ExitCode::kUsage, {.what = "no share of the cells",
                            .where = "--shard",
                            .expected = "I/K, with I from 1 to K",
                            .got = text});
  }
  return shard;
}

/// Every K-th evaluation of a cell is the shard's.
std::vector<bool> share_of(const SweepPlan& plan, const Shard& shard) {
  std::vector<bool> wanted(plan.works.size());
  std::size_t seen = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (plan.works[i].cells > 0) wanted[i] = seen++ % shard.count == shard.number - 1;
  }
  return wanted;
}

/// Time that finished works took, over what was expected of them; 0 where nothing is known.
double measured(const SweepPlan& plan, const std::vector<WorkCost>& costs,
                const std::filesystem::path& out) {
  double took = 0;
  double expected = 0;
  for (std::size_t i = 0; i < plan.works.size(); ++i) {
    const auto done = read_done(out / plan.works[i].name);
    if (!done || done->seconds <= 0) continue;
    took += done->seconds;
    expected += costs[i].seconds;
  }
  return expected > 0 ? took / expected : 0;
}

/// Works at a time share the cores that this process may use with those of the job's other ranks on
/// this machine, unless somebody has decided how many threads each has.
void share_cores(const WorkOptions& works, const LocalGroup& group) {
  if (works.jobs * group.count == 1) return;
  const int threads = usable_processors() / (works.jobs * group.count * works.ranks);
  setenv("OMP_NUM_THREADS", std::to_string(std::max(1, threads)).c_str(), 0);
}

/// What the ranks of one job hold together, so that the first can be the last to end.
std::optional<FileLock> hold_with_ranks(const std::filesystem::path& out, const Shard& shard) {
  return FileLock::try_take(out / fmt::format(".ranks-{}-of-{}.lock", shard.number, shard.count),
                            FileLock::Kind::kShared);
}

struct SweepOptions {
  WorkOptions works;
  std::string shard;
  bool dry_run = false;
};

void describe(OptionSet& options, SweepOptions& sweep) {
  options.add("out", &sweep.works.out, "Where all of it goes; made when it is missing.").required =
      true;
  options.add(
      "shard", &sweep.shard,
      "I/K: only the I-th of K shares of the cells; the shares may run at the same time, on "
      "several machines with one file system.");
  options.add("jobs", &sweep.works.jobs, "Steps at a time.", at_least(1)).unit = "steps";
  options.add("ranks", &sweep.works.ranks, "MPI ranks of each step.", at_least(1)).unit = "ranks";
  options.add("launcher", &sweep.works.launcher,
              "What starts a step on several ranks, with {ranks} for their number.");
  options.add("dry-run", &sweep.dry_run,
              "Show the cells, what they share, time and disk, and run nothing.");
  options.set_notes(
      "The config file has a section [axes] with lines option = value, value, …; every "
      "combination\n"
      "is a cell: a training and its evaluation beside zero-shot CoT (docs/sweeps.md). Caches and\n"
      "trainings that several cells need are made once. Called again it runs only what is "
      "missing;\n"
      "with a value more, only the cells of that. A cell that fails is recorded, the others go "
      "on,\n"
      "and the exit code is its own. SIGTERM or SIGUSR1 lets a training save, and exits with 75.\n"
      "Under mpirun or srun every rank (with --ranks R: every R-th) takes cells.");
  options.add_example("softcot sweep --config configs/sweep/smollm2.cfg --out runs/sweep --dry-run",
                      "what it would do, and how long that would take");
  options.add_example("softcot sweep --config my.cfg --out runs/my --shard 2/8",
                      "the second of eight tasks of a job array");
}

}  // namespace

ExitCode run_sweep(Invocation& invocation) {
  SweepOptions chosen;
  OptionSet options(
      "sweep", "Run every point of a grid over options, and share what points have in common.");
  const auto cell_options = add_cell_options(options);
  add_sweep_sections(options);
  describe(options, chosen);
  if (!invocation.read(options)) return ExitCode::kOk;
  if (options.config().empty()) {
    fail(ExitCode::kUsage, {.what = "no sweep file",
                            .where = "--config",
                            .fix = "give --config a file with a section [axes]"});
  }
  WorkOptions& works = chosen.works;
  const Shard shard = read_shard(chosen.shard);
  const LauncherJob job = launcher_job();
  const int rank = job.rank;
  const int ranks = job.size;
  if (ranks > 1 && ranks % works.ranks != 0) {
    fail(ExitCode::kUsage, {.what = "ranks of the job are no whole number of groups",
                            .where = "--ranks",
                            .expected = fmt::format("a divisor of {}", ranks),
                            .got = std::to_string(works.ranks)});
  }
  if (rank % works.ranks != 0) return ExitCode::kOk;  // Its group's first rank starts the steps.
  const int jobs = works.jobs * std::max(1, ranks / works.ranks);

  const Sweep sweep = read_sweep(options, works.ranks);
  const SweepPlan plan = plan_sweep(sweep, works.out);
  const auto costs = estimate_costs(plan, jobs);
  const double scale = measured(plan, costs, works.out);
  if (chosen.dry_run) {
    if (rank == 0) {
      write_standard_output(sweep_preview(sweep, plan, costs, scale, jobs, works.out));
    }
    return ExitCode::kOk;
  }
  set_log_rank(rank, ranks);
  hide_environment(options);
  const LocalGroup group{.index = job.local_rank / works.ranks,
                         .count = (job.local_size + works.ranks - 1) / works.ranks};
  works.gpus = gpus_of_slots(plan.works, works, group);
  leave_job();
  share_cores(works, group);
  const StopSignals signals;
  const SweepFolder folder(sweep, plan, works.out, shard.count > 1 || ranks > 1);
  auto together = ranks > 1 ? hold_with_ranks(works.out, shard) : std::nullopt;
  std::vector<double> seconds;
  for (const WorkCost& cost : costs) seconds.push_back(cost.seconds * (scale > 0 ? scale : 1));
  WorkDisplay display("sweep", plan.works, std::move(seconds), true, jobs);
  const ExitCode status = WorkRunner(plan.works, works).run(share_of(plan, shard), display);
  folder.save();
  // A launcher ends all ranks with the first that does not end well: that is the last of them.
  if (rank != 0) return ExitCode::kOk;
  if (together) together->outlast_others();
  write_standard_output(sweep_summary(sweep, plan, works.out));
  return status;
}

}  // namespace softcot
