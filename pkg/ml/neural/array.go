package neural

import (
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// An Array is n examples of one shape, as minibatches are cut from it: numbers in Floats, or
// classes and tokens in Ints.
type Array struct {
	Shape  []int // of one example; empty for a single number
	Floats []float32
	Ints   []int32
}

// Rows makes an array of the rows of x. shape is that of one example, so that an image can be one:
// Rows(method, x, 28, 28, 1); without it an example is a vector. A matrix of any kind is read row
// by row, and not copied as it is. The errors are those of ml.Dense, ml.ErrShape where the shape
// does not hold a row, and ml.ErrNotFinite for a number beyond float32.
func Rows(method string, x mat.Matrix, shape ...int) (*Array, error) {
	n, d, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	if len(shape) == 0 {
		shape = []int{d}
	}
	if size(shape) != d {
		return nil, ml.BadShape(method, "a row has %d numbers, an example of shape %v has %d", d, shape, size(shape))
	}
	a := &Array{Shape: slices.Clone(shape), Floats: make([]float32, 0, n*d)}
	err = ml.EachRow(method, x, func(i int, row []float64) error {
		for j, v := range row {
			if v > math.MaxFloat32 || v < -math.MaxFloat32 {
				return ml.NotFinite(method, "row %d, column %d is %v, beyond what a float32 can hold", i, j, v)
			}
			a.Floats = append(a.Floats, float32(v))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Classes makes an array of one whole number an example.
func Classes(y []int) *Array {
	a := &Array{Ints: make([]int32, len(y))}
	for i, c := range y {
		a.Ints[i] = int32(c)
	}
	return a
}

// Len is the number of examples.
func (a *Array) Len() int {
	if a == nil {
		return 0
	}
	return max(len(a.Floats), len(a.Ints)) / max(size(a.Shape), 1)
}

// check holds an array that a caller made by hand to its own shape.
func (a *Array) check(method, name string) error {
	switch {
	case a == nil || len(a.Floats)+len(a.Ints) == 0:
		return ml.Empty(method, "%s has no examples", name)
	case len(a.Floats) > 0 && len(a.Ints) > 0:
		return ml.BadShape(method, "%s holds both floats and ints, want one of them", name)
	case size(a.Shape) <= 0 || max(len(a.Floats), len(a.Ints))%size(a.Shape) != 0:
		return ml.BadShape(method, "%s has %d numbers, which are no whole number of examples of shape %v", name, max(len(a.Floats), len(a.Ints)), a.Shape)
	}
	for i, v := range a.Floats {
		if v-v != 0 {
			return ml.NotFinite(method, "%s, row %d: number %d is %v, want a finite number", name, i/size(a.Shape), i%size(a.Shape), v)
		}
	}
	return nil
}

func (a *Array) dtype() dtypes.DType {
	if len(a.Ints) > 0 {
		return dtypes.Int32
	}
	return dtypes.Float32
}

// batch is the shape of b examples.
func (a *Array) batch(b int) shapes.Shape {
	return shapes.Make(a.dtype(), append([]int{b}, a.Shape...)...)
}

// fill copies examples into a tensor that has room for as many; rows beyond those named are left as
// they are.
func (a *Array) fill(t *tensors.Tensor, rows []int) error {
	k := size(a.Shape)
	if a.dtype() == dtypes.Int32 {
		return tensors.MutableFlatData(t, func(flat []int32) { gather(flat, a.Ints, rows, k) })
	}
	return tensors.MutableFlatData(t, func(flat []float32) { gather(flat, a.Floats, rows, k) })
}

func gather[T any](to, from []T, rows []int, k int) {
	for i, r := range rows {
		copy(to[i*k:(i+1)*k], from[r*k:(r+1)*k])
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// newTensor makes room on a backend; on a CPU the backend reads the memory that Go writes.
func newTensor(b *Backend, shape shapes.Shape) (*tensors.Tensor, error) {
	return tensors.FromShapeForBackend(b.Backend, 0, shape)
}

// Matrix returns a tensor of floats as a matrix: the first axis is the rows, all others the
// columns. A scalar is 1×1.
func Matrix(t *tensors.Tensor) (*mat.Dense, error) {
	dims := t.Shape().Dimensions
	rows, cols := 1, 1
	if len(dims) > 0 {
		rows, cols = dims[0], size(dims[1:])
	}
	if t.DType() != dtypes.Float32 {
		return nil, fmt.Errorf("neural.Matrix: the tensor holds %v, want float32", t.DType())
	}
	if rows*cols == 0 {
		return nil, ml.Empty("neural.Matrix", "the tensor has shape %v", dims)
	}
	out := mat.NewDense(rows, cols, nil)
	err := tensors.ConstFlatData(t, func(flat []float32) {
		for i, v := range flat {
			out.RawMatrix().Data[i] = float64(v)
		}
	})
	return out, err
}
