package mltest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ReadJSON reads a file of testdata.
func ReadJSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// FromRows makes a matrix of its rows, all of one length.
func FromRows(rows [][]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, r := range rows {
		m.SetRow(i, r)
	}
	return m
}

// Normal is an n×d matrix of independent standard normal numbers; an empty one where n is 0.
func Normal(seed uint64, n, d int) *mat.Dense {
	if n == 0 {
		return &mat.Dense{}
	}
	r := rng.New(seed)
	x := mat.NewDense(n, d, nil)
	for i := range x.RawMatrix().Data {
		x.RawMatrix().Data[i] = r.NormFloat64()
	}
	return x
}

// Gap is the largest |got − want| / max(1, |want|): an absolute error of small numbers, a relative
// one of large numbers. It is +Inf where the lengths differ or one of the numbers alone is NaN;
// numbers that are equal, infinities and two NaN among them, have no gap.
func Gap(got, want []float64) (gap float64) {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	for i, w := range want {
		switch d := math.Abs(got[i] - w); {
		case got[i] == w || math.IsNaN(got[i]) && math.IsNaN(w):
		case math.IsNaN(d) || math.IsInf(d, 0):
			return math.Inf(1)
		default:
			gap = max(gap, d/max(1, math.Abs(w)))
		}
	}
	return gap
}

// MatrixGap is the largest |got − want| of two matrices, +Inf where their shapes differ or a
// difference is NaN.
func MatrixGap(got, want mat.Matrix) (gap float64) {
	n, d := got.Dims()
	if r, c := want.Dims(); r != n || c != d {
		return math.Inf(1)
	}
	for i := range n {
		for j := range d {
			g := math.Abs(got.At(i, j) - want.At(i, j))
			if math.IsNaN(g) {
				return math.Inf(1)
			}
			gap = max(gap, g)
		}
	}
	return gap
}

// CloseTo wants numbers that differ from others by no more than a tolerance, in absolute terms.
func CloseTo(t testing.TB, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			t.Errorf("%s: number %d is %v, want %v within %v", what, i, got[i], want[i], tolerance)
			return
		}
	}
}

// Refused wants an error of one of ml's kinds that says all of some words.
func Refused(t testing.TB, what string, err, kind error, says ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: the error is %v, want one that wraps %q", what, err, kind)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error %q does not say %q", what, err, s)
		}
	}
}

// Err is the error of a call whose value is of no interest.
func Err[T any](_ T, err error) error { return err }

// Labeled makes a fit to labels one that Run can hold to what all methods promise. A row's label is
// the third of the circle in which its first two columns point, so that it goes along with the row
// wherever that is moved, whatever the scale; of the data that Run brings, it is the cluster.
func Labeled[M any](fit func(ctx context.Context, x mat.Matrix, y []int) (*M, error)) func(ctx context.Context, x mat.Matrix) (*M, error) {
	return func(ctx context.Context, x mat.Matrix) (*M, error) {
		n, d, err := ml.Size("labels", x)
		if err != nil {
			return fit(ctx, x, nil)
		}
		y := make([]int, n)
		for i := range y {
			second := 0.0
			if d > 1 {
				second = x.At(i, 1)
			}
			turn := math.Atan2(second, x.At(i, 0)) / (2 * math.Pi)
			if !math.IsNaN(turn) { // not of NaN, which is the fit's to name
				y[i] = int(math.Round(3*turn)+3) % 3
			}
		}
		return fit(ctx, x, y)
	}
}

// Frequencies wants counts of draws that follow the probabilities p: χ² over the outcomes that are
// likely enough, five expected draws, has as many cells for its mean and twice that for its
// variance; the rare ones are counted together, as a Poisson number. Both may be five deviations
// above their means.
func Frequencies(t testing.TB, what string, counts, p []float64) {
	t.Helper()
	n := floats.Sum(counts)
	chi, cells, rare, rareWant := 0.0, 0.0, 0.0, 0.0
	for k, c := range counts {
		want := n * p[k]
		if want < 5 {
			rare, rareWant = rare+c, rareWant+want
			continue
		}
		chi += (c - want) * (c - want) / want
		cells++
	}
	if cells < 5 {
		t.Errorf("%s: only %v outcomes are likely enough to be counted", what, cells)
	}
	if !(chi <= cells+5*math.Sqrt(2*cells)) || !(rare <= rareWant+5*math.Sqrt(rareWant)+5) {
		t.Errorf("%s: χ² is %.1f over %v outcomes; %v rare ones, %.1f expected", what, chi, cells, rare, rareWant)
	}
}
