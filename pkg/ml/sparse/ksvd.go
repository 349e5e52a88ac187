package sparse

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// KSVD learns a dictionary in which every row needs few atoms (Aharon, Elad & Bruckstein, 2006):
//
//	minimise ½‖X − ZD‖² with at most Nonzero entries in each row of Z and atoms of norm 1.
//
// A pass codes all rows by batch OMP, and then takes the atoms in turn: atom j and the coefficients
// that go with it are fitted together to what the others leave of the rows that use it, a best
// approximation of rank one. It is computed by alternating the atom with its coefficients, Power
// times from where they are (once is the approximation of Rubinstein, Zibulevsky & Elad, 2008).
// A row that OMP would code worse than it is coded keeps its code, so that the error never rises.
// Atoms that no row uses are drawn anew from the rows, in proportion to their squared residuals.
//
// The problem has many local minima. A pass costs O(n(Kd + Nonzero²K)) for the codes and
// O(nd·Nonzero·Power) for the atoms.
type KSVD struct {
	Atoms   int        // K, 1 to n; 0 means min(2d, n)
	Nonzero int        // atoms that a row may use, 1 to min(K, d); 0 means max(1, d/10)
	MaxIter int        // passes; 0 means 100
	Tol     float64    // ends at ten passes that together lower the error by less than this part; 0 means 1e-3
	Power   int        // 0 means 2
	Init    mat.Matrix // K×d, the first atoms, which are brought to norm 1; nil means rows drawn at random
	Seed    uint64
}

const ksvdMethod = "sparse.KSVD"

// ksvd is a fit on its way.
type ksvd struct {
	KSVD
	y        *mat.Dense // n×d, the caller's times unit
	unit     float64
	n, d     int
	atoms    *mat.Dense
	rows     []row      // unsorted codes
	left     *mat.Dense // the residuals
	square   []float64  // of the residuals
	redrawn  int
	usage    []int
	rand     *rand.Rand
	error    float64 // half the sum of squares
	passes   int
	done     bool
	history  []float64
	at       [][]use // the rows that use each atom
	rest     []float64
	zs, atom []float64
}

// use is a place in the codes: value t of row i.
type use struct{ i, t int }

// Fit learns from the rows of x, n×d, which should have mean 0, or their means taken off as the
// caller sees fit: the method centers nothing. The error is ml.ErrParameter for an option out of
// range or more atoms than rows that are not 0, ml.ErrShape for an Init of another shape, the
// errors of ml.Dense, and ctx.Err(), along with the dictionary so far.
func (k KSVD) Fit(ctx context.Context, x mat.Matrix) (*DictionaryModel, error) {
	f, err := k.check(x)
	if err != nil {
		return nil, err
	}
	for !f.done {
		if err := f.pass(ctx); err != nil {
			if f.passes == 0 {
				return nil, err
			}
			return f.model(), err
		}
	}
	return f.model(), nil
}

// Iterate yields the dictionary after every pass; the error never rises.
func (k KSVD) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*DictionaryModel, error] {
	return func(yield func(*DictionaryModel, error) bool) {
		f, err := k.check(x)
		if err != nil {
			yield(nil, err)
			return
		}
		for !f.done {
			err := f.pass(ctx)
			var m *DictionaryModel
			if f.passes > 0 {
				m = f.model()
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func (k KSVD) check(x mat.Matrix) (*ksvd, error) {
	y, err := ml.Dense(ksvdMethod, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	k.Atoms = cmp.Or(k.Atoms, min(2*d, n))
	if k.Atoms < 1 || k.Atoms > n {
		return nil, ml.BadParameter(ksvdMethod, "Atoms", k.Atoms, fmt.Sprintf("1 to n = %d", n))
	}
	k.Nonzero = cmp.Or(k.Nonzero, min(k.Atoms, max(1, d/10)))
	k.MaxIter, k.Power = cmp.Or(k.MaxIter, 100), cmp.Or(k.Power, 2)
	switch {
	case k.Nonzero < 1 || k.Nonzero > min(k.Atoms, d):
		return nil, ml.BadParameter(ksvdMethod, "Nonzero", k.Nonzero, fmt.Sprintf("1 to min(Atoms, d) = %d, or 0 for the default", min(k.Atoms, d)))
	case k.MaxIter < 0:
		return nil, ml.BadParameter(ksvdMethod, "MaxIter", k.MaxIter, "0 or more")
	case k.Power < 0:
		return nil, ml.BadParameter(ksvdMethod, "Power", k.Power, "0 or more")
	case !(k.Tol >= 0) || math.IsInf(k.Tol, 0):
		return nil, ml.BadParameter(ksvdMethod, "Tol", k.Tol, "0 for the default, or a positive number")
	}
	if k.Tol == 0 {
		k.Tol = 1e-3
	}
	f := &ksvd{KSVD: k, n: n, d: d, rand: rng.New(k.Seed)}
	f.y, f.unit = scaling.InRange(y)
	if f.atoms, err = start(ksvdMethod, k.Atoms, k.Init, f.y, f.rand); err != nil {
		return nil, err
	}
	f.rows, f.left, f.square = make([]row, n), mat.DenseCopyOf(f.y), make([]float64, n)
	f.at = make([][]use, k.Atoms)
	f.atom = make([]float64, d)
	for i := range n {
		r := f.y.RawRowView(i)
		f.square[i] = blas.Dot(r, r)
	}
	return f, nil
}

// pass codes all rows and updates all atoms. Cut off, it leaves the pass before as it was.
func (f *ksvd) pass(ctx context.Context) error {
	if err := f.code(ctx); err != nil {
		return err
	}
	for j := range f.at {
		f.at[j] = f.at[j][:0]
	}
	for i, z := range f.rows {
		for t, j := range z.index {
			if z.value[t] != 0 {
				f.at[j] = append(f.at[j], use{i, t})
			}
		}
	}
	f.usage = make([]int, f.Atoms)
	weight := []float64(nil)
	for j, uses := range f.at {
		f.usage[j] = len(uses)
		if len(uses) > 0 {
			f.update(j, uses)
			continue
		}
		if weight == nil {
			weight = append(weight, f.square...)
		}
		if i := draw(f.rand, weight); i >= 0 && setUnit(f.atoms, j, f.left.RawRowView(i)) {
			weight[i] = 0
			f.redrawn++
		}
	}
	f.error = 0
	for i := range f.n {
		r := f.left.RawRowView(i)
		f.square[i] = blas.Dot(r, r)
		f.error += f.square[i] / 2
	}
	f.passes++
	f.history = append(f.history, f.error)
	const window = 10
	f.done = f.passes >= f.MaxIter || f.error == 0 ||
		f.passes > window && f.history[f.passes-1-window]-f.error <= f.Tol*f.error
	return nil
}

// code gives each row the better of its code and the one of OMP.
func (f *ksvd) code(ctx context.Context) error {
	s := newSignals(newAtoms(f.atoms), f.y, f.n)
	next := make([]row, f.n)
	err := each(ctx, s, func() *pursuit { return s.pursuit(f.Nonzero) },
		func(p *pursuit, i int, y, corr []float64) { next[i] = p.orthogonal(y, corr, f.Nonzero, 0) })
	if err != nil {
		return err
	}
	return parallel.For(context.WithoutCancel(ctx), f.n, chunk, func(_, lo, hi int) {
		r := make([]float64, f.d)
		for i := lo; i < hi; i++ {
			s.residual(r, f.y.RawRowView(i), next[i])
			if square := blas.Dot(r, r); square < f.square[i] {
				f.rows[i], f.square[i] = next[i], square
				copy(f.left.RawRowView(i), r)
			}
		}
	})
}

// update fits atom j and its coefficients to what the others leave.
func (f *ksvd) update(j int, uses []use) {
	atom := f.atoms.RawRowView(j)
	f.zs, f.rest = f.zs[:0], f.rest[:0]
	for _, u := range uses {
		z := f.rows[u.i].value[u.t]
		f.zs = append(f.zs, z)
		f.rest = append(f.rest, f.left.RawRowView(u.i)...)
		blas.Axpy(z, atom, f.rest[len(f.rest)-f.d:])
	}
	for range f.Power {
		clear(f.atom)
		for t, z := range f.zs {
			blas.Axpy(z, f.rest[t*f.d:(t+1)*f.d], f.atom)
		}
		if !setUnit(f.atoms, j, f.atom) {
			break
		}
		blas.DotRows(f.zs, atom, f.rest, f.d)
	}
	for t, u := range uses {
		f.rows[u.i].value[u.t] = f.zs[t]
		r := f.left.RawRowView(u.i)
		copy(r, f.rest[t*f.d:(t+1)*f.d])
		blas.Axpy(-f.zs[t], atom, r)
	}
}

func (f *ksvd) model() *DictionaryModel {
	return &DictionaryModel{Atoms: mat.DenseCopyOf(f.atoms), Nonzero: f.Nonzero, Usage: append([]int(nil), f.usage...), Redrawn: f.redrawn,
		Objective: f.error / f.unit / f.unit, Iterations: f.passes, Converged: f.done && f.passes < f.MaxIter || f.error == 0}
}
