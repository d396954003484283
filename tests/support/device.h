#pragma once

#include <c10/core/Device.h>

#include <string>

namespace softcot::test {

/// Where the tensors of this test program are: a GPU of this rank's own where $SOFTCOT_TEST_DEVICE
/// is cuda, else the host. Tests place their models there; what they compare may be anywhere.
c10::Device test_device();

/// Why test_device() cannot be had; empty when it can. Makes it the current device. Local.
std::string take_test_device();

}  // namespace softcot::test
