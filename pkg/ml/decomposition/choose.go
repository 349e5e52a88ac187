package decomposition

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// ParallelAnalysis says how many principal components vary more than chance alone would have it
// (Horn, 1965): the variances are compared with those of data in which each column has been
// shuffled by itself (Buja & Eyuboglu, 1992), which keeps every variable's distribution and takes
// away what they have in common. It costs Draws more fits.
type ParallelAnalysis struct {
	PCA      PCA     // Components is not looked at: all are compared
	Draws    int     // shuffled copies; 0 means 50
	Quantile float64 // of their variances that must be passed; 0 means 0.95
	Seed     uint64
}

// ParallelModel is the outcome: two curves and where they cross.
type ParallelModel struct {
	Components int       // how many come before the first that chance would do as well
	Variance   []float64 // of the data, descending
	Threshold  []float64 // the quantile of shuffled copies, component by component
}

func init() { ml.Register[ParallelModel]("decomposition.ParallelModel") }

// Fit compares. The error is ml.ErrParameter for an option out of range, and those of PCA.Fit.
func (p ParallelAnalysis) Fit(ctx context.Context, x mat.Matrix) (*ParallelModel, error) {
	const method = "decomposition.ParallelAnalysis"
	draws, quantile := cmp.Or(p.Draws, 50), cmp.Or(p.Quantile, 0.95)
	switch {
	case draws < 1:
		return nil, ml.BadParameter(method, "Draws", draws, "at least 1, or 0 for 50")
	case !(quantile > 0 && quantile < 1):
		return nil, ml.BadParameter(method, "Quantile", quantile, "between 0 and 1, or 0 for 0.95")
	}
	p.PCA.Components = 0
	own, err := p.PCA.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	chance, errs := make([][]float64, draws), make([]error, draws)
	if err := parallel.For(ctx, draws, 1, func(draw, _, _ int) {
		r, shuffled := rng.New(p.Seed, draw), mat.NewDense(n, d, nil)
		for j := range d {
			for i, from := range r.Perm(n) {
				shuffled.Set(i, j, y.At(from, j))
			}
		}
		m, err := p.PCA.Fit(ctx, shuffled)
		if errs[draw] = err; err == nil {
			chance[draw] = m.Variance
		}
	}); err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	m := &ParallelModel{Variance: own.Variance, Threshold: make([]float64, len(own.Variance))}
	column := make([]float64, draws)
	passed := true
	for c := range m.Threshold {
		for k := range column {
			column[k] = chance[k][c]
		}
		slices.Sort(column)
		m.Threshold[c] = column[min(int(math.Ceil(quantile*float64(draws)))-1, draws-1)]
		if passed = passed && m.Variance[c] > m.Threshold[c]; passed {
			m.Components++
		}
	}
	return m, nil
}

// Kink is where a falling curve bends most: the number of values up to the one that lies furthest
// below the straight line from the first to the last (Satopää, Albrecht, Irwin & Raghavan, 2011),
// that one left out. Of variances in a scree plot it is how many stand out from the rest. It is 0
// for fewer than three values, and where none lies below the line.
func Kink(values []float64) int {
	n := len(values)
	if n < 3 {
		return 0
	}
	best, at := 0.0, 0
	for i, v := range values {
		line := values[0] + (values[n-1]-values[0])*float64(i)/float64(n-1)
		if gap := line - v; gap > best {
			best, at = gap, i
		}
	}
	return at
}
