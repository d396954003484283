#pragma once

namespace softcot {

/// From now on LibTorch's host tensors of 128 KiB and more take the memory of earlier ones of
/// about their size, which is kept as long as all of it together stays within what such tensors
/// have used at once. Otherwise each of them is mapped, zeroed page by page and unmapped again
/// (docs/performance.md), or the heap grows with every step. From 4 MiB on they ask the system for
/// huge pages. Without effect under
/// AddressSanitizer. Call it once, before there are tensors; the pool itself serves any thread.
void use_host_pool();

/// Gives back what is kept and forgets how much was used: before something that uses memory in
/// another way. Local.
void empty_host_pool();

}  // namespace softcot
