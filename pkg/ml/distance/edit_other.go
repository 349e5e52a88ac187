//go:build !amd64

package distance

func editColumns(masks [][width]uint64, text []int32, plus, minus *[width]uint64) {
	plainColumns(masks, text, plus, minus)
}
