#define SOFTCOT_ISA avx512
#include "model/cpu_row_kernels.inc"
