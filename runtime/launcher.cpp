#include "runtime/launcher.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace softcot {
namespace {

/// Of the first variable that is set; empty where none is.
std::string first_of(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value != nullptr) return value;
  }
  return "";
}

int first_number(std::initializer_list<const char*> names, int otherwise) {
  const std::string text = first_of(names);
  return text.empty() ? otherwise : std::atoi(text.c_str());
}

}  // namespace

LauncherJob launcher_job() {
  LauncherJob job;
  job.rank = launcher_rank();
  job.size = first_number({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}, 1);
  // One of the two may come from a job around this one, as SLURM_PROCID in a batch script.
  if (job.rank < 0 || job.rank >= job.size) return {};
  job.local_rank = first_number({"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"}, job.rank);
  job.local_size =
      first_number({"OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE"}, job.size);
  return job;
}

int launcher_rank() {
  return first_number({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}, 0);
}

int srun_tasks() {
  return first_of({"SLURM_STEP_ID"}).empty() ? 1 : first_number({"SLURM_STEP_NUM_TASKS"}, 1);
}

bool launched_by_mpirun() { return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr; }

bool launched_by_mpi() {
  return launched_by_mpirun() || !first_of({"PMIX_RANK", "PMI_RANK"}).empty();
}

bool job_is_on_this_machine() {
  const std::string here = first_of({"OMPI_COMM_WORLD_LOCAL_SIZE"});
  return !here.empty() && here == first_of({"OMPI_COMM_WORLD_SIZE"});
}

std::filesystem::path job_folder() {
  return first_of({"OMPI_MCA_orte_jobfam_session_dir", "PMIX_SERVER_TMPDIR"});
}

std::string job_name() { return first_of({"PMIX_NAMESPACE"}); }

void leave_job() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    for (const std::string_view start : {"OMPI_COMM_WORLD_",
                                         "OMPI_UNIVERSE",
                                         "OMPI_APP_CTX",
                                         "OMPI_NUM_APP",
                                         "OMPI_FIRST_RANKS",
                                         "OMPI_FILE_LOCATION",
                                         "OMPI_COMMAND",
                                         "OMPI_ARGV",
                                         "OMPI_MCA_orte_",
                                         "OMPI_MCA_ess",
                                         "OMPI_MCA_pmix",
                                         "OMPI_MCA_shmem_RUNTIME",
                                         "OMPI_MCA_initial_wdir",
                                         "PMIX_",
                                         "PMI_",
                                         "PRTE_",
                                         "SLURM_PROCID",
                                         "SLURM_STEP_",
                                         "SLURM_LOCALID",
                                         "SLURM_NODEID"}) {
      if (name.starts_with(start)) names.push_back(name);
    }
  }
  for (const std::string& name : names) unsetenv(name.c_str());
}

}  // namespace softcot
