package manifold

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func fromRows(rows [][]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, r := range rows {
		m.SetRow(i, r)
	}
	return m
}

// normal is an n×d matrix of independent standard normal numbers.
func normal(seed uint64, n, d int) *mat.Dense {
	r := rng.New(seed)
	x := mat.NewDense(n, d, nil)
	for i := range x.RawMatrix().Data {
		x.RawMatrix().Data[i] = r.NormFloat64()
	}
	return x
}

// distancesOf is the table of Euclidean distances of rows, as it is written down.
func distancesOf(x mat.Matrix) *mat.Dense {
	n, k := x.Dims()
	d := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			s := 0.0
			for c := range k {
				s += (x.At(i, c) - x.At(j, c)) * (x.At(i, c) - x.At(j, c))
			}
			d.Set(i, j, math.Sqrt(s))
		}
	}
	return d
}

func largestGap(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return mat.Max(&d) - math.Min(0, mat.Min(&d))
}
