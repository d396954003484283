#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/error.h"

namespace softcot {

// The HDF5 C library behind owning handles. Threads: the system's library is built without thread
// support, so every call of this header takes one global lock; objects may move between threads,
// and one object is used by one thread at a time. Processes: no file may be open across fork().

/// Whether a file opened for reading is locked. The environment variable HDF5_USE_FILE_LOCKING,
/// where it is set, overrides this: that is the library's own rule.
enum class Hdf5Locking {
  kOff,         ///< Right for files that never change once they have their name.
  kIfPossible,  ///< Locks; where the file system cannot, opens without (see `lock_refused`).
  kOn,          ///< Locks, or throws.
};

/// Element types on disk, all little endian. In memory: float, std::uint16_t (the bits), uint64.
enum class Hdf5Type {
  kFloat32,
  kBfloat16,  ///< 1 sign, 8 exponent, 7 mantissa bits; h5py reads it as float32.
  kUint64,
};

template <typename T>
struct Hdf5Element;
template <>
struct Hdf5Element<float> {
  static constexpr Hdf5Type kType = Hdf5Type::kFloat32;
};
template <>
struct Hdf5Element<std::uint16_t> {
  static constexpr Hdf5Type kType = Hdf5Type::kBfloat16;
};
template <>
struct Hdf5Element<std::uint64_t> {
  static constexpr Hdf5Type kType = Hdf5Type::kUint64;
};

using Hdf5Shape = std::vector<std::uint64_t>;
using Hdf5Value = std::variant<std::int64_t, double, std::string>;

/// Owns one library identifier and closes it.
class Hdf5Handle {
 public:
  using Close = int (*)(std::int64_t);

  Hdf5Handle() = default;
  Hdf5Handle(std::int64_t id, Close close) : id_(id), close_(close) {}
  ~Hdf5Handle() { reset(); }
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept;

  std::int64_t get() const { return id_; }
  void reset() noexcept;

 private:
  std::int64_t id_ = -1;
  Close close_ = nullptr;
};

/// Names the file and the exit code in every Error of a file and its datasets.
struct Hdf5Context {
  std::string where;
  ExitCode code = ExitCode::kCache;
};

/// A dataset of an open Hdf5File, which must outlive it.
class Hdf5Dataset {
 public:
  const Hdf5Shape& shape() const { return shape_; }
  /// Empty for a contiguous or virtual dataset.
  const Hdf5Shape& chunk() const { return chunk_; }
  Hdf5Type type() const { return type_; }

  /// Writes the whole dataset; `values` has exactly its number of elements, in row-major order.
  template <typename T>
  void write(std::span<const T> values) {
    write_all(Hdf5Element<T>::kType, values.data(), values.size());
  }

  /// Reads the box [start, start + count) into `out`, which has exactly its number of elements: so
  /// the caller's buffer, and no size that a file declares, bounds the memory. A bfloat16 dataset
  /// may be read as bits or as float (exact); a float one only as float. Throws for a box outside
  /// the shape, and for stored data whose checksum does not fit.
  template <typename T>
  void read(const Hdf5Shape& start, const Hdf5Shape& count, std::span<T> out) const {
    read_box(start, count, Hdf5Element<T>::kType, out.data(), out.size());
  }

 private:
  friend class Hdf5File;
  Hdf5Dataset() = default;
  void write_all(Hdf5Type memory, const void* values, std::size_t size);
  void read_box(const Hdf5Shape& start, const Hdf5Shape& count, Hdf5Type memory, void* out,
                std::size_t size) const;

  Hdf5Context context_;
  std::string name_;
  Hdf5Shape shape_;
  Hdf5Shape chunk_;
  Hdf5Type type_ = Hdf5Type::kFloat32;
  Hdf5Handle handle_;
};

struct Hdf5Layout {
  Hdf5Shape chunk;         ///< Same rank as the shape; empty: contiguous.
  bool fletcher32 = true;  ///< Checksum of every chunk, tested by each read; needs chunks.
};

/// One source of a virtual dataset: all of `dataset` in `file` (relative to the virtual file's
/// folder) becomes the rows [first_row, first_row + rows) of it.
struct Hdf5VirtualPart {
  std::string file;
  std::string dataset;
  std::uint64_t first_row = 0;
  std::uint64_t rows = 0;
};

/// An HDF5 file: read from disk, or made in memory. A new file is made in memory only, because a
/// library that meets a full disk halfway cannot close its file; the caller publishes `image()`
/// with ordinary writes. The image depends on nothing but what was written (no times): same calls,
/// same bytes.
class Hdf5File {
 public:
  static Hdf5File open(const std::filesystem::path& path, ExitCode code = ExitCode::kCache,
                       Hdf5Locking locking = Hdf5Locking::kIfPossible);
  /// `name` stands for the file in error messages.
  static Hdf5File create_in_memory(const std::string& name, ExitCode code = ExitCode::kCache);

  /// True when kIfPossible had to open without a lock: worth a warning where the file may change.
  bool lock_refused() const { return lock_refused_; }

  Hdf5Dataset create_dataset(const std::string& name, Hdf5Type type, const Hdf5Shape& shape,
                             const Hdf5Layout& layout);
  /// The parts' datasets have `type` and, but for the first dimension, `shape`.
  Hdf5Dataset create_virtual_dataset(const std::string& name, Hdf5Type type, const Hdf5Shape& shape,
                                     const std::vector<Hdf5VirtualPart>& parts);
  /// Throws where there is none of this name, it holds another element type than Hdf5Type has, or
  /// its data lie elsewhere than in this file or in files beside it: behind a link, in an external
  /// file.
  Hdf5Dataset dataset(const std::string& name) const;

  /// Attributes of the file's root. Strings are UTF-8, without NUL, at most 64 KiB.
  void set_attribute(const std::string& name, const Hdf5Value& value);
  bool has_attribute(const std::string& name) const;
  /// Throws where it is absent, not a scalar, or of another kind than Hdf5Value has.
  Hdf5Value attribute(const std::string& name) const;

  /// The bytes of the file made so far.
  std::vector<std::byte> image() const;

 private:
  Hdf5File(Hdf5Context context, Hdf5Handle handle, bool lock_refused)
      : context_(std::move(context)), handle_(std::move(handle)), lock_refused_(lock_refused) {}

  Hdf5Context context_;
  Hdf5Handle handle_;
  bool lock_refused_ = false;
};

}  // namespace softcot
