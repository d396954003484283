#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "runtime/host_tensor.h"

namespace softcot {

using TensorViews = std::map<std::string, TensorView>;

/// Writes one safetensors file, whole or not at all (see AtomicFile for what is thrown when the
/// disk is full). Tensors lie in order of falling alignment, then of name, so that each begins at a
/// multiple of its element size and the data at a multiple of 8; equal input gives equal bytes.
/// A view whose bytes do not fit its shape, or a tensor called "__metadata__", throws kInternal.
/// Returns the size of the file.
std::uint64_t write_safetensors(const std::filesystem::path& path, const TensorViews& tensors,
                                const std::map<std::string, std::string>& metadata = {});

}  // namespace softcot
