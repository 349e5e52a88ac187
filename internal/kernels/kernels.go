// Package kernels says whether the library's assembly may run. internal/blas, which has more than
// two levels of it, asks for itself.
package kernels

import (
	"os"

	"golang.org/x/sys/cpu"
)

// AVX2 is whether the processor has AVX2 and FMA. LATENT_BLAS=plain turns every kernel of the
// library off.
var AVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA && os.Getenv("LATENT_BLAS") != "plain"
