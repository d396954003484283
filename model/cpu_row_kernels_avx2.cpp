#define SOFTCOT_ISA avx2
#include "model/cpu_row_kernels.inc"
