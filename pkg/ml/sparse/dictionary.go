package sparse

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// DictionaryModel is a dictionary that KSVD or OnlineDictionary has learned.
type DictionaryModel struct {
	Atoms      *mat.Dense // K×d, an atom a row, of norm at most 1
	Nonzero    int        // atoms that a row may use, for codes by OMP; 0 where codes are the lasso's
	Lambda     float64    // of the lasso; 0 where codes are OMP's
	Usage      []int      // of each atom, the rows of the last pass that use it
	Redrawn    int        // atoms that no row used and that were drawn anew from the data, in all
	Objective  float64    // of KSVD half the squared residuals, of OnlineDictionary the mean over the last batch of the lasso's objective
	Iterations int        // of KSVD passes, of OnlineDictionary batches
	Converged  bool       // KSVD has come to a pass that changes nothing to speak of; a stream has no end
}

func init() { ml.Register[DictionaryModel]("sparse.DictionaryModel") }

// Transform codes the rows of x, n×d, as the dictionary was learned for: by OMP with Nonzero atoms,
// or by the lasso with Lambda. The errors are those of OMP.Fit.
func (m *DictionaryModel) Transform(ctx context.Context, x mat.Matrix) (*Code, error) {
	if m.Nonzero > 0 {
		return OMP{Dictionary: m.Atoms, Nonzero: m.Nonzero}.Fit(ctx, x)
	}
	return Lasso{Dictionary: m.Atoms, Lambda: m.Lambda}.Fit(ctx, x)
}

// draw returns the number of a row with a probability in proportion to its weight, or −1 where none
// has any.
func draw(r *rand.Rand, weight []float64) int {
	total := floats.Sum(weight)
	if !(total > 0) {
		return -1
	}
	return rng.Weighted(r, weight, total)
}

// setUnit makes row j of a dictionary the direction of v, and says whether it has one.
func setUnit(atoms *mat.Dense, j int, v []float64) bool {
	norm := math.Sqrt(blas.Dot(v, v))
	if norm == 0 {
		return false
	}
	row := atoms.RawRowView(j)
	for c, x := range v {
		row[c] = x / norm
	}
	return true
}

// start takes a first dictionary of unit atoms: those that are given, or rows of y, drawn without
// replacement.
func start(method string, k int, given mat.Matrix, y *mat.Dense, r *rand.Rand) (*mat.Dense, error) {
	n, d := y.Dims()
	atoms := mat.NewDense(k, d, nil)
	if given != nil {
		a, err := checkAtoms(method, given)
		if err != nil {
			return nil, err
		}
		if a.k != k || a.d != d {
			return nil, ml.BadShape(method, "Init is %d×%d, want %d×%d: atoms by columns of the data", a.k, a.d, k, d)
		}
		for j := range k {
			setUnit(atoms, j, a.x.RawRowView(j))
		}
		return atoms, nil
	}
	j := 0
	for _, i := range r.Perm(n) {
		if j < k && setUnit(atoms, j, y.RawRowView(i)) {
			j++
		}
	}
	if j < k {
		return nil, ml.BadParameter(method, "Atoms", k, fmt.Sprintf("at most the number of rows that are not 0, %d", j))
	}
	return atoms, nil
}
