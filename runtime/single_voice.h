#pragma once

#include <string>

namespace softcot {

enum class JobMark {
  kMine,     ///< This process is the first of its job on this machine.
  kTaken,    ///< Another was faster.
  kNowhere,  ///< No launcher, or one without a folder for the job.
};

/// Leaves the mark `name` in the job's own temporary folder, which its launcher removes.
JobMark leave_job_mark(const std::string& name);

/// Whether this rank is the one of its job that says why the job fails: the first one on its
/// machine to ask, told by a mark in the job's own temporary folder (Open MPI and PMIx make one and
/// remove it). Where the job has other machines, or no such folder, or it is not known (under
/// srun), rank 0 always says it and others first wait five seconds: rank 0, failing alike, ends the
/// job in that time. False also when the wait is cut short.
bool may_report_failure(int rank);

}  // namespace softcot
