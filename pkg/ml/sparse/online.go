package sparse

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// OnlineDictionary learns a dictionary from rows that come a batch at a time and are not kept
// (Mairal, Bach, Ponce & Sapiro, 2009):
//
//	minimise the expectation of min over z of ½‖y − Dᵀz‖² + λ‖z‖₁, with atoms of norm at most 1.
//
// The rows of a batch are coded by the lasso, or with Nonzero by OMP. What the atoms need to know
// of all codes so far is two sums, Σzzᵀ and Σzyᵀ, in which a batch counts by its rows and older
// ones fade: of batch t at time T the share (t/T)^Forget is left. Each atom in turn is then set to
// the minimum of the quadratic function that the sums make, within the unit ball. Memory is
// O(K² + Kd + Batch·(K + d)) however many rows there are, and a row costs O(Kd) and its code.
//
// Atoms that the last K or more rows did not use are drawn anew from the batch, in proportion to
// squared residuals. As long as there are fewer rows than atoms, the rest of the atoms wait.
type OnlineDictionary struct {
	Atoms   int        // K; 0 means 2d
	Lambda  float64    // of the lasso, in units of the data; 0 means 1.2/√d of the root mean square norm of the first batch's rows
	Nonzero int        // atoms that a row may use, where codes are to be OMP's; 0 for the lasso
	Batch   int        // rows that Fit takes at a time; 0 means 256
	Epochs  int        // times that Fit goes through the rows; 0 means 5
	Forget  float64    // 0 means 10, negative none
	Init    mat.Matrix // K×d, the first atoms, which are brought to norm 1; nil means rows of the first batches
	Seed    uint64
}

const onlineMethod = "sparse.OnlineDictionary"

// Stream is an OnlineDictionary on its way. It is for one goroutine.
type Stream struct {
	o       OnlineDictionary
	d       int
	atoms   *mat.Dense // K×d
	live    int        // atoms from here on wait for their first row
	unit    float64    // what numbers are multiplied by, so that their squares stay in range
	lambda  float64    // in this unit
	a       *mat.Dense // K×K, of codes with codes
	b       *mat.Dense // K×d, of codes with rows
	idle    []int      // of each atom, rows since it was last used
	usage   []int
	batches int
	redrawn int
	mean    float64 // objective of the last batch
	rand    *rand.Rand
}

// Start begins with no rows of d variables. The errors are ml.ErrParameter, and those of Init as
// KSVD has them.
func (o OnlineDictionary) Start(d int) (*Stream, error) {
	if d < 1 {
		return nil, ml.BadParameter(onlineMethod, "d", d, "at least 1")
	}
	o.Atoms, o.Batch, o.Epochs = cmp.Or(o.Atoms, 2*d), cmp.Or(o.Batch, 256), cmp.Or(o.Epochs, 5)
	switch {
	case o.Atoms < 1 || o.Atoms > 1<<15:
		return nil, ml.BadParameter(onlineMethod, "Atoms", o.Atoms, "1 to 32768")
	case !(o.Lambda >= 0) || math.IsInf(o.Lambda, 0):
		return nil, ml.BadParameter(onlineMethod, "Lambda", o.Lambda, "0 for the default, or a positive number")
	case o.Nonzero < 0 || o.Nonzero > min(o.Atoms, d):
		return nil, ml.BadParameter(onlineMethod, "Nonzero", o.Nonzero, fmt.Sprintf("1 to min(Atoms, d) = %d, or 0 for the lasso", min(o.Atoms, d)))
	case o.Nonzero > 0 && o.Lambda > 0:
		return nil, ml.BadParameter(onlineMethod, "Lambda", o.Lambda, "0 with Nonzero, whose codes are OMP's")
	case o.Batch < 1:
		return nil, ml.BadParameter(onlineMethod, "Batch", o.Batch, "0 or more")
	case o.Epochs < 1:
		return nil, ml.BadParameter(onlineMethod, "Epochs", o.Epochs, "0 or more")
	case math.IsNaN(o.Forget) || math.IsInf(o.Forget, 0):
		return nil, ml.BadParameter(onlineMethod, "Forget", o.Forget, "a finite number")
	case o.Forget == 0:
		o.Forget = 10
	}
	o.Forget = max(o.Forget, 0)
	s := &Stream{o: o, d: d, rand: rng.New(o.Seed), idle: make([]int, o.Atoms), usage: make([]int, o.Atoms)}
	s.a, s.b = mat.NewDense(o.Atoms, o.Atoms, nil), mat.NewDense(o.Atoms, d, nil)
	s.atoms = mat.NewDense(o.Atoms, d, nil)
	if o.Init != nil {
		atoms, err := start(onlineMethod, o.Atoms, o.Init, s.atoms, nil)
		if err != nil {
			return nil, err
		}
		s.atoms, s.live = atoms, o.Atoms
	}
	return s, nil
}

// Add learns from a batch of rows, of any number. The errors are those of ml.Dense, ml.ErrShape for
// another number of columns, and ctx.Err(), after which the batch is as if it had not come.
func (s *Stream) Add(ctx context.Context, batch mat.Matrix) error {
	x, err := ml.Dense(onlineMethod, batch)
	if err != nil {
		return err
	}
	if err := ml.Columns(onlineMethod, x, s.d); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	n, _ := x.Dims()
	if s.unit == 0 {
		most := scaling.MaxAbs(ctx, x)
		if err := ctx.Err(); err != nil || most == 0 {
			return err // zeros say nothing about units
		}
		s.first(x, most)
	}
	y := x
	if s.unit != 1 {
		y = mat.DenseCopyOf(x)
		y.Scale(s.unit, y)
	}
	if y, err = ml.Dense(onlineMethod+" (numbers far larger than those of the first batch)", y); err != nil {
		return err
	}
	live := s.fill(y)
	rows, p, err := s.code(ctx, y, live)
	if err != nil {
		return err
	}
	s.live = live
	s.batches++
	fade := math.Pow(1-1/float64(s.batches), s.o.Forget)
	s.a.Scale(fade, s.a)
	s.b.Scale(fade, s.b)
	left, weight := make([]float64, s.d), make([]float64, n)
	used := make([]int, s.o.Atoms)
	s.mean = 0
	for i, z := range rows {
		p.residual(left, y.RawRowView(i), z)
		weight[i] = blas.Dot(left, left)
		s.mean += (weight[i]/2 + z.penalty) / float64(n)
		for t, j := range z.index {
			used[j]++
			blas.Axpy(z.value[t], y.RawRowView(i), s.b.RawRowView(j))
			into := s.a.RawRowView(j)
			for u, l := range z.index {
				into[l] += z.value[t] * z.value[u]
			}
		}
	}
	s.usage = used
	s.update()
	for j := range live {
		if s.idle[j] += n; used[j] > 0 {
			s.idle[j] = 0
		} else if s.idle[j] >= max(s.o.Atoms, 256) {
			s.redraw(j, y, weight)
		}
	}
	return nil
}

// first takes the units of the first batch.
func (s *Stream) first(x *mat.Dense, most float64) {
	n, _ := x.Dims()
	s.unit = scaling.Factor(most)
	s.lambda = s.o.Lambda * s.unit
	if s.o.Lambda == 0 && s.o.Nonzero == 0 {
		square := 0.0
		for i := range n {
			for _, v := range x.RawRowView(i) {
				square += (v * s.unit) * (v * s.unit) / float64(n)
			}
		}
		s.lambda = 1.2 * math.Sqrt(square/float64(s.d))
	}
}

// fill gives atoms that wait a row each.
func (s *Stream) fill(y *mat.Dense) int {
	live := s.live
	if live == s.o.Atoms {
		return live
	}
	n, _ := y.Dims()
	for _, i := range s.rand.Perm(n) {
		if live < s.o.Atoms && setUnit(s.atoms, live, y.RawRowView(i)) {
			live++
		}
	}
	return live
}

// code codes the rows of y by the atoms that there are.
func (s *Stream) code(ctx context.Context, y *mat.Dense, live int) ([]row, *signals, error) {
	n, _ := y.Dims()
	a := newAtoms(mat.DenseCopyOf(s.atoms.Slice(0, live, 0, s.d)))
	p := &signals{atoms: a, y: y, n: n, unit: 1}
	a.products(n)
	if s.o.Nonzero == 0 {
		rows, err := p.lasso(ctx, l1{lambda: s.lambda * a.unit, maxIter: 1000, tol: 1e-5})
		return rows, p, err
	}
	rows, most := make([]row, n), min(s.o.Nonzero, live)
	err := each(ctx, p, func() *pursuit { return p.pursuit(most) },
		func(q *pursuit, i int, y, corr []float64) { rows[i] = q.orthogonal(y, corr, most, 0) })
	return rows, p, err
}

// update goes once through the atoms that are in use, each to the minimum for given others.
func (s *Stream) update() {
	u := make([]float64, s.d)
	top := 0.0
	for j := range s.live {
		top = max(top, s.a.At(j, j))
	}
	for j := range s.live {
		weight := s.a.At(j, j)
		if !(weight > 1e-12*top) {
			continue
		}
		copy(u, s.b.RawRowView(j))
		for l, v := range s.a.RawRowView(j) {
			if v != 0 && l != j {
				blas.Axpy(-v, s.atoms.RawRowView(l), u)
			}
		}
		floats.Scale(1/weight, u)
		if norm := math.Sqrt(blas.Dot(u, u)); norm > 1 {
			floats.Scale(1/norm, u)
		}
		if floats.Norm(u, math.Inf(1)) > 0 {
			copy(s.atoms.RawRowView(j), u)
		}
	}
}

// redraw gives atom j the direction of a row, and forgets what it was used for.
func (s *Stream) redraw(j int, y *mat.Dense, weight []float64) {
	i := draw(s.rand, weight)
	if i < 0 || !setUnit(s.atoms, j, y.RawRowView(i)) {
		return
	}
	weight[i] = 0
	s.redrawn++
	s.idle[j] = 0
	clear(s.a.RawRowView(j))
	clear(s.b.RawRowView(j))
	for l := range s.o.Atoms {
		s.a.Set(l, j, 0)
	}
}

// Model returns the dictionary of the rows so far: fewer atoms than were asked for where fewer rows
// have come. The error is ml.ErrEmpty before the first row that is not 0.
func (s *Stream) Model() (*DictionaryModel, error) {
	if s.live == 0 || s.batches == 0 {
		return nil, ml.Empty(onlineMethod, "no row but of zeros has been added yet")
	}
	m := &DictionaryModel{Atoms: mat.DenseCopyOf(s.atoms.Slice(0, s.live, 0, s.d)), Nonzero: min(s.o.Nonzero, s.live), Usage: append([]int(nil), s.usage[:s.live]...),
		Redrawn: s.redrawn, Iterations: s.batches, Objective: s.mean / s.unit / s.unit}
	if s.o.Nonzero == 0 {
		m.Lambda = s.lambda / s.unit
	}
	return m, nil
}

// Fit goes through the rows of x, in an order that the seed draws anew each time, a batch at a
// time. The error is ml.ErrParameter for more atoms than rows; the others are those of Start and
// Add. Cut off, it returns the dictionary so far, and ctx.Err().
func (o OnlineDictionary) Fit(ctx context.Context, x mat.Matrix) (*DictionaryModel, error) {
	return ml.Last(o.Iterate(ctx, x))
}

// Iterate yields the dictionary after every batch. What a batch costs is seen before the dictionary
// learns from it, and goes up and down.
func (o OnlineDictionary) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*DictionaryModel, error] {
	return func(yield func(*DictionaryModel, error) bool) {
		y, err := ml.Dense(onlineMethod, x)
		if err != nil {
			yield(nil, err)
			return
		}
		n, d := y.Dims()
		o.Atoms = cmp.Or(o.Atoms, min(2*d, n))
		s, err := o.Start(d)
		if err == nil && o.Atoms > n {
			err = ml.BadParameter(onlineMethod, "Atoms", o.Atoms, fmt.Sprintf("1 to n = %d", n))
		}
		if err != nil {
			yield(nil, err)
			return
		}
		order := rng.New(o.Seed, 1)
		for range s.o.Epochs {
			perm := order.Perm(n)
			for lo := 0; lo < n; lo += s.o.Batch {
				part := perm[lo:min(lo+s.o.Batch, n)]
				batch := mat.NewDense(len(part), d, nil)
				for t, i := range part {
					batch.SetRow(t, y.RawRowView(i))
				}
				var m *DictionaryModel
				err := s.Add(ctx, batch)
				if err == nil {
					m, err = s.Model()
				}
				if !yield(m, err) || err != nil {
					return
				}
			}
		}
	}
}
