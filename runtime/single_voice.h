#pragma once

namespace softcot {

/// Whether this rank is the one of its job that says why the job fails: the first one on its
/// machine to ask, told by a mark in the job's own temporary folder (Open MPI and PMIx make one and
/// remove it). Where the job has other machines, or no such folder, or it is not known (under
/// srun), rank 0 always says it and others first wait five seconds: rank 0, failing alike, ends the
/// job in that time. False also when the wait is cut short.
bool may_report_failure(int rank);

}  // namespace softcot
