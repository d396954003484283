#define SOFTCOT_ISA portable
#include "model/cpu_row_kernels.inc"
