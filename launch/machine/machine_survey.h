#pragma once

#include <string>
#include <vector>

namespace softcot {

/// One thing that a machine has or lacks, in words for someone who meets it for the first time.
struct Finding {
  enum class State {
    kGood,     ///< There, and as it should be.
    kAbsent,   ///< Not there; softcot works without it, with less.
    kProblem,  ///< Will get in the way: worth changing before a long run.
  };
  std::string topic;       ///< "processor", "MPI", "GPU".
  std::string value = {};  ///< What was found: "2 cores, 2 threads for this process".
  State state = State::kGood;
  std::string meaning = {};  ///< What follows from it.
  std::string remedy = {};   ///< How to get or change it; empty when there is nothing to do.
};

/// The processor, memory, disk and limits of this process. Local.
std::vector<Finding> survey_machine();

/// LibTorch, MPI, HDF5, gnuplot: what this program was put together from. `ranks` is the size of
/// the job that this process is one of. Local.
std::vector<Finding> survey_libraries(int ranks);

/// GPUs, their driver and NCCL, found without linking any of them. Local.
std::vector<Finding> survey_gpus();

}  // namespace softcot
