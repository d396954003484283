#pragma once

#include <filesystem>
#include <string>

namespace softcot {

// What the program that started this process (mpirun, srun, a PMIx or PMI server) tells it in the
// environment. All reading of those variables is here. Local.

/// This process's place in its job. Without a launcher, or where the variables contradict each
/// other, the process is alone.
struct LauncherJob {
  int rank = 0;        ///< In [0, size).
  int size = 1;        ///< Processes of the job or job step.
  int local_rank = 0;  ///< On this machine; `rank` where the launcher does not state it.
  int local_size = 1;  ///< Those on this machine; `size` where the launcher does not state it.
};

LauncherJob launcher_job();

/// The rank as it is told, also where the job's size is not; 0 without a launcher.
int launcher_rank();
/// Tasks of the job step that srun started; 1 without srun.
int srun_tasks();

/// Whether Open MPI's own launcher has started this process.
bool launched_by_mpirun();
/// The same, or a PMIx or PMI server such as srun's: MPI can be started.
bool launched_by_mpi();

/// Whether all processes of the job are on this machine; false where it is not known.
bool job_is_on_this_machine();
/// A folder of this job on this machine, which the launcher removes at its end. Empty where there
/// is none (srun without PMIx, no launcher).
std::filesystem::path job_folder();
/// Tells this job from others that use the same folder; may be empty.
std::string job_name();

/// Takes these variables out of the environment, so that a rank can start programs that are not
/// ranks of its job, or a job of their own.
void leave_job();

}  // namespace softcot
