package mixture

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Gating names how a conditional mixture weighs its experts.
type Gating string

// The gatings of a conditional mixture.
const (
	SoftmaxGating  Gating = "softmax"  // πₖ(x) = exp(vₖ·x + cₖ) / Σₗ exp(vₗ·x + cₗ): which expert answers depends on x
	ConstantGating Gating = "constant" // πₖ, the same everywhere
)

// Optimizer names how the likelihood of a conditional mixture is raised.
type Optimizer string

// The optimizers of a conditional mixture. They raise the same function.
const (
	EM     Optimizer = "EM"     // responsibilities, then least squares or Newton's method for each expert and for the gate
	Direct Optimizer = "direct" // BFGS on all parameters at once, by the gradient of the likelihood
)

// expertOptions are the options that both conditional mixtures have.
type expertOptions struct {
	k         int
	gating    Gating
	optimizer Optimizer
	floor     float64 // of variances
	penalty   float64
	restarts  int
	maxIter   int
	tol       float64
	seed      uint64
}

func (o expertOptions) check(method string, n int) error {
	if err := checkK(method, o.k, n); err != nil {
		return err
	}
	switch {
	case o.gating != "" && o.gating != SoftmaxGating && o.gating != ConstantGating:
		return ml.BadParameter(method, "Gating", o.gating, `"softmax" or "constant"`)
	case o.optimizer != "" && o.optimizer != EM && o.optimizer != Direct:
		return ml.BadParameter(method, "Optimizer", o.optimizer, `"EM" or "direct"`)
	case o.floor != 0 && !(o.floor >= 1e-12 && o.floor <= 1):
		return ml.BadParameter(method, "Floor", o.floor, "0 (for 1e-6), or 1e-12 to 1")
	case math.IsNaN(o.penalty) || math.IsInf(o.penalty, 1):
		return ml.BadParameter(method, "Penalty", o.penalty, "0 (for 1e-3), a positive number, or a negative one for none")
	case o.restarts < 0:
		return ml.BadParameter(method, "Restarts", o.restarts, "0 (for 10) or more")
	case o.maxIter < 0:
		return ml.BadParameter(method, "MaxIter", o.maxIter, "0 (for 1000) or more")
	case !(o.tol >= 0) || math.IsInf(o.tol, 1):
		return ml.BadParameter(method, "Tol", o.tol, "0 (for 1e-8) or a positive number")
	}
	return nil
}

// expertFit is a conditional mixture in coordinates in which every column of x, and a real-valued
// y, has mean 0 and variance 1. The rows of x begin with a 1, so that intercepts are coefficients.
type expertFit struct {
	expertOptions
	method   string
	n, p     int       // rows, columns of x with the 1
	rows     int       // of a block
	x        []float64 // n×p
	y        []float64
	logistic bool
	// K×(K−1): orthonormal columns, orthogonal to the ones. The gate's parameters are V = basis·U,
	// since adding a vector to all vₖ changes nothing
	basis []float64
	units affine
	given *expertState

	passes int       // over the data so far
	means  []float64 // n×K, wₖ·x of the experts
	gate   []float64 // n×K, log πₖ(x)
	shares []float64 // n×K, responsibilities
	labels []int
}

// expertState is one setting of the parameters. It is never changed once a step has it.
type expertState struct {
	u         []float64 // (K−1)×p of the gate; where it is constant only the first column differs from 0
	w         []float64 // K×p of the experts
	variances []float64 // K, where experts are linear
}

func (s *expertState) clone() *expertState {
	return &expertState{slices.Clone(s.u), slices.Clone(s.w), slices.Clone(s.variances)}
}

// expertStep is the state after a step.
type expertStep struct {
	*expertState
	objective     float64 // what never falls: mean log-likelihood less penalty, in the coordinates of the fit
	logLikelihood float64 // mean
	iteration     int
	passes        int
	restart       int
	converged     bool
}

// newExpertFit checks the options and x; the caller sets y.
func newExpertFit(ctx context.Context, method string, o expertOptions, x mat.Matrix) (*expertFit, error) {
	rows, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := rows.Dims()
	if err := o.check(method, n); err != nil {
		return nil, err
	}
	o.penalty, o.restarts, o.maxIter, o.tol = max(cmp.Or(o.penalty, 1e-3), 0), cmp.Or(o.restarts, 10), cmp.Or(o.maxIter, 1000), cmp.Or(o.tol, 1e-8)
	from, err := standardize(ctx, rows, false)
	if err != nil {
		return nil, err
	}
	k := o.k
	f := &expertFit{expertOptions: o, method: method, n: n, p: d + 1, units: affine{mean: make([]float64, d), scale: make([]float64, d), yScale: 1},
		labels: make([]int, n), x: make([]float64, n*(d+1)), means: make([]float64, n*k), gate: make([]float64, n*k), shares: make([]float64, n*k)}
	for j := range d {
		f.units.mean[j], f.units.scale[j] = from.M[j]/from.A[j], from.A[j]*from.B[j]*unitVariance(from, j)
	}
	_ = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := f.x[i*f.p : (i+1)*f.p]
			row[0] = 1
			for j, v := range from.row(i) {
				row[j+1] = v * unitVariance(from, j)
			}
		}
	})
	// Helmert's contrasts.
	for i := range k {
		for j := 1; j < k; j++ {
			v := 0.0
			if i < j {
				v = 1
			} else if i == j {
				v = -float64(j)
			}
			f.basis = append(f.basis, v/math.Sqrt(float64(j*(j+1))))
		}
	}
	f.rows = min(blockOfRows, n)
	return f, ctx.Err()
}
