#pragma once

namespace softcot::cpu {

/// The kernels are compiled for several instruction sets, and the best that the processor has is
/// taken, unless ATEN_CPU_CAPABILITY or ONEDNN_MAX_CPU_ISA, which limit the library, name a lesser
/// one. Tests take others: false where the processor has not this one. Local.
enum class InstructionSet { kBest, kPortable, kAvx2, kAvx512, kAvx512Bf16 };
bool use_instruction_set(InstructionSet set);
/// Whether the instruction set in use multiplies bfloat16.
bool multiplies_bf16();

}  // namespace softcot::cpu
