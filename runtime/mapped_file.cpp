#include "runtime/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "runtime/error.h"

namespace softcot {
namespace {

[[noreturn]] void fail_read(const char* what, const std::filesystem::path& path, int number) {
  const bool resources = number == ENOMEM || number == EMFILE || number == ENFILE;
  fail(resources ? ExitCode::kResources : ExitCode::kInput,
       {.what = what, .where = path.string(), .got = std::generic_category().message(number)});
}

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
  int descriptor = -1;
  do {  // O_NONBLOCK: a pipe of that name must not hang the run
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail_read("file cannot be opened", path, errno);
  struct stat info {};
  int error = fstat(descriptor, &info) == 0 ? 0 : errno;
  if (error == 0 && !S_ISREG(info.st_mode)) error = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* address = nullptr;
  if (error == 0 && size > 0) {
    address = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) error = errno;
  }
  close(descriptor);
  if (error != 0) fail_read("file cannot be read", path, error);
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::read_in_order() const {
  if (bytes_.empty()) return;
  madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_SEQUENTIAL);
}

void MappedFile::release_pages() const {
  if (bytes_.empty()) return;
  madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

}  // namespace softcot
