package ml_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// EachRow gives what Dense gives, of a matrix of any kind, and makes no copy of one.
func TestEachRow(t *testing.T) {
	x := mat.NewDense(4, 6, nil)
	x.Apply(func(i, j int, _ float64) float64 { return float64(10*i + j) }, x)
	for name, m := range map[string]mat.Matrix{"dense": x, "view": x.Slice(1, 3, 2, 5), "transpose": x.T(), "diagonal": mat.NewDiagDense(2, []float64{1, 2})} {
		want, err := ml.Dense("test", m)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = ml.EachRow("test", m, func(i int, row []float64) error {
			if i != n || !slices.Equal(row, want.RawRowView(i)) {
				t.Errorf("%s: row %d is %v, want row %d, %v", name, i, row, n, want.RawRowView(n))
			}
			n++
			return nil
		})
		if r, _ := m.Dims(); err != nil || n != r {
			t.Errorf("%s: %d rows of %d, %v", name, n, r, err)
		}
	}
	none := func(int, []float64) error { return nil }
	x.Set(2, 3, math.NaN())
	if err := ml.EachRow("test", x.T(), none); !errors.Is(err, ml.ErrNotFinite) || err.Error() != "test: row 3, column 2 is NaN, want a finite number" {
		t.Errorf("NaN: %v", err)
	}
	var absent *mat.Dense
	for _, m := range []mat.Matrix{nil, absent, &mat.Dense{}} {
		if err := ml.EachRow("test", m, none); !errors.Is(err, ml.ErrEmpty) {
			t.Errorf("no rows: %v", err)
		}
	}
	stop := errors.New("stop")
	if err := ml.EachRow("test", x, func(i int, _ []float64) error { return stop }); err != stop {
		t.Errorf("the function's error: %v", err)
	}
	row := 0
	if allocs := testing.AllocsPerRun(5, func() { _ = ml.EachRow("test", x.Slice(0, 2, 0, 6), func(int, []float64) error { row++; return nil }) }); allocs > 4 {
		t.Errorf("%v allocations", allocs)
	}
}
