#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/soft_prompt.h"
#include "runtime/safetensors.h"
#include "support/device.h"

namespace softcot::test {

/// The tp sizes that the model in this folder and so many ranks allow.
std::vector<int> tp_sizes(const std::filesystem::path& model, int ranks);

/// All tensors of a safetensors file, copied; float32 and int64 as they are.
std::map<std::string, at::Tensor> load_case(const std::filesystem::path& file);

/// Largest |a - b|; infinite when shapes differ or a number is none.
double largest_difference(const at::Tensor& a, const at::Tensor& b);
/// largest_difference over the largest |expected|.
double relative_difference(const at::Tensor& got, const at::Tensor& expected);

/// The rows of a fixture batch (input_ids, attention_mask, thought_start, labels); `prefix` is put
/// before the tensors' names, `thoughts` is N.
std::vector<SoftRow> soft_rows(const std::map<std::string, at::Tensor>& tensors,
                               const std::string& prefix, std::int64_t thoughts);

}  // namespace softcot::test
