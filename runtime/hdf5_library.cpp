#include "runtime/hdf5_library.h"

#include <array>
#include <vector>

namespace softcot::hdf5_library {
namespace {

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

std::recursive_mutex& library_lock() {
  static std::recursive_mutex lock;
  return lock;
}

}  // namespace

LibraryCall::LibraryCall() : lock_(library_lock()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

int close_file(std::int64_t id) { return H5Fclose(id); }
int close_dataset(std::int64_t id) { return H5Dclose(id); }
int close_space(std::int64_t id) { return H5Sclose(id); }
int close_type(std::int64_t id) { return H5Tclose(id); }
int close_attribute(std::int64_t id) { return H5Aclose(id); }
int close_properties(std::int64_t id) { return H5Pclose(id); }

std::string library_words() {
  std::vector<std::string> words;
  const auto collect = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc != nullptr)
      static_cast<std::vector<std::string>*>(out)->emplace_back(error->desc);
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, collect, &words);
  if (words.empty()) return "no reason given by HDF5";
  if (words.size() == 1) return words.front();
  return words.front() + ": " + words.back();
}

void fail_library(const Hdf5Context& context, const std::string& what) {
  const std::string words = library_words();
  std::string fix;
  if (words.find("lock file") != std::string::npos) {
    fix =
        "set HDF5_USE_FILE_LOCKING=FALSE in the environment of every rank if this file system has "
        "no locks, else end the program that holds the file";
  }
  fail(context.code, {.what = what, .where = context.where, .got = words, .fix = fix});
}

Hdf5Handle own(std::int64_t id, Hdf5Handle::Close close, const Hdf5Context& context,
               const std::string& what) {
  if (id < 0) fail_library(context, what);
  return {id, close};
}

void check(herr_t status, const Hdf5Context& context, const std::string& what) {
  if (status < 0) fail_library(context, what);
}

Hdf5Handle make_type(Hdf5Type type, const Hdf5Context& context) {
  const hid_t base = type == Hdf5Type::kUint64 ? H5T_STD_U64LE : H5T_IEEE_F32LE;
  Hdf5Handle id = own(H5Tcopy(base), close_type, context, "cannot make an HDF5 type");
  if (type == Hdf5Type::kBfloat16) {
    const bool made = H5Tset_fields(id.get(), 15, 7, 8, 0, 7) >= 0 &&
                      H5Tset_precision(id.get(), 16) >= 0 && H5Tset_size(id.get(), 2) >= 0 &&
                      H5Tset_ebias(id.get(), 127) >= 0;
    if (!made) fail_library(context, "cannot make the HDF5 bfloat16 type");
  }
  return id;
}

Hdf5Handle make_space(const Hdf5Shape& shape, const Hdf5Context& context) {
  return own(H5Screate_simple(static_cast<int>(shape.size()),
                              std::vector<hsize_t>(shape.begin(), shape.end()).data(), nullptr),
             close_space, context, "cannot make an HDF5 shape");
}

Hdf5Handle creation_properties(const Hdf5Context& context) {
  Hdf5Handle id = own(H5Pcreate(H5P_DATASET_CREATE), close_properties, context,
                      "cannot make HDF5 dataset properties");
  check(H5Pset_obj_track_times(id.get(), false), context, "cannot switch off times");
  return id;
}

Hdf5Handle access_properties(const Hdf5Context& context) {
  Hdf5Handle id = own(H5Pcreate(H5P_FILE_ACCESS), close_properties, context,
                      "cannot make HDF5 file properties");
  check(H5Pset_libver_bounds(id.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V110), context,
        "cannot choose the HDF5 format");
  return id;
}

namespace {

[[noreturn]] void fail_outside(const std::string& dataset, const Hdf5Context& context,
                               const std::string& got) {
  fail(context.code, {.what = "dataset " + dataset + " leads out of its file's folder",
                      .where = context.where,
                      .expected = "data in the file itself, or in files beside it",
                      .got = got});
}

}  // namespace

void require_no_link(std::int64_t file, const std::string& dataset, const Hdf5Context& context) {
  H5L_info_t link{};
  check(H5Lget_info(file, dataset.c_str(), &link, H5P_DEFAULT), context,
        "cannot open dataset " + dataset);
  if (link.type != H5L_TYPE_HARD) fail_outside(dataset, context, "a link");
}

void require_data_inside(std::int64_t properties, const std::string& dataset,
                         const Hdf5Context& context) {
  if (H5Pget_external_count(properties) > 0) fail_outside(dataset, context, "an external file");
  if (H5Pget_layout(properties) != H5D_VIRTUAL) return;
  std::size_t parts = 0;
  check(H5Pget_virtual_count(properties, &parts), context, "cannot read the parts of " + dataset);
  for (std::size_t i = 0; i < parts; ++i) {
    std::array<char, 256> name{};
    const ssize_t length = H5Pget_virtual_filename(properties, i, name.data(), name.size());
    const std::string file(name.data());
    const bool whole = length > 0 && static_cast<std::size_t>(length) == file.size();
    if (!whole || file == ".." || file.find('/') != std::string::npos) {
      fail_outside(dataset, context, "the file " + file);
    }
  }
}

}  // namespace softcot::hdf5_library
