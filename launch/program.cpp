#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <new>

#include "launch/command.h"
#include "launch/options/nearest_name.h"
#include "launch/options/option_help.h"
#include "launch/standard_output.h"
#include "model/compiled_products.h"
#include "runtime/host_pool.h"
#include "runtime/launcher.h"
#include "runtime/log.h"
#include "runtime/process_world.h"
#include "runtime/single_voice.h"

namespace softcot {
namespace {

std::string overview(std::span<const Command> commands) {
  std::string out =
      "softcot: train and compare soft chain-of-thought reasoning with frozen language models\n\n"
      "Usage: softcot COMMAND [--config FILE] [--section.key value …]\n"
      "       mpirun -n RANKS softcot COMMAND …\n\nCommands\n";
  for (const Command& command : commands) {
    out += fmt::format("  {:<11} {}\n", command.name, command.summary);
  }
  return out +
         "\nsoftcot COMMAND --help explains a command, softcot --version names this version.\n"
         "New here? Run: softcot doctor\n";
}

const Command& find_command(const std::string& name, std::span<const Command> commands) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return command;
    names.emplace_back(command.name);
  }
  const std::optional<std::string> nearest = nearest_name(name, names);
  fail(ExitCode::kUsage, {.what = "unknown command",
                          .where = name,
                          .fix = nearest ? fmt::format("did you mean softcot {}?", *nearest)
                                         : "softcot --help lists the commands"});
}

/// What is known of an exception of any kind, as an exit code and error lines.
struct Failure {
  ExitCode code;
  std::vector<std::string> lines;
};

Failure single_failure(ExitCode code, const Problem& problem) {
  return {code, {format_error(code, problem)}};
}

Failure describe_exception() {
  const Problem no_memory = {.what = "out of memory",
                             .fix =
                                 "use a smaller batch, shorter rows or more ranks "
                                 "(--parallel.tp); softcot doctor shows what is free"};
  try {
    throw;
  } catch (const OptionErrors& errors) {
    Failure failure{errors.code(), {}};
    for (std::size_t i = 0; i < errors.problems().size(); ++i) {
      failure.lines.push_back(format_error(errors.codes()[i], errors.problems()[i]));
    }
    return failure;
  } catch (const Error& error) {
    return single_failure(error.code(), error.problem());
  } catch (const std::bad_alloc&) {
    return single_failure(ExitCode::kResources, no_memory);
  } catch (const std::filesystem::filesystem_error& error) {
    // Mostly a path that leads nowhere or may not be seen; else the disk behind it.
    const bool disk = error.code() == std::errc::io_error ||
                      error.code() == std::errc::no_space_on_device ||
                      error.code() == std::errc::too_many_files_open;
    return single_failure(disk ? ExitCode::kResources : ExitCode::kUsage,
                          {.what = "path cannot be used",
                           .where = error.path1().string(),
                           .got = error.code().message(),
                           .fix = "check its spelling, and that you may see what is in it"});
  } catch (const std::exception& error) {
    const std::string text = error.what();
    // LibTorch has no type of its own for a failed allocation on the CPU.
    if (text.find("can't allocate memory") != std::string::npos ||
        text.find("out of memory") != std::string::npos) {
      return single_failure(ExitCode::kResources, no_memory);
    }
    return single_failure(ExitCode::kInternal, {.what = "unexpected failure",
                                                .where = text.substr(0, text.find('\n')),
                                                .fix = "please report it, with the command line"});
  } catch (...) {
    return single_failure(ExitCode::kInternal, {.what = "unexpected failure"});
  }
}

/// `ranks` becomes what the command says of them, as soon as it is known.
ExitCode dispatch(Invocation& invocation, const std::string& name,
                  std::span<const Command> commands, Ranks& ranks) {
  if (name == "--version" || name == "--help" || name == "-h" || name == "help") {
    ranks = Ranks::kApart;
    write_standard_output(name == "--version" ? "softcot " SOFTCOT_VERSION "\n"
                                              : overview(commands));
    return ExitCode::kOk;
  }
  const Command& command = find_command(name, commands);
  ranks = command.ranks;
  return command.run(invocation);
}

int report_failure(Invocation& invocation, Ranks ranks) {
  const Failure failure = describe_exception();
  const int status = static_cast<int>(failure.code);
  const int rank = invocation.has_world() ? invocation.world().rank() : launcher_rank();
  const bool several =
      (invocation.has_world() ? invocation.world().size() : launcher_job().size) > 1;
  if (ranks == Ranks::kApart || may_report_failure(rank)) {
    const std::string prefix =
        several && ranks == Ranks::kTogether ? fmt::format("rank {}: ", rank) : "";
    for (const std::string& line : failure.lines) write_standard_error(prefix + line + "\n");
  }
  if (invocation.has_world()) invocation.world().abort(status);
  return status;
}

}  // namespace

Invocation::Invocation(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

Invocation::~Invocation() = default;

bool Invocation::read(OptionSet& options) {
  options.read(arguments_, softcot_environment());
  values_ = options.values();
  if (options.help_asked()) write_standard_output(help_page(options));
  return !options.help_asked();
}

ProcessWorld& Invocation::world() {
  if (!world_) {
    int count = 0;
    char** none = nullptr;
    world_ = std::make_unique<ProcessWorld>(ProcessWorld::start(count, none));
    set_log_rank(world_->rank(), world_->size());
  }
  return *world_;
}

int run_program(int argc, char** argv, std::span<const Command> commands) {
  // Where memory has run out, MPI still needs some to end the other ranks with our exit code. Never
  // touched: address space alone.
  auto reserve = std::make_unique_for_overwrite<std::byte[]>(8 << 20);
  open_missing_standard_streams();
  use_host_pool();
  bound_kept_products();
  std::signal(SIGPIPE, SIG_IGN);  // A closed pipe, and a file
  std::signal(SIGXFSZ, SIG_IGN);  // that may grow no more, are seen where the write fails,
  std::signal(SIGCHLD, SIG_DFL);  // and how a child ended, whatever our parent ignores.
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const std::string name = arguments.empty() ? "--help" : arguments.front();
  if (!arguments.empty()) arguments.erase(arguments.begin());
  Invocation invocation(std::move(arguments));
  Ranks ranks = Ranks::kTogether;  // A name of no command is one mistake of the whole job.
  try {
    return static_cast<int>(dispatch(invocation, name, commands, ranks));
  } catch (const OutputClosed&) {
    if (invocation.has_world() && invocation.world().size() > 1) invocation.world().abort(0);
    return static_cast<int>(ExitCode::kOk);
  } catch (...) {
    reserve.reset();
    return report_failure(invocation, ranks);
  }
}

}  // namespace softcot
