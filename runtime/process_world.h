#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/communicator.h"
#include "runtime/mesh.h"

namespace softcot {

class NcclWatchdog;

/// This process among the ranks of its job: MPI is started once, here, and ended with this object.
/// Without mpirun or srun it is rank 0 of 1 and MPI is never touched.
class ProcessWorld {
 public:
  /// Starts MPI when the process was launched as a rank of an MPI job. Call once, at the start of
  /// `main`. Throws kUsage when started by a launcher that this MPI cannot talk to (each rank would
  /// think itself alone).
  static ProcessWorld start(int& argc, char**& argv);

  ProcessWorld(ProcessWorld&&) noexcept;
  ~ProcessWorld();

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Ranks of this job on the same machine, and this one's number among them.
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }

  /// How long a collective of the groups made after this waits for the other ranks.
  void set_timeout(std::chrono::milliseconds timeout) { timeout_ = timeout; }

  /// The device whose tensors the groups made after this move; without a call the host.
  void set_device(at::Device device) { device_ = device; }
  at::Device device() const { return device_; }
  /// From now on ProcessGroups move them through NCCL. Every rank keeps a record of its collectives
  /// in `flight_records`, a folder that all see (empty: none). Throws kResources without NCCL and
  /// kUsage where the library cannot reach the device's memory. Local.
  void use_nccl(const std::filesystem::path& flight_records);

  /// Communicator through MPI over the given world ranks, of which this is one. Collective over
  /// those ranks.
  std::unique_ptr<Communicator> group(const std::vector<int>& ranks) const;
  std::unique_ptr<Communicator> world_group() const;
  /// The same through NCCL if that is used; `name` is what its errors call the group.
  std::unique_ptr<Communicator> device_group(const std::string& name,
                                             const std::vector<int>& ranks) const;

  /// The text of each rank on this machine, in order of local rank. Collective over the world.
  std::vector<std::string> gather_on_node(const std::string& text) const;

  /// Ends all ranks of the job with this exit status, after a second under srun, so that what this
  /// one has written arrives. For use when the other ranks may be waiting for this one. Never
  /// returns.
  [[noreturn]] void abort(int status) const;

 private:
  ProcessWorld() = default;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  bool uses_mpi_ = false;
  std::chrono::milliseconds timeout_{std::chrono::minutes(10)};
  at::Device device_ = at::kCPU;
  std::shared_ptr<NcclWatchdog> nccl_;  // Null while groups go through MPI.
};

/// The groups of one rank in a mesh: `tp` shares a replica, `dp` shares gradients, `world` is all.
struct ProcessGroups {
  Mesh mesh;
  std::unique_ptr<Communicator> world;
  std::unique_ptr<Communicator> dp;
  std::unique_ptr<Communicator> tp;
  int dp_index = 0;
  int tp_index = 0;

  /// Collective over the world.
  static ProcessGroups make(const ProcessWorld& world, int tp);
};

}  // namespace softcot
