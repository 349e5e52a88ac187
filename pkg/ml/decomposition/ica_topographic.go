package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// TopographicICA lays sources out on a grid such that those near to each other are active together
// (Hyvärinen, Hoyer & Inki, 2001). Sources of real data are never quite independent: their signs
// may be, while their energies y² rise and fall in common. Here that says who is whose neighbor.
// What is lowered, over orthonormal W, is
//
//	Σᵢ E[√(ε + Σⱼ hᵢⱼ yⱼ²)],    y = Wz, ε = 0.1,
//
// where hᵢⱼ is 1 for neighbors on the grid, each its own, and 0 for all else: energy is to be spent
// in few places. Of a photograph's patches it makes a map as that in the visual cortex: edges whose
// direction, place and scale change smoothly, pinwheels among them.
//
// The grid has no border: it goes on at the other side. A step costs O(nk²).
type TopographicICA struct {
	Rows, Columns int     // of the grid, as many sources as it has places; 0 means 6
	Radius        int     // places are neighbors up to this many rows and columns away; 0 means 1, a square of 3×3
	MaxIter       int     // steps; 0 means 300
	Tol           float64 // largest Stationarity to stop at; 0 means 1e-4, negative never
	Seed          uint64
}

// Fit finds the sources of the rows of x, in Rows·Columns principal components. Source
// r·Columns + c is at row r and column c of the grid. Stationarity is the largest entry of the
// gradient along rotations. Errors are those of FastICA.Fit, ml.ErrParameter also for a grid of
// more places than the data have directions.
func (f TopographicICA) Fit(ctx context.Context, x mat.Matrix) (*ICAModel, error) {
	return ml.Last(f.Iterate(ctx, x))
}

// Iterate yields the model at the start and after each step.
func (f TopographicICA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*ICAModel, error] {
	const method = "decomposition.TopographicICA"
	return func(yield func(*ICAModel, error) bool) {
		most, tol, err := iterationLimits(method, f.MaxIter, 300, f.Tol, 1e-4)
		rows, columns, radius := cmp.Or(f.Rows, 6), cmp.Or(f.Columns, 6), cmp.Or(f.Radius, 1)
		switch {
		case err != nil:
		case rows < 1 || columns < 1 || rows > 1<<15 || columns > 1<<15:
			err = ml.BadParameter(method, "Rows, Columns", fmt.Sprintf("%d, %d", rows, columns), "at least 1 each, or 0 for 6")
		case radius < 1:
			err = ml.BadParameter(method, "Radius", radius, "at least 1, or 0 for 1")
		}
		if err != nil {
			yield(nil, err)
			return
		}
		data, err := whiten(ctx, method, x, 0)
		if err == nil {
			if k, _ := data.z.Dims(); k < rows*columns {
				err = ml.BadParameter(method, "Rows·Columns", rows*columns, fmt.Sprintf("at most %d, the directions in which the data vary", k))
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		data.keep(rows * columns)
		t := topography{data.z, gridNeighbors(rows, columns, radius)}
		d := descent{evaluate: t.at, rotate: true, memory: 10, most: most, tol: tol}
		data.iterate(ctx, d, randomRotation(rows*columns, f.Seed), [2]int{rows, columns}, yield)
	}
}

// keep leaves the first k directions, those of the largest variance.
func (s *whitened) keep(k int) {
	_, n := s.z.Dims()
	d := len(s.mean)
	s.z = mat.DenseCopyOf(s.z.Slice(0, k, 0, n))
	s.whitening = mat.DenseCopyOf(s.whitening.Slice(0, k, 0, d))
	s.coloring = mat.DenseCopyOf(s.coloring.Slice(0, d, 0, k))
}

// gridNeighbors is hᵢⱼ of a grid that closes on itself.
func gridNeighbors(rows, columns, radius int) *mat.Dense {
	h := mat.NewDense(rows*columns, rows*columns, nil)
	apart := func(a, b, size int) int {
		gap := max(a-b, b-a)
		return min(gap, size-gap)
	}
	for i := range rows * columns {
		for j := range rows * columns {
			if apart(i/columns, j/columns, rows) <= radius && apart(i%columns, j%columns, columns) <= radius {
				h.Set(i, j, 1)
			}
		}
	}
	return h
}

// topography judges unmixing matrices by the energies of neighborhoods.
type topography struct {
	z *mat.Dense // k×n
	h *mat.Dense // k×k
}

// softening is the ε under the root, which makes the loss smooth where nothing is active.
const softening = 0.1

func (t topography) at(ctx context.Context, w *mat.Dense, _ []float64) (*unmixing, error) {
	k, n := t.z.Dims()
	type part struct {
		loss  float64
		cross *mat.Dense // Σ yᵢ rᵢ yⱼ
	}
	parts := make([]part, parallel.Chunks(n, measureRows))
	if err := parallel.For(ctx, n, measureRows, func(chunk, lo, hi int) {
		z := t.z.Slice(0, k, lo, hi)
		var y, energy, root, pull mat.Dense
		y.Mul(w, z)
		energy.MulElem(&y, &y)
		root.Mul(t.h, &energy)
		loss := 0.0
		for i := range k {
			row := root.RawRowView(i)
			for c, v := range row {
				e := math.Sqrt(softening + v)
				loss += e
				row[c] = 1 / e
			}
		}
		pull.Mul(t.h, &root) // rⱼ = Σᵢ hᵢⱼ/√…: h is symmetric
		pull.MulElem(&pull, &y)
		cross := mat.NewDense(k, k, nil)
		cross.Mul(&pull, y.T())
		parts[chunk] = part{loss, cross}
	}); err != nil {
		return nil, err
	}
	loss, cross := 0.0, mat.NewDense(k, k, nil)
	for _, p := range parts {
		loss += p.loss
		cross.Add(cross, p.cross)
	}
	p := &unmixing{w: w, signs: ones(k), wanted: ones(k), loss: loss / float64(n), gradient: mat.NewDense(k, k, nil)}
	for i := range k {
		for j := range k {
			v := (cross.At(i, j) - cross.At(j, i)) / 2 / float64(n)
			p.gradient.Set(i, j, v)
			p.stationarity = max(p.stationarity, math.Abs(v))
		}
	}
	return p, nil
}
