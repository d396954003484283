#define SOFTCOT_ISA avx512bf16
#include "model/cpu_row_kernels.inc"
