package decomposition

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Infomax is independent component analysis by maximum likelihood (Bell & Sejnowski, 1995, from
// another side), along the natural gradient (Amari, Cichocki & Yang, 1996):
//
//	W ← W + η (I − E[ψ(y) yᵀ]) W,    y = Wz,    ψ = −(log p)′.
//
// Sources may be peaked, ψ(y) = y + tanh y, or flat, ψ(y) = y − tanh y, which is decided for each
// anew after each step (extended Infomax, Lee, Girolami & Sejnowski, 1999). SuperGaussian takes all
// to be peaked, ψ(y) = tanh y. It goes downhill by the gradient alone, so it takes many more steps
// than Picard with Plain, which finds the same minima.
//
// A step uses all rows and costs O(nk²); its η is halved until the loss falls by half of what the
// slope promises, and grows after.
type Infomax struct {
	Components    int        // sources to look for, in as many principal components; 0 means all in which the data vary
	SuperGaussian bool       // take all sources to be peaked, and none to be flat
	Rate          float64    // η of the first step; 0 means 0.5
	MaxIter       int        // steps; 0 means 1,000
	Tol           float64    // largest Stationarity to stop at; 0 means 1e-5, negative never
	Init          *mat.Dense // k×k, W to start from; nil means at random
	Seed          uint64
}

// Fit finds the sources of the rows of x. Loss of the model is −log |det W| − Σ E[log p(y)], but
// for constants, and Stationarity the largest entry of E[ψ(y)yᵀ] − I. Errors are those of
// FastICA.Fit; what has not converged is no error, but Converged false.
func (f Infomax) Fit(ctx context.Context, x mat.Matrix) (*ICAModel, error) {
	return ml.Last(f.Iterate(ctx, x))
}

// Iterate yields the model at the start and after each step.
func (f Infomax) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*ICAModel, error] {
	const method = "decomposition.Infomax"
	return func(yield func(*ICAModel, error) bool) {
		most, tol, err := iterationLimits(method, f.MaxIter, 1000, f.Tol, 1e-5)
		rate := f.Rate
		if rate == 0 {
			rate = 0.5
		}
		if err == nil && !(rate > 0 && rate <= 10) {
			err = ml.BadParameter(method, "Rate", rate, fmt.Sprintf("above 0 and at most 10, or 0 for %v", 0.5))
		}
		if err != nil {
			yield(nil, err)
			return
		}
		data, err := whiten(ctx, method, x, f.Components)
		if err != nil {
			yield(nil, err)
			return
		}
		k, _ := data.z.Dims()
		w, err := initialUnmixing(method, f.Init, k, f.Seed)
		if err != nil {
			yield(nil, err)
			return
		}
		l := likelihood{newMeasurer(LogCosh, data.z), f.SuperGaussian}
		eta := rate
		d := descent{evaluate: l.free, enough: 0.5, most: most, tol: tol}
		d.precondition = func(_ *unmixing, q *mat.Dense) *mat.Dense {
			q.Scale(eta, q)
			return q
		}
		d.taken = func(share float64) { eta = math.Min(eta*share*1.2, 10) }
		data.iterate(ctx, d, w, [2]int{}, yield)
	}
}
