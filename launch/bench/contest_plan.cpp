#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "launch/bench/contest.h"
#include "launch/run/run_data.h"
#include "launch/sweep/child_command.h"
#include "runtime/processors.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr const char* kInstall = "not installed: launch/bench/peers/setup.sh";
/// Rows of each part: a peer's training step takes some ten seconds.
constexpr std::int64_t kTrainRows = 12;
constexpr std::int64_t kPrecomputeRows = 64;

std::string of_gemm_peak(const Json& line) {
  return fmt::format("{:.0f} % of the GEMM peak, {:.0f} GFLOP/s",
                     100 * line["of_gemm_peak"].get<double>(),
                     1e-9 * line["gemm_flops"].get<double>());
}

std::string of_memory_bandwidth(const Json& line) {
  return fmt::format("{:.0f} % of the memory's {:.0f} GB/s",
                     100 * line["of_memory_bandwidth"].get<double>(),
                     1e-9 * line["memory_bytes_per_second"].get<double>());
}

std::string above_weights(const Json& line) {
  const double weights = line["weight_bytes"].get<double>();
  return fmt::format("weights {:.0f} MB + {:.0f} MB", 1e-6 * weights,
                     1e-6 * (line["peak_memory_bytes"].get<double>() - weights));
}

/// The comparisons in one precision.
class Plan {
 public:
  Plan(const RunOptions& run, const BenchOptions& bench, std::filesystem::path rows,
       std::string dtype, std::vector<Matchup>& comparisons)
      : run_(run),
        bench_(bench),
        rows_(std::move(rows)),
        dtype_(std::move(dtype)),
        comparisons_(comparisons) {}

  void train() {
    const Contender ours = softcot({"train", "--bench.rows", std::to_string(kTrainRows)}, 12);
    const Contender theirs = transformers("train", kTrainRows, run_.train.batch, 40);
    const std::string workload =
        fmt::format("batch {}, N = {}", run_.train.batch, run_.thoughts.count);
    add("train", {.title = "training step, " + workload,
                  .figure = "rows_per_second",
                  .unit = "rows/s",
                  .contenders = {ours, theirs},
                  .remark = of_gemm_peak});
    Contender ranks = on_ranks(2, {"train", "--bench.rows", std::to_string(kTrainRows)}, 14);
    Contender alone = ours;
    alone.name = fmt::format("1 rank × {} threads", threads());
    add("ranks", {.title = fmt::format("training step, 2 ranks × {} threads", half_threads()),
                  .figure = "rows_per_second",
                  .unit = "rows/s",
                  .contenders = {ranks, alone}});
    add("start", {.title = "start until the first training step",
                  .figure = "start_seconds",
                  .unit = "s",
                  .lower_is_better = true,
                  .contenders = {ours, theirs}});
    add("memory", {.title = "peak memory of training",
                   .figure = "peak_memory_bytes",
                   .unit = "MB",
                   .lower_is_better = true,
                   .scale = 1e-6,
                   .contenders = {ours, theirs},
                   .remark = above_weights});
  }

  void precompute() {
    add("precompute",
        {.title = "precompute, blocks of 64 rows beside batches of 4",
         .figure = "rows_per_second",
         .unit = "rows/s",
         .contenders = {softcot({"precompute", "--bench.rows", std::to_string(kPrecomputeRows)}, 9),
                        transformers("precompute", kPrecomputeRows, 4, 20)},
         .remark = [](const Json& line) {
           return fmt::format("{}; writing {:.1f} % of the time", of_gemm_peak(line),
                              100 * line["writing_share"].get<double>());
         }});
  }

  void decode() {
    const std::string tokens = std::to_string(bench_.new_tokens);
    const auto figure = [&](std::int64_t batch, const std::string& title, const std::string& name,
                            double ours, double theirs) {
      const std::int64_t most = std::min<std::int64_t>(batch, 8);
      Matchup comparison{
          .title = title,
          .figure = name,
          .unit = "tokens/s",
          .contenders = {softcot({"decode", "--train.batch", std::to_string(batch), "--bench.rows",
                                  "64", "--bench.new-tokens", tokens},
                                 ours),
                         transformers("decode", 64, most, theirs)}};
      if (most < batch) comparison.contenders.back().name += fmt::format(", batch {}", most);
      // It reads bfloat16 weights alone.
      if (dtype_ == "bfloat16") comparison.contenders.push_back(llama_cpp(batch, ours + 2));
      return comparison;
    };
    const std::string with = tokens + " tokens with their prompt";
    Matchup single = figure(1, "decoding, batch 1, after the first token",
                            "tokens_per_second_after_first", 4, 13);
    single.remark = of_memory_bandwidth;
    add("decode", single);
    add("decode", figure(1, "decoding, batch 1, " + with, "tokens_per_second", 4, 13));
    add("decode", figure(8, "decoding, batch 8, " + with, "tokens_per_second", 7, 20));
    add("decode",
        figure(64, "decoding, 64 questions in flight, " + with, "tokens_per_second", 30, 20));
  }

  void samples() {
    const auto answers = [&](std::int64_t samples) {
      Contender contender =
          softcot({"decode", "--train.batch", "8", "--bench.rows", "64", "--bench.new-tokens", "8",
                   "--bench.samples", std::to_string(samples)},
                  6);
      contender.name = fmt::format("{} answers each", samples);
      return contender;
    };
    Matchup comparison{.title = "prompt tokens read for 8 questions, 8 answers each",
                       .figure = "prompt_tokens",
                       .unit = "tokens",
                       .lower_is_better = true,
                       .once = true,
                       .contenders = {answers(8), answers(1)}};
    comparison.contenders[1].name = "1 answer each";
    add("samples", comparison);
  }

  /// Batches of one row: it is steps that memory could grow with.
  void growth() {
    add("memory",
        {.title = "growth of memory over 500 steps of one row",
         .figure = "memory_growth_bytes",
         .unit = "MB",
         .lower_is_better = true,
         .once = true,
         .scale = 1e-6,
         .contenders = {softcot(
             {"train", "--train.batch", "1", "--bench.rows", "8", "--bench.steps", "500"}, 240)}});
  }

 private:
  static int threads() { return usable_processors(); }
  static int half_threads() { return std::max(1, threads() / 2); }

  void add(const std::string& part, Matchup comparison) {
    const auto& parts = bench_.parts;
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) return;
    comparison.part = part;
    comparison.dtype = dtype_;
    if (!bench_.peers) {
      std::erase_if(comparison.contenders, [](const Contender& c) {
        return c.name.starts_with("Transformers") || c.name == "llama.cpp";
      });
    }
    comparisons_.push_back(std::move(comparison));
  }

  Words job(const Words& words) const {
    Words all = {own_program(), "bench"};
    all.insert(all.end(), words.begin(), words.end());
    const auto option = [&](const char* name, const std::string& value) {
      const bool given = std::find(words.begin(), words.end(), name) != words.end();
      if (!given) all.insert(all.end(), {name, value});
    };
    option("--model.path", run_.model.path);
    option("--assistant.path", assistant_of(run_).path);
    option("--model.dtype", dtype_);
    option("--data.task", run_.data.task);
    option("--data.file", run_.data.file);
    option("--data.offset", std::to_string(run_.data.offset));
    option("--prompts.file", run_.prompts);
    option("--thoughts.count", std::to_string(run_.thoughts.count));
    option("--thoughts.cache", bench_.folder);
    option("--train.batch", std::to_string(run_.train.batch));
    return all;
  }

  static Words with_threads(int threads, const Words& words) {
    Words all = {"env", fmt::format("OMP_NUM_THREADS={}", threads)};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }

  Contender softcot(const Words& words, double seconds) const {
    return {.name = "softcot", .words = with_threads(threads(), job(words)), .seconds = seconds};
  }

  Contender on_ranks(int ranks, const Words& words, double seconds) const {
    Words all = {"OMPI_ALLOW_RUN_AS_ROOT=1",
                 "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                 "OMPI_MCA_mpi_yield_when_idle=1",
                 "mpirun",
                 "--quiet",
                 "--oversubscribe",
                 "--bind-to",
                 "none",
                 "-n",
                 std::to_string(ranks)};
    const Words program = job(words);
    all.insert(all.end(), program.begin(), program.end());
    return {.name = "softcot", .words = with_threads(half_threads(), all), .seconds = seconds};
  }

  /// With the first `rows` of the file.
  Contender transformers(const std::string& part, std::int64_t rows, std::int64_t batch,
                         double seconds) const {
    Contender peer{
        .name = "Transformers",
        .words = with_threads(
            threads(), {bench_.peers_python, bench_.peers_folder / "transformers_peer.py", part,
                        "--model", run_.model.path, "--assistant", assistant_of(run_).path,
                        "--dtype", dtype_, "--rows", rows_, "--count", std::to_string(rows),
                        "--batch", std::to_string(batch), "--new-tokens",
                        std::to_string(bench_.new_tokens), "--threads", std::to_string(threads())}),
        .seconds = seconds};
    if (!std::filesystem::exists(bench_.peers_python)) peer.missing = kInstall;
    return peer;
  }

  Contender llama_cpp(std::int64_t batch, double seconds) const {
    const std::filesystem::path gguf =
        bench_.gguf.empty() ? std::filesystem::path(run_.model.path.string() + ".bf16.gguf")
                            : bench_.gguf;
    Contender peer{
        .name = "llama.cpp",
        .words = with_threads(
            threads(),
            {bench_.peers_python, bench_.peers_folder / "llama_cpp_peer.py", "decode", "--gguf",
             gguf, "--rows", rows_, "--batch", std::to_string(batch), "--new-tokens",
             std::to_string(bench_.new_tokens), "--threads", std::to_string(threads())}),
        .seconds = seconds};
    if (!std::filesystem::exists(bench_.peers_python)) {
      peer.missing = kInstall;
    } else if (!std::filesystem::exists(gguf)) {
      peer.missing = "no file " + gguf.string() + ": give --bench.gguf";
    }
    return peer;
  }

  const RunOptions& run_;
  const BenchOptions& bench_;
  std::filesystem::path rows_;
  std::string dtype_;
  std::vector<Matchup>& comparisons_;
};

}  // namespace

std::vector<Matchup> plan_contest(const RunOptions& run, const BenchOptions& bench,
                                  const std::filesystem::path& rows) {
  std::vector<Matchup> comparisons;
  for (const std::string& dtype : bench.dtypes) {
    Plan plan(run, bench, rows, dtype, comparisons);
    plan.train();
    plan.precompute();
    plan.decode();
    if (dtype != bench.dtypes.front()) continue;
    plan.samples();
    plan.growth();
  }
  return comparisons;
}

}  // namespace softcot
