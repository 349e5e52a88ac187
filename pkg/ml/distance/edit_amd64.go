package distance

import "github.com/golatent/latent/internal/kernels"

//go:noescape
func editColumnsAVX2(masks *[width]uint64, text *int32, n int, plus, minus *[width]uint64)

func editColumns(masks [][width]uint64, text []int32, plus, minus *[width]uint64) {
	if !kernels.AVX2 || len(text) == 0 {
		plainColumns(masks, text, plus, minus)
		return
	}
	editColumnsAVX2(&masks[0], &text[0], len(text), plus, minus)
}
