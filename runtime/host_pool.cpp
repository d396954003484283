#include "runtime/host_pool.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace softcot {
namespace {

constexpr std::size_t kSmallest = std::size_t{128} << 10;
constexpr std::size_t kPage = 4096;
/// Larger mappings lie at such an address and ask for pages of that size: each of them costs one
/// fault and one entry of the processor's table of pages in the place of 512.
constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// A block serves a request that leaves less than this part of it unused.
constexpr std::size_t kWaste = 32;

/// Stands before the tensor's own bytes.
struct alignas(64) Block {
  std::size_t bytes;  // of the mapping; 0 for a block of the heap
  void* data() { return this + 1; }
  static Block* of(void* data) { return static_cast<Block*>(data) - 1; }
};

class HostPool final : public c10::Allocator {
 public:
  void empty() {
    const std::lock_guard lock(mutex_);
    most_used_ = 0;
    give_back();
    most_used_ = used_bytes_;
  }

  at::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &HostPool::release, at::Device(at::kCPU)};
    Block* block = bytes < kSmallest ? new (c10::alloc_cpu(bytes + sizeof(Block))) Block{0}
                                     : take((bytes + sizeof(Block) + kPage - 1) / kPage * kPage);
    return {block->data(), block->data(), &HostPool::release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &HostPool::release; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

  static HostPool& get() {
    static HostPool& pool = *new HostPool;  // Tensors may outlive static objects.
    return pool;
  }

 private:
  /// A kept block of about the size, as it is or made to fit: only the difference has new pages.
  Block* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Block* block = nullptr;
    auto found = kept_.lower_bound(bytes);
    if (found == kept_.end() && !kept_.empty()) --found;  // The largest is too small.
    if (found != kept_.end() && found->first <= 2 * bytes && 2 * found->first >= bytes) {
      block = remove(found);
      const bool fits = block->bytes >= bytes && block->bytes - bytes <= bytes / kWaste;
      if (!fits) block = resize(block, bytes);
    }
    used_bytes_ += block == nullptr ? bytes : block->bytes;
    most_used_ = std::max(most_used_, used_bytes_);
    give_back();
    if (block != nullptr) return block;
    void* mapping = map(bytes);
    if (mapping != MAP_FAILED) return new (mapping) Block{bytes};
    used_bytes_ -= bytes;
    throw std::bad_alloc();
  }

  static void* map(std::size_t bytes) {
    const std::size_t spare = bytes < 2 * kHugePage ? 0 : kHugePage;
    void* mapping =
        mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED || spare == 0) return mapping;
    auto* begin = static_cast<std::byte*>(mapping);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kHugePage;
    if (before > 0) munmap(begin, before);
    if (spare > before) munmap(begin + before + bytes, spare - before);
    madvise(begin + before, bytes, MADV_HUGEPAGE);  // Where the system has none: small pages.
    return begin + before;
  }

  /// Nothing, and no block any more, where the system has no room for it.
  static Block* resize(Block* block, std::size_t bytes) {
    const std::size_t before = block->bytes;
    void* mapping = mremap(block, before, bytes, MREMAP_MAYMOVE);
    if (mapping != MAP_FAILED) return new (mapping) Block{bytes};
    munmap(block, before);
    return nullptr;
  }

  static void release(void* data) {
    if (data == nullptr) return;
    Block* block = Block::of(data);
    if (block->bytes == 0) return c10::free_cpu(block);
    HostPool& pool = get();
    const std::lock_guard lock(pool.mutex_);
    pool.kept_.emplace(block->bytes, Kept{block, ++pool.releases_});
    pool.kept_bytes_ += block->bytes;
    pool.used_bytes_ -= block->bytes;
  }

  struct Kept {
    Block* block;
    std::uint64_t age;  // Which release it was.
  };
  using Blocks = std::multimap<std::size_t, Kept>;  // by size

  Block* remove(Blocks::iterator at) {
    Block* block = at->second.block;
    kept_bytes_ -= at->first;
    kept_.erase(at);
    return block;
  }

  /// Used and kept blocks together stay within what was used at once: the oldest go.
  void give_back() {
    while (!kept_.empty() && used_bytes_ + kept_bytes_ > most_used_) {
      Block* oldest =
          remove(std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
            return a.second.age < b.second.age;
          }));
      munmap(oldest, oldest->bytes);
    }
  }

  std::mutex mutex_;
  Blocks kept_;
  std::uint64_t releases_ = 0;
  std::size_t kept_bytes_ = 0;
  std::size_t used_bytes_ = 0;
  std::size_t most_used_ = 0;  // at once
};

}  // namespace

void use_host_pool() {
#if !defined(__SANITIZE_ADDRESS__)
  c10::SetCPUAllocator(&HostPool::get());
#endif
}

void empty_host_pool() { HostPool::get().empty(); }

}  // namespace softcot
