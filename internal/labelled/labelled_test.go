package labelled

import (
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
)

func TestRows(t *testing.T) {
	x := mat.NewDense(4, 1, []float64{1, 2, 3, 4})
	rows, y, err := Rows("m", x, []int{7, -1, 3, 7})
	if err != nil || !slices.Equal(rows.RawMatrix().Data, []float64{1, 3, 4}) || !slices.Equal(y, []int{7, 3, 7}) {
		t.Errorf("%v, %v, %v", rows, y, err)
	}
	if of, names := Classes(y); !slices.Equal(of, []int{1, 0, 1}) || !slices.Equal(names, []int{3, 7}) {
		t.Errorf("classes %v of %v", of, names)
	}
	if all, _, _ := Rows("m", x, []int{0, 1, 0, 1}); all != x {
		t.Error("rows are copied where all have labels")
	}
	refuse := func(y []int, kind error, says string) {
		t.Helper()
		_, _, err := Rows("m", x, y)
		mltest.Refused(t, says, err, kind, says)
	}
	refuse([]int{0, 1}, ml.ErrShape, "y has length 2, want 4")
	refuse([]int{0, 1, -2, 0}, ml.ErrParameter, "y[2] = -2")
	refuse([]int{-1, -1, -1, -1}, ml.ErrEmpty, "no row has a label")
}
