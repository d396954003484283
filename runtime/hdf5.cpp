#include "runtime/hdf5.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>

#include "runtime/hdf5_library.h"

namespace softcot {
namespace {

using namespace hdf5_library;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kLongestString = std::size_t{64} * 1024;
constexpr int kLargestRank = 8;

/// Number of elements, or the largest std::size_t where they cannot be counted.
std::size_t element_count(const Hdf5Shape& shape) {
  std::size_t count = 1;
  for (const std::uint64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) return std::numeric_limits<std::size_t>::max();
  }
  return count;
}

}  // namespace

Hdf5Handle& Hdf5Handle::operator=(Hdf5Handle&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = std::exchange(other.id_, -1);
    close_ = other.close_;
  }
  return *this;
}

void Hdf5Handle::reset() noexcept {
  if (id_ < 0) return;
  const LibraryCall call;
  close_(std::exchange(id_, -1));
}

void Hdf5Dataset::write_all(Hdf5Type memory, const void* values, std::size_t size) {
  const LibraryCall call;
  if (memory != type_ || size != element_count(shape_)) {
    fail(ExitCode::kInternal, {.what = "wrong buffer for an HDF5 dataset",
                               .where = context_.where + " " + name_,
                               .expected = fmt::format("{} elements", element_count(shape_)),
                               .got = fmt::format("{} elements", size)});
  }
  const Hdf5Handle type = make_type(memory, context_);
  check(H5Dwrite(handle_.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), context_,
        "cannot write dataset " + name_);
}

void Hdf5Dataset::read_box(const Hdf5Shape& start, const Hdf5Shape& count, Hdf5Type memory,
                           void* out, std::size_t size) const {
  const LibraryCall call;
  bool inside = start.size() == shape_.size() && count.size() == shape_.size();
  for (std::size_t d = 0; inside && d < shape_.size(); ++d) {
    inside = start[d] <= shape_[d] && count[d] <= shape_[d] - start[d];
  }
  if (!inside || element_count(count) != size) {
    fail(context_.code, {.what = "box outside of dataset " + name_,
                         .where = context_.where,
                         .expected = fmt::format("inside [{}]", fmt::join(shape_, ", ")),
                         .got = fmt::format("[{}] from [{}] into {} elements",
                                            fmt::join(count, ", "), fmt::join(start, ", "), size)});
  }
  if (memory != type_ && !(memory == Hdf5Type::kFloat32 && type_ == Hdf5Type::kBfloat16)) {
    fail(context_.code,
         {.what = "dataset " + name_ + " has another element type", .where = context_.where});
  }
  if (size == 0) return;
  const Hdf5Handle type = make_type(memory, context_);
  const Hdf5Handle memory_space = make_space(count, context_);
  const Hdf5Handle file_space =
      own(H5Dget_space(handle_.get()), close_space, context_, "cannot read the shape of " + name_);
  check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET,
                            std::vector<hsize_t>(start.begin(), start.end()).data(), nullptr,
                            std::vector<hsize_t>(count.begin(), count.end()).data(), nullptr),
        context_, "cannot select from dataset " + name_);
  check(H5Dread(handle_.get(), type.get(), memory_space.get(), file_space.get(), H5P_DEFAULT, out),
        context_, "cannot read dataset " + name_);
}

Hdf5File Hdf5File::open(const std::filesystem::path& path, ExitCode code, Hdf5Locking locking) {
  const LibraryCall call;
  const Hdf5Context context{path.string(), code};
  const Hdf5Handle access = access_properties(context);
  const auto try_open = [&](bool lock) {
    check(H5Pset_file_locking(access.get(), lock, false), context, "cannot choose file locking");
    return Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), close_file);
  };
  Hdf5Handle file = try_open(locking != Hdf5Locking::kOff);
  const bool refused = file.get() < 0 && locking == Hdf5Locking::kIfPossible &&
                       library_words().find("lock file") != std::string::npos;
  if (refused) file = try_open(false);
  if (file.get() < 0) fail_library(context, "cannot open HDF5 file");
  return {context, std::move(file), refused};
}

Hdf5File Hdf5File::create_in_memory(const std::string& name, ExitCode code) {
  const LibraryCall call;
  const Hdf5Context context{name, code};
  constexpr std::size_t kGrowth = 1 << 20;
  constexpr unsigned kMostCompactAttributes = 256;
  const Hdf5Handle access = access_properties(context);
  check(H5Pset_fapl_core(access.get(), kGrowth, false), context, "cannot make a file in memory");
  const Hdf5Handle creation = own(H5Pcreate(H5P_FILE_CREATE), close_properties, context,
                                  "cannot make HDF5 file properties");
  check(H5Pset_obj_track_times(creation.get(), false), context, "cannot switch off times");
  check(H5Pset_attr_phase_change(creation.get(), kMostCompactAttributes, 0), context,
        "cannot keep attributes together");
  return {context,
          own(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), close_file,
              context, "cannot make a file in memory"),
          false};
}

Hdf5Dataset Hdf5File::create_dataset(const std::string& name, Hdf5Type type, const Hdf5Shape& shape,
                                     const Hdf5Layout& layout) {
  const LibraryCall call;
  const std::string what = "cannot make dataset " + name;
  const Hdf5Handle properties = creation_properties(context_);
  if (!layout.chunk.empty()) {
    const std::vector<hsize_t> chunk(layout.chunk.begin(), layout.chunk.end());
    check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()), context_,
          what);
    if (layout.fletcher32) check(H5Pset_fletcher32(properties.get()), context_, what);
  }
  const Hdf5Handle element = make_type(type, context_);
  const Hdf5Handle space = make_space(shape, context_);
  const Hdf5Handle made = own(H5Dcreate2(handle_.get(), name.c_str(), element.get(), space.get(),
                                         H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                              close_dataset, context_, what);
  return dataset(name);
}

Hdf5Dataset Hdf5File::create_virtual_dataset(const std::string& name, Hdf5Type type,
                                             const Hdf5Shape& shape,
                                             const std::vector<Hdf5VirtualPart>& parts) {
  const LibraryCall call;
  const std::string what = "cannot make virtual dataset " + name;
  const Hdf5Handle properties = creation_properties(context_);
  const Hdf5Handle space = make_space(shape, context_);
  for (const Hdf5VirtualPart& part : parts) {
    Hdf5Shape part_shape = shape;
    part_shape.at(0) = part.rows;
    const Hdf5Handle source = make_space(part_shape, context_);
    std::vector<hsize_t> start(shape.size(), 0);
    start[0] = part.first_row;
    const std::vector<hsize_t> count(part_shape.begin(), part_shape.end());
    check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(),
                              nullptr),
          context_, what);
    check(H5Pset_virtual(properties.get(), space.get(), part.file.c_str(), part.dataset.c_str(),
                         source.get()),
          context_, what);
  }
  check(H5Sselect_all(space.get()), context_, what);
  const Hdf5Handle element = make_type(type, context_);
  const Hdf5Handle made = own(H5Dcreate2(handle_.get(), name.c_str(), element.get(), space.get(),
                                         H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                              close_dataset, context_, what);
  return dataset(name);
}

Hdf5Dataset Hdf5File::dataset(const std::string& name) const {
  const LibraryCall call;
  const std::string what = "cannot open dataset " + name;
  Hdf5Dataset set;
  set.context_ = context_;
  set.name_ = name;
  // No chunk cache: a reader here takes whole chunks, and many files may be open at once.
  const Hdf5Handle access = own(H5Pcreate(H5P_DATASET_ACCESS), close_properties, context_, what);
  check(H5Pset_chunk_cache(access.get(), 0, 0, 1.0), context_, what);
  require_no_link(handle_.get(), name, context_);
  set.handle_ =
      own(H5Dopen2(handle_.get(), name.c_str(), access.get()), close_dataset, context_, what);
  const Hdf5Handle properties =
      own(H5Dget_create_plist(set.handle_.get()), close_properties, context_, what);
  require_data_inside(properties.get(), name, context_);

  const Hdf5Handle space = own(H5Dget_space(set.handle_.get()), close_space, context_, what);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0 || rank > kLargestRank) {
    fail(context_.code, {.what = "dataset " + name + " has an unusable rank",
                         .where = context_.where,
                         .expected = fmt::format("at most {}", kLargestRank),
                         .got = fmt::format("{}", rank)});
  }
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr), context_, what);
  set.shape_.assign(sizes.begin(), sizes.end());

  if (H5Pget_layout(properties.get()) == H5D_CHUNKED) {
    check(H5Pget_chunk(properties.get(), rank, sizes.data()), context_, what);
    set.chunk_.assign(sizes.begin(), sizes.end());
  }
  const Hdf5Handle stored = own(H5Dget_type(set.handle_.get()), close_type, context_, what);
  for (const Hdf5Type type : {Hdf5Type::kFloat32, Hdf5Type::kBfloat16, Hdf5Type::kUint64}) {
    if (H5Tequal(stored.get(), make_type(type, context_).get()) > 0) {
      set.type_ = type;
      return set;
    }
  }
  fail(context_.code, {.what = "dataset " + name + " has an unknown element type",
                       .where = context_.where,
                       .expected = "float32, bfloat16 or uint64, little endian"});
}

void Hdf5File::set_attribute(const std::string& name, const Hdf5Value& value) {
  const LibraryCall call;
  const std::string what = "cannot write attribute " + name;
  const void* data = std::visit([](const auto& v) -> const void* { return &v; }, value);
  hid_t type_id = std::holds_alternative<double>(value) ? H5T_IEEE_F64LE : H5T_STD_I64LE;
  Hdf5Handle text_type;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (text->size() >= kLongestString || text->find('\0') != std::string::npos) {
      fail(ExitCode::kInternal,
           {.what = "text cannot be an HDF5 attribute", .where = context_.where + " " + name});
    }
    text_type = own(H5Tcopy(H5T_C_S1), close_type, context_, what);
    check(H5Tset_size(text_type.get(), text->size() + 1), context_, what);
    check(H5Tset_cset(text_type.get(), H5T_CSET_UTF8), context_, what);
    type_id = text_type.get();
    data = text->c_str();
  }
  const Hdf5Handle space = own(H5Screate(H5S_SCALAR), close_space, context_, what);
  const Hdf5Handle attribute =
      own(H5Acreate2(handle_.get(), name.c_str(), type_id, space.get(), H5P_DEFAULT, H5P_DEFAULT),
          close_attribute, context_, what);
  check(H5Awrite(attribute.get(), type_id, data), context_, what);
}

bool Hdf5File::has_attribute(const std::string& name) const {
  const LibraryCall call;
  return H5Aexists(handle_.get(), name.c_str()) > 0;
}

Hdf5Value Hdf5File::attribute(const std::string& name) const {
  const LibraryCall call;
  const std::string what = "cannot read attribute " + name;
  const Hdf5Handle attribute =
      own(H5Aopen(handle_.get(), name.c_str(), H5P_DEFAULT), close_attribute, context_, what);
  const Hdf5Handle type = own(H5Aget_type(attribute.get()), close_type, context_, what);
  const Hdf5Handle space = own(H5Aget_space(attribute.get()), close_space, context_, what);
  const H5T_class_t kind = H5Tget_class(type.get());
  const std::size_t size = H5Tget_size(type.get());
  const bool scalar = H5Sget_simple_extent_npoints(space.get()) == 1;
  if (scalar && kind == H5T_INTEGER && size <= sizeof(std::int64_t)) {
    std::int64_t value = 0;
    check(H5Aread(attribute.get(), H5T_NATIVE_INT64, &value), context_, what);
    return value;
  }
  if (scalar && kind == H5T_FLOAT && size <= sizeof(double)) {
    double value = 0;
    check(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &value), context_, what);
    return value;
  }
  if (scalar && kind == H5T_STRING && H5Tis_variable_str(type.get()) == 0 &&
      size <= kLongestString) {
    std::string text(size, '\0');
    check(H5Aread(attribute.get(), type.get(), text.data()), context_, what);
    text.resize(text.find('\0') == std::string::npos ? size : text.find('\0'));
    return text;
  }
  fail(context_.code, {.what = "attribute " + name + " is of an unusable kind",
                       .where = context_.where,
                       .expected = "one integer, float or text of fixed length up to 64 KiB"});
}

std::vector<std::byte> Hdf5File::image() const {
  const LibraryCall call;
  check(H5Fflush(handle_.get(), H5F_SCOPE_GLOBAL), context_, "cannot finish a file in memory");
  const ssize_t size = H5Fget_file_image(handle_.get(), nullptr, 0);
  if (size < 0) fail_library(context_, "cannot take the image of a file");
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  if (H5Fget_file_image(handle_.get(), bytes.data(), bytes.size()) != size) {
    fail_library(context_, "cannot take the image of a file");
  }
  return bytes;
}

}  // namespace softcot
