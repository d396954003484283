#pragma once

#include <hdf5.h>

#include <cstddef>
#include <mutex>
#include <string>

#include "runtime/hdf5.h"

// What the HDF5 wrapper's sources share: the C header comes with it, so only they include it.
namespace softcot::hdf5_library {

/// Holds the library for one call of ours, with its printing of errors switched off.
class LibraryCall {
 public:
  LibraryCall();

 private:
  std::lock_guard<std::recursive_mutex> lock_;
};

int close_file(std::int64_t id);
int close_dataset(std::int64_t id);
int close_space(std::int64_t id);
int close_type(std::int64_t id);
int close_attribute(std::int64_t id);
int close_properties(std::int64_t id);

/// The library's words for its latest failure: the outermost call and, where it differs, the
/// innermost. Any later call of the library forgets them.
std::string library_words();

/// Throws with `library_words`; for a refused lock the fix names HDF5_USE_FILE_LOCKING.
[[noreturn]] void fail_library(const Hdf5Context& context, const std::string& what);

/// Throws for an `id` below 0.
[[nodiscard]] Hdf5Handle own(std::int64_t id, Hdf5Handle::Close close, const Hdf5Context& context,
                             const std::string& what);
void check(herr_t status, const Hdf5Context& context, const std::string& what);

Hdf5Handle make_type(Hdf5Type type, const Hdf5Context& context);
Hdf5Handle make_space(const Hdf5Shape& shape, const Hdf5Context& context);
/// Dataset creation without times, so that equal content makes equal bytes.
Hdf5Handle creation_properties(const Hdf5Context& context);
/// The oldest format that can hold what is written, readable by every HDF5. The newer superblocks
/// carry a checksum that H5Fget_file_image leaves wrong (it clears a flag after the sum was made),
/// so whoever needs metadata proved adds a hash of the whole image.
Hdf5Handle access_properties(const Hdf5Context& context);

/// HDF5 lets data lie in other files, named in this one. Throw where `dataset` is a link of `file`,
/// and where its elements, by its creation properties, lie in a file that is not beside this one.
void require_no_link(std::int64_t file, const std::string& dataset, const Hdf5Context& context);
void require_data_inside(std::int64_t properties, const std::string& dataset,
                         const Hdf5Context& context);

}  // namespace softcot::hdf5_library
