package distance

import (
	"os"

	"golang.org/x/sys/cpu"
)

// LATENT_BLAS=plain turns every kernel of the library off, this one too.
var useAVX2 = cpu.X86.HasAVX2 && os.Getenv("LATENT_BLAS") != "plain"

//go:noescape
func editColumnsAVX2(masks *[width]uint64, text *int32, n int, plus, minus *[width]uint64)

func editColumns(masks [][width]uint64, text []int32, plus, minus *[width]uint64) {
	if !useAVX2 || len(text) == 0 {
		plainColumns(masks, text, plus, minus)
		return
	}
	editColumnsAVX2(&masks[0], &text[0], len(text), plus, minus)
}
