package sparse

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Patches cuts an image, a matrix of gray values, into squares of side×side pixels, one every step
// pixels in both directions: a row each, of side² numbers, in rows from the top. With a step of 1
// they overlap wherever they can. The error is ml.ErrParameter for a side or a step that does not
// fit, and those of ml.Dense.
func Patches(image mat.Matrix, side, step int) (*mat.Dense, error) {
	const method = "sparse.Patches"
	x, err := ml.Dense(method, image)
	if err != nil {
		return nil, err
	}
	height, width := x.Dims()
	rows, columns, err := places(method, height, width, side, step)
	if err != nil {
		return nil, err
	}
	p := mat.NewDense(rows*columns, side*side, nil)
	for i := range rows {
		for j := range columns {
			into := p.RawRowView(i*columns + j)
			for r := range side {
				copy(into[r*side:(r+1)*side], x.RawRowView(i*step + r)[j*step:])
			}
		}
	}
	return p, nil
}

// FromPatches puts the patches of a height×width image, as Patches cuts them, back in their places.
// Where they overlap a pixel is the mean of what they say, and 0 where there is none. The error is
// ml.ErrShape for patches that are not those of such an image, and those of Patches.
func FromPatches(patches mat.Matrix, height, width, side, step int) (*mat.Dense, error) {
	const method = "sparse.FromPatches"
	p, err := ml.Dense(method, patches)
	if err != nil {
		return nil, err
	}
	rows, columns, err := places(method, height, width, side, step)
	if err != nil {
		return nil, err
	}
	if n, d := p.Dims(); n != rows*columns || d != side*side {
		return nil, ml.BadShape(method, "the patches are %d×%d, want %d×%d for an image of %d×%d", n, d, rows*columns, side*side, height, width)
	}
	image, count := mat.NewDense(height, width, nil), mat.NewDense(height, width, nil)
	for i := range rows {
		for j := range columns {
			from := p.RawRowView(i*columns + j)
			for r := range side {
				into, n := image.RawRowView(i*step + r)[j*step:], count.RawRowView(i*step + r)[j*step:]
				for c, v := range from[r*side : (r+1)*side] {
					into[c] += v
					n[c]++
				}
			}
		}
	}
	for k, n := range count.RawMatrix().Data {
		if n > 1 {
			image.RawMatrix().Data[k] /= n
		}
	}
	return image, nil
}

func places(method string, height, width, side, step int) (rows, columns int, err error) {
	switch {
	case side < 1 || side > min(height, width):
		return 0, 0, ml.BadParameter(method, "side", side, fmt.Sprintf("1 to %d for an image of %d×%d", min(height, width), height, width))
	case step < 1:
		return 0, 0, ml.BadParameter(method, "step", step, "at least 1")
	}
	return (height-side)/step + 1, (width-side)/step + 1, nil
}
