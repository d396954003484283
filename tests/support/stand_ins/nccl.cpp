// NCCL's C interface on host memory over MPI, for tests: a library that softcot opens in the place
// of the real one. As in NCCL with blocking = 0, calls return before they are done and go on when
// they are asked how far they are; the thread that made a communicator does all of its MPI calls,
// and another may ask for errors and abort.
//
// SOFTCOT_STAND_IN_NCCL makes it fail, in a list of these separated by commas. R is a rank in the
// world, K counts the collectives of each of its communicators, from 1.
//   hang-init         no communicator is ever ready
//   async-error:R:K   NCCL's remote error in place of the collective
//   skip:R:K          rank R takes the collective for done and joins nothing from then on
//   hang-abort        ncclCommAbort does not return
//   abort-waits       it returns once every other communicator of the process whose collective is
//                     not done has been told to abort, as NCCL waits for the device's kernels
// SOFTCOT_STAND_IN_NCCL_VERSION is the number of its version; 21400 without.
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "runtime/nccl_library.h"

namespace nccl = softcot::nccl;

namespace {

constexpr int kFirstTag = 9000;  // Of messages in the world; softcot itself sends none there.

struct Id {
  int root = 0;  // In the world.
  int tag = 0;
};

/// Whether the fault `kind` is asked for, here and now; −1 stands for "none given".
bool fault(const std::string& kind, int rank, int number = -1) {
  const char* all = std::getenv("SOFTCOT_STAND_IN_NCCL");
  std::istringstream list(all == nullptr ? "" : all);
  for (std::string each; std::getline(list, each, ',');) {
    std::istringstream parts(each);
    std::string part;
    std::getline(parts, part, ':');
    if (part != kind) continue;
    const bool here = !std::getline(parts, part, ':') || std::stoi(part) == rank;
    const bool now = !std::getline(parts, part, ':') || std::stoi(part) == number;
    if (here && now) return true;
  }
  return false;
}

[[noreturn]] void hang() {
  for (;;) pause();
}

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

MPI_Datatype mpi_type(nccl::DataType type) {
  switch (type) {
    case nccl::kUint8:
      return MPI_UINT8_T;
    case nccl::kInt64:
      return MPI_INT64_T;
    case nccl::kFloat32:
      return MPI_FLOAT;
    case nccl::kFloat64:
      return MPI_DOUBLE;
    case nccl::kBfloat16:
      return MPI_UINT16_T;  // Is moved, never added.
  }
  return MPI_DATATYPE_NULL;
}

MPI_Op mpi_op(nccl::RedOp op) {
  return op == nccl::kSum ? MPI_SUM : op == nccl::kMax ? MPI_MAX : MPI_MIN;
}

std::size_t size_of(nccl::DataType type) {
  int bytes = 0;
  MPI_Type_size(mpi_type(type), &bytes);
  return static_cast<std::size_t>(bytes);
}

}  // namespace

/// Made in two steps: the first rank collects the world ranks of the others and sends all of them
/// back; then MPI makes the communicator, which is quick, as everybody is there.
struct nccl::ncclComm {
  std::thread::id owner = std::this_thread::get_id();
  Id id;
  int rank = 0;
  int collectives = 0;
  std::vector<int> world;  // Rank in the group → in the world.
  MPI_Comm comm = MPI_COMM_NULL;
  std::vector<MPI_Request> requests;
  int arrived = 0;
  int message[2] = {0, 0};  // Rank in the group, in the world.
  bool joined_nothing = false;
  std::vector<char> whole;  // The sum, of which a reduce_scatter keeps a part.
  void* part = nullptr;     // Where it goes.
  std::size_t part_bytes = 0;
  std::atomic<nccl::Result> state{nccl::kInProgress};
  bool told_to_abort = false;

  int ranks() const { return static_cast<int>(world.size()); }
  bool first() const { return rank == 0; }

  void begin();
  void advance();
  void advance_making();
};

void nccl::ncclComm::begin() {
  if (fault("hang-init", world_rank())) {
    joined_nothing = true;
    return;
  }
  requests.assign(1, MPI_REQUEST_NULL);
  if (first()) {
    world[0] = id.root;
    arrived = 1;
    if (ranks() > 1) {
      MPI_Irecv(message, 2, MPI_INT, MPI_ANY_SOURCE, id.tag, MPI_COMM_WORLD, &requests[0]);
    }
    return;
  }
  message[0] = rank;
  message[1] = world_rank();
  requests.assign(2, MPI_REQUEST_NULL);
  MPI_Isend(message, 2, MPI_INT, id.root, id.tag, MPI_COMM_WORLD, &requests[0]);
  MPI_Irecv(world.data(), ranks(), MPI_INT, id.root, id.tag + 1, MPI_COMM_WORLD, &requests[1]);
}

void nccl::ncclComm::advance_making() {
  if (first() && arrived < ranks()) {
    world[message[0]] = message[1];
    if (++arrived < ranks()) {
      MPI_Irecv(message, 2, MPI_INT, MPI_ANY_SOURCE, id.tag, MPI_COMM_WORLD, &requests[0]);
      return;
    }
    requests.assign(ranks(), MPI_REQUEST_NULL);
    for (int other = 1; other < ranks(); ++other) {
      MPI_Isend(world.data(), ranks(), MPI_INT, world[other], id.tag + 1, MPI_COMM_WORLD,
                &requests[other]);
    }
    return;
  }
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Group group = MPI_GROUP_NULL;
  MPI_Comm_group(MPI_COMM_WORLD, &all);
  MPI_Group_incl(all, ranks(), world.data(), &group);
  MPI_Comm_create_group(MPI_COMM_WORLD, group, id.tag, &comm);
  MPI_Group_free(&group);
  MPI_Group_free(&all);
  requests.clear();
  state = nccl::kSuccess;
}

void nccl::ncclComm::advance() {
  if (joined_nothing || state != nccl::kInProgress) return;
  int done = 0;
  MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
  if (done == 0) return;
  if (comm == MPI_COMM_NULL) return advance_making();
  if (part != nullptr) std::memcpy(part, whole.data() + rank * part_bytes, part_bytes);
  part = nullptr;
  state = nccl::kSuccess;
}

namespace {

/// The communicators of this process, and the aborts of this thread's group, if it is in one.
std::mutex mutex;
std::condition_variable told;
std::set<nccl::Comm> communicators;
thread_local bool in_group = false;
thread_local std::vector<nccl::Comm> group;

void tell_to_abort(nccl::Comm comm) {
  const std::lock_guard lock(mutex);
  comm->told_to_abort = true;
  told.notify_all();
}

void finish_abort(nccl::Comm comm) {
  if (fault("abort-waits", -1)) {
    std::unique_lock lock(mutex);
    told.wait(lock, [] {
      return std::all_of(communicators.begin(), communicators.end(), [](nccl::Comm each) {
        return each->told_to_abort || each->state == nccl::kSuccess;
      });
    });
    std::cerr << "stand-in NCCL: aborted\n";
  }
  comm->state = nccl::kSystemError;
}

/// `start` begins the collective and stores MPI's handle of it.
template <typename Start>
nccl::Result collective(nccl::Comm comm, const Start& start) {
  const int rank = world_rank();
  const int number = ++comm->collectives;
  if (fault("skip", rank, number)) {
    comm->joined_nothing = true;
    return nccl::kSuccess;
  }
  if (fault("async-error", rank, number)) {
    comm->state = nccl::kRemoteError;
    return nccl::kInProgress;
  }
  comm->state = nccl::kInProgress;
  if (!comm->joined_nothing) {
    comm->requests.assign(1, MPI_REQUEST_NULL);
    start(&comm->requests[0]);
  }
  return nccl::kInProgress;
}

}  // namespace

extern "C" {

extern const int softcot_nccl_on_host_memory;
const int softcot_nccl_on_host_memory = 1;

/// A test may set it: called by every abort.
extern void (*softcot_nccl_on_abort)();
void (*softcot_nccl_on_abort)() = nullptr;

nccl::Result ncclGetVersion(int* version) {
  const char* number = std::getenv("SOFTCOT_STAND_IN_NCCL_VERSION");
  *version = number == nullptr ? 21400 : std::atoi(number);
  return nccl::kSuccess;
}

nccl::Result ncclGetUniqueId(nccl::UniqueId* id) {
  static int made = 0;
  const Id mine{world_rank(), kFirstTag + 2 * made++};
  std::memcpy(id->bytes, &mine, sizeof mine);
  return nccl::kSuccess;
}

nccl::Result ncclCommInitRankConfig(nccl::Comm* comm, int ranks, nccl::UniqueId id, int rank,
                                    nccl::Config* config) {
  if (config->magic != 0xcafebeef || config->size != sizeof(nccl::Config) ||
      config->blocking != 0) {
    return nccl::kInvalidArgument;
  }
  auto made = std::make_unique<nccl::ncclComm>();
  std::memcpy(&made->id, id.bytes, sizeof made->id);
  made->rank = rank;
  made->world.resize(ranks);
  made->begin();
  *comm = made.release();
  const std::lock_guard lock(mutex);
  communicators.insert(*comm);
  return nccl::kInProgress;
}

nccl::Result ncclCommGetAsyncError(nccl::Comm comm, nccl::Result* error) {
  if (std::this_thread::get_id() == comm->owner) comm->advance();
  *error = comm->state;
  return nccl::kSuccess;
}

nccl::Result ncclCommFinalize(nccl::Comm) { return nccl::kSuccess; }

nccl::Result ncclCommDestroy(nccl::Comm comm) {
  {
    const std::lock_guard lock(mutex);
    communicators.erase(comm);
  }
  MPI_Comm_free(&comm->comm);
  delete comm;
  return nccl::kSuccess;
}

nccl::Result ncclCommAbort(nccl::Comm comm) {
  if (softcot_nccl_on_abort != nullptr) softcot_nccl_on_abort();
  if (fault("hang-abort", -1)) hang();
  tell_to_abort(comm);
  if (in_group) {
    group.push_back(comm);
  } else {
    finish_abort(comm);
  }
  return nccl::kSuccess;
}

nccl::Result ncclGroupStart() {
  in_group = true;
  return nccl::kSuccess;
}

nccl::Result ncclGroupEnd() {
  in_group = false;
  for (const nccl::Comm comm : group) finish_abort(comm);
  group.clear();
  return nccl::kSuccess;
}

const char* ncclGetErrorString(nccl::Result result) {
  return result == nccl::kRemoteError ? "remote process exited or there was a network error"
                                      : "unhandled system error";
}
const char* ncclGetLastError(nccl::Comm) { return ""; }

nccl::Result ncclAllReduce(const void* send, void* receive, std::size_t count, nccl::DataType type,
                           nccl::RedOp op, nccl::Comm comm, nccl::Stream) {
  return collective(comm, [&](MPI_Request* request) {
    MPI_Iallreduce(send == receive ? MPI_IN_PLACE : send, receive, static_cast<int>(count),
                   mpi_type(type), mpi_op(op), comm->comm, request);
  });
}

nccl::Result ncclAllGather(const void* send, void* receive, std::size_t count, nccl::DataType type,
                           nccl::Comm comm, nccl::Stream) {
  return collective(comm, [&](MPI_Request* request) {
    MPI_Iallgather(send, static_cast<int>(count), mpi_type(type), receive, static_cast<int>(count),
                   mpi_type(type), comm->comm, request);
  });
}

// The sum of everything, so that it has the bits of an all_reduce.
nccl::Result ncclReduceScatter(const void* send, void* receive, std::size_t count,
                               nccl::DataType type, nccl::RedOp op, nccl::Comm comm, nccl::Stream) {
  const std::size_t all = count * comm->world.size();
  comm->part = receive;
  comm->part_bytes = count * size_of(type);
  comm->whole.resize(all * size_of(type));
  return collective(comm, [&](MPI_Request* request) {
    MPI_Iallreduce(send, comm->whole.data(), static_cast<int>(all), mpi_type(type), mpi_op(op),
                   comm->comm, request);
  });
}

nccl::Result ncclBroadcast(const void* send, void* receive, std::size_t count, nccl::DataType type,
                           int root, nccl::Comm comm, nccl::Stream) {
  if (send != receive) std::memcpy(receive, send, count * size_of(type));
  return collective(comm, [&](MPI_Request* request) {
    MPI_Ibcast(receive, static_cast<int>(count), mpi_type(type), root, comm->comm, request);
  });
}

}  // extern "C"
