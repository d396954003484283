#include "support/victim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/files.h"
#include "support/job.h"
#include "support/train_outcome.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 12;  // Of TinyProject's configuration.

std::string sorted_lines(const fs::path& file) {
  std::istringstream text(slurp(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  std::string sorted;
  for (const std::string& line : lines) sorted += line + "\n";
  return sorted;
}

void take(Outcome& outcome, const fs::path& folder, const std::string& name) {
  EXPECT_TRUE(fs::exists(folder / name)) << folder / name;
  outcome[name] = slurp(folder / name);
}

}  // namespace

std::string Victim::name_of(Kind kind) {
  switch (kind) {
    case Kind::kPrecompute:
      return "precompute";
    case Kind::kTrain:
      return "train";
    case Kind::kEvaluate:
      return "evaluate";
    case Kind::kSweep:
      return "sweep";
  }
  return "";
}

void Victim::prepare(const fs::path& folder) const {
  fs::remove_all(folder);
  fs::create_directories(folder);
  if (kind_ == Kind::kEvaluate) {
    fs::copy(project_.path("trained"), folder / "run", fs::copy_options::recursive);
  }
}

std::vector<std::string> Victim::call(const fs::path& folder) const {
  switch (kind_) {
    case Kind::kPrecompute:
      return project_.call("precompute", {"--thoughts.cache", folder / "caches"});
    case Kind::kTrain:
      return project_.call("train",
                           {"--run.folder", folder / "run", "--resume", "--train.keep", "2"});
    case Kind::kEvaluate:
      return project_.call("evaluate", {"--run.folder", folder / "run", "--evaluate.batch", "3"});
    case Kind::kSweep: {
      const auto file = project_.path("sweep.cfg");
      if (!fs::exists(file)) {
        std::string settings = slurp(project_.path("project.cfg"));
        settings.erase(settings.find("count ="),
                       settings.find("[train]") - settings.find("count ="));
        spill(file, "[sweep]\ntitle = Tiny\n[axes]\nthoughts.count = 0, 2\n" + settings);
      }
      return {"sweep",
              "--config",
              file,
              "--out",
              folder / "sweep",
              "--thoughts.cache",
              folder / "caches",
              "--train.steps",
              "4",
              "--train.checkpoint-every",
              "2",
              "--data.eval-limit",
              "4",
              "--thoughts.prompt",
              "uncounted"};
    }
  }
  return {};
}

Outcome Victim::outcome(const fs::path& folder) const {
  Outcome outcome;
  switch (kind_) {
    case Kind::kPrecompute:
      for (const std::string& name : names_below(folder / "caches")) {
        if (fs::is_regular_file(folder / "caches" / name)) {
          take(outcome, folder / "caches", name);
        }
      }
      EXPECT_GE(outcome.size(), 6U);
      break;
    case Kind::kTrain: {
      for (const std::string& line : timeless_metrics(folder / "run")) {
        outcome["metrics"] += line + "\n";
      }
      take(outcome, checkpoint_folder(folder / "run", kSteps), "state.safetensors");
      for (const std::string& name : names_below(folder / "run/checkpoints")) {
        outcome["checkpoints"] += name + "\n";
      }
      break;
    }
    case Kind::kEvaluate:
      for (const std::string& name : names_below(folder / "run/samples")) {
        outcome["samples/" + name] = sorted_lines(folder / "run/samples" / name);
      }
      take(outcome, folder / "run", "results.json");
      break;
    case Kind::kSweep:
      take(outcome, folder / "sweep", "sweep.json");
      take(outcome, folder / "sweep", "cells.csv");
      break;
  }
  return outcome;
}

const TinyProject& trained_project() {
  static const TinyProject project;
  static const bool made = [] {
    project.precompute();
    const ChildResult trained = run_softcot(project.call_in("trained", "train"));
    EXPECT_EQ(trained.status, 0) << trained.err;
    return true;
  }();
  EXPECT_TRUE(made);
  return project;
}

std::vector<std::string> leftovers_below(const fs::path& folder) {
  std::vector<std::string> left;
  for (const std::string& name : names_below(folder)) {
    const bool hidden = fs::path(name).filename().string().starts_with(".");
    if (hidden && name.ends_with(".tmp")) left.push_back(name);
  }
  return left;
}

}  // namespace softcot::test
