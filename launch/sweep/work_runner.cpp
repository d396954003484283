#include "launch/sweep/work_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "data/cache_lock.h"
#include "launch/run/deciding_options.h"
#include "launch/run/run_folder.h"
#include "launch/run/set_aside.h"
#include "launch/sweep/cell_settings.h"
#include "launch/sweep/gpu_slots.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/stop_signal.h"

namespace softcot {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(20);
constexpr auto kTryEvery = std::chrono::milliseconds(200);
constexpr auto kLookAtLogEvery = std::chrono::seconds(1);
constexpr auto kLookAroundEvery = std::chrono::seconds(2);
constexpr int kKilled = 128;                           // plus the signal, as shells have it
constexpr std::uint64_t kLongestConfig = 1 << 20;      // bytes
constexpr std::uint64_t kLongestSamples = 1ULL << 32;  // bytes

/// The last line of a log that tells of an error, after so many bytes of earlier steps; without
/// one, what the status tells.
std::string reason_of(int status, const std::filesystem::path& log, std::uintmax_t begin) {
  std::ifstream file(log);
  file.seekg(static_cast<std::streamoff>(begin));
  std::string last = "see " + log.string();
  if (status == static_cast<int>(ExitCode::kResources)) {
    // The log lies on the same disk.
    last = "memory, disk or file handles do not suffice, and its log could not say so: " + last;
  } else if (status > kKilled) {
    last = fmt::format("{}: {}", strsignal(status - kKilled), last);
  }
  for (std::string line; std::getline(file, line);) {
    if (line.find("error[") != std::string::npos) last = line;
  }
  return last;
}

std::uintmax_t size_of(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? std::filesystem::file_size(file) : 0;
}

/// For whom the step waits that writes this log, from its last line; empty where it does not wait.
std::string waiting_in(const std::filesystem::path& log, std::uintmax_t begin) {
  constexpr std::uintmax_t kLongestLine = 4096;
  const std::uintmax_t size = size_of(log);
  std::ifstream file(log);
  file.seekg(static_cast<std::streamoff>(size > kLongestLine ? std::max(begin, size - kLongestLine)
                                                             : begin));
  std::string last;
  for (std::string line; std::getline(file, line);) last = line;
  const std::size_t mark = last.find(kWaitingForCache);
  return mark == std::string::npos ? "" : last.substr(mark);
}

bool trains(const Work& work) {
  return std::any_of(work.steps.begin(), work.steps.end(),
                     [](const WorkStep& step) { return step.command == "train"; });
}

/// The settings with the defaults of all others, so that an option that is new counts as unchanged.
Settings completed(Settings settings) {
  std::erase_if(settings, [](const auto& item) {
    return item.first.starts_with("run.") || item.first.starts_with("stop.");
  });
  CheckedSettings checked = check_cell_settings(settings, /*trains=*/true);
  return checked.problems.empty() ? std::move(checked.values) : settings;
}

/// Whether a training of a folder's earlier config is that of its settings now. One that says
/// nothing leaves it to the checkpoint.
bool is_same_training(const std::filesystem::path& config, const Settings& settings) {
  const Method& method = method_of(settings.at("train.method"));
  try {
    const Settings before = read_settings(config);
    const auto trained = before.find("train.method");
    if (trained != before.end() && trained->second != method.name) return false;
    return deciding_training(completed(before), method) ==
           deciding_training(completed(settings), method);
  } catch (const OptionErrors&) {
    return true;
  }
}

/// Sets aside what lies beside a config file that holds other settings than these.
void set_aside(const std::filesystem::path& config, const Settings& settings, bool training) {
  SetAside aside(config.parent_path());
  const std::string reason = "its settings have changed";
  const bool had_config = std::filesystem::exists(config);
  const auto take = [&](const std::vector<std::filesystem::path>& files) {
    for (const auto& file : files) aside.take(file, reason);
  };
  take(evaluation_files());
  if (!training || (had_config && !is_same_training(config, settings))) take(training_files());
}

/// An evaluation that finds samples made from the same does not make them again.
void take_over_samples(const std::filesystem::path& from, const std::filesystem::path& to) {
  make_folder(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (entry.path().extension() != ".jsonl") continue;
    const auto file = to / entry.path().filename();
    if (std::filesystem::exists(file)) continue;
    write_file_atomically(file, read_file(entry.path(), kLongestSamples));
  }
}

}  // namespace

WorkRunner::WorkRunner(const std::vector<Work>& works, WorkOptions options)
    : works_(works), options_(std::move(options)), states_(works.size()) {}

std::filesystem::path WorkRunner::folder(std::size_t work) const {
  return options_.out / works_[work].name;
}

bool WorkRunner::done(std::size_t work) const {
  const auto mark = read_done(folder(work));
  return mark && mark->hash == works_[work].hash;
}

std::filesystem::file_time_type WorkRunner::failed_at(std::size_t work) const {
  std::error_code none;
  const auto time = std::filesystem::last_write_time(failure_mark(folder(work)), none);
  return none ? std::filesystem::file_time_type::min() : time;
}

void WorkRunner::look_around() {
  for (std::size_t i = 0; i < works_.size(); ++i) {
    const Phase phase = states_[i].phase;
    const bool open = phase == Phase::kWaiting || phase == Phase::kElsewhere;
    if (open && done(i)) states_[i].phase = Phase::kDone;
  }
}

void WorkRunner::want(std::size_t work) {
  if (states_[work].phase != Phase::kUnwanted) return;
  states_[work].phase = done(work) ? Phase::kDone : Phase::kWaiting;
  if (states_[work].phase == Phase::kDone) return;
  for (const std::size_t need : works_[work].needs) want(need);
}

ExitCode WorkRunner::run(const std::vector<bool>& wanted, WorkDisplay& display) {
  std::fill(states_.begin(), states_.end(), WorkState{});
  failed_before_.clear();
  for (std::size_t i = 0; i < works_.size(); ++i) {
    if (wanted[i]) want(i);
    failed_before_.push_back(failed_at(i));
  }
  const auto unfinished = [](const WorkState& state) {
    return state.phase == Phase::kWaiting || state.phase == Phase::kElsewhere;
  };
  WorkState::Clock::time_point tried{};
  WorkState::Clock::time_point looked{};
  for (;;) {
    bool changed = false;
    for (std::size_t i = 0; i < running_.size();) {
      if (stop_requested()) running_[i].command->ask_to_stop();
      if (look_at(running_[i], display)) {
        ++i;
      } else {
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        changed = true;
      }
    }
    if (stop_requested()) {
      if (running_.empty()) break;
    } else if (changed || WorkState::Clock::now() - tried > kTryEvery) {
      start_what_can(display);
      tried = WorkState::Clock::now();
      if (running_.empty() && std::none_of(states_.begin(), states_.end(), unfinished)) break;
    }
    if (WorkState::Clock::now() - looked > kLookAroundEvery) {
      look_around();
      looked = WorkState::Clock::now();
    }
    display.update(states_);
    std::this_thread::sleep_for(kLookEvery);
  }
  display.finish(states_);
  if (stop_requested()) {
    display.say("stopped on request; the same call goes on from here", true);
    return ExitCode::kStopped;
  }
  for (const WorkState& state : states_) {
    if (state.phase == Phase::kFailed) return static_cast<ExitCode>(state.failure.status);
  }
  return ExitCode::kOk;
}

void WorkRunner::start_what_can(WorkDisplay& display) {
  for (std::size_t i = 0; i < works_.size(); ++i) {
    if (running_.size() == static_cast<std::size_t>(options_.jobs)) return;
    const Phase phase = states_[i].phase;
    if (phase == Phase::kWaiting || phase == Phase::kElsewhere) try_start(i, display);
  }
}

void WorkRunner::try_start(std::size_t work, WorkDisplay& display) {
  WorkState& state = states_[work];
  for (const std::size_t need : works_[work].needs) {
    if (states_[need].phase != Phase::kDone && states_[need].phase != Phase::kFailed) return;
  }
  make_folder(folder(work));
  auto lock = FileLock::try_take(folder(work) / kWorkLock);
  if (!lock) {
    state.phase = Phase::kElsewhere;
    return;
  }
  if (done(work)) {
    state.phase = Phase::kDone;
    return;
  }
  // Another process has just tried it: not each need find out by itself.
  if (const auto failure = read_failure(folder(work));
      failure && failed_at(work) != failed_before_[work]) {
    state.phase = Phase::kFailed;
    state.failure = *failure;
    return;
  }
  for (const std::size_t need : works_[work].needs) {
    if (states_[need].phase != Phase::kFailed) continue;
    WorkFailure failure = states_[need].failure;
    failure.reason = fmt::format("needs {}: {}", works_[need].name, failure.reason);
    prepare(work);
    fail_work(work, failure, display);
    return;
  }
  prepare(work);
  state.phase = Phase::kRunning;
  state.start = WorkState::Clock::now();
  running_.push_back({work, 0, free_slot(), std::move(*lock), 0, nullptr, {}, {}});
  start_step(running_.back(), display);
}

/// Writes its configs. What was made under other settings is set aside; of the training only if
/// these are its own: a finished one is not repeated for another evaluation.
void WorkRunner::prepare(std::size_t work) const {
  remove_marks(folder(work));
  const std::string head = "# settings " + works_[work].hash + "\n";
  const auto own = folder(work) / kWorkConfig;
  const bool same =
      std::filesystem::exists(own) && read_file(own, kLongestConfig).starts_with(head);
  // The first, its own, goes last: its head says that the rest was dealt with.
  const auto& configs = works_[work].configs;
  for (std::size_t i = configs.size(); i-- > 0;) {
    const auto& [path, settings] = configs[i];
    const auto file = folder(work) / path;
    make_folder(file.parent_path());
    if (same) {
      std::filesystem::remove(RunPaths{file.parent_path()}.results());
    } else {
      set_aside(file, settings, i == 0 && trains(works_[work]));
    }
    write_file_atomically(file, head + config_text(settings));
  }
  const auto& baseline = works_[work].baseline;
  if (baseline && states_[*baseline].phase == Phase::kDone) {
    take_over_samples(folder(*baseline) / "samples", folder(work) / "samples");
  }
}

void WorkRunner::look_at_log(Running& running, WorkDisplay& display) {
  if (WorkState::Clock::now() - running.looked < kLookAtLogEvery) return;
  running.looked = WorkState::Clock::now();
  const auto waiting = waiting_in(folder(running.work) / kWorkLog, running.log_begin);
  if (waiting != running.waiting && !waiting.empty()) {
    display.say(fmt::format("{}: {}", works_[running.work].name, waiting));
  }
  running.waiting = waiting;
}

void WorkRunner::start_step(Running& running, WorkDisplay& display) {
  const Work& work = works_[running.work];
  const WorkStep& step = work.steps[running.step];
  states_[running.work].step = step.command;
  display.say(fmt::format("{}: {}", work.name, step.command));
  const auto log = folder(running.work) / kWorkLog;
  running.log_begin = size_of(log);
  running.waiting.clear();
  running.command = std::make_unique<ChildCommand>(words_of(running), log, environment_of(running),
                                                   running.lock.descriptor());
}

bool WorkRunner::look_at(Running& running, WorkDisplay& display) {
  const auto status = running.command->status();
  if (!status) {
    look_at_log(running, display);
    return true;
  }
  const Work& work = works_[running.work];
  WorkState& state = states_[running.work];
  if (*status == 0 && running.step + 1 == work.steps.size()) {
    state.phase = Phase::kDone;
    state.seconds = std::chrono::duration<double>(WorkState::Clock::now() - state.start).count();
    write_done(folder(running.work), work.hash, state.seconds);
    return false;
  }
  // A step that stops by itself, its time being up, speaks for all of them.
  if (*status == static_cast<int>(ExitCode::kStopped)) request_stop();
  if (stop_requested()) {
    state.phase = Phase::kWaiting;
    return false;
  }
  if (*status != 0) {
    fail_work(running.work,
              {work.steps[running.step].command, *status,
               reason_of(*status, folder(running.work) / kWorkLog, running.log_begin)},
              display);
    return false;
  }
  ++running.step;
  start_step(running, display);
  return true;
}

void WorkRunner::fail_work(std::size_t work, const WorkFailure& failure, WorkDisplay& display) {
  display.say(fmt::format("{}: {} failed with status {}: {}", works_[work].name, failure.step,
                          failure.status, failure.reason),
              true);
  write_failure(folder(work), failure);
  states_[work].phase = Phase::kFailed;
  states_[work].failure = failure;
}

std::size_t WorkRunner::free_slot() const {
  std::size_t slot = 0;
  const auto has_it = [&](const Running& running) { return running.slot == slot; };
  while (std::any_of(running_.begin(), running_.end(), has_it)) ++slot;
  return slot;
}

std::map<std::string, std::string> WorkRunner::environment_of(const Running& running) const {
  if (options_.gpus.empty()) return {};
  const Work& work = works_[running.work];
  for (const auto& [path, settings] : work.configs) {
    if (path != work.steps[running.step].config || !looks_for_gpus(settings)) continue;
    return {{"CUDA_VISIBLE_DEVICES", options_.gpus.at(running.slot)}};
  }
  return {};
}

std::vector<std::string> WorkRunner::words_of(const Running& running) const {
  // This very program, whatever has been built in its place meanwhile; a launcher needs its path.
  std::string program = "/proc/self/exe";
  std::vector<std::string> words;
  if (options_.ranks > 1) {
    program = own_program();
    std::istringstream text(options_.launcher);
    for (std::string word; text >> word;) {
      words.push_back(word == "{ranks}" ? std::to_string(options_.ranks) : word);
    }
  }
  const WorkStep& step = works_[running.work].steps[running.step];
  words.insert(words.end(),
               {program, step.command, "--config", (folder(running.work) / step.config).string()});
  words.insert(words.end(), step.more.begin(), step.more.end());
  return words;
}

}  // namespace softcot
