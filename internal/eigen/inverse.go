package eigen

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
)

// SmallestInverse is Smallest for a positive semidefinite matrix of which a factor is at hand:
// solve replaces v by the solution of (A + εI)·u = v, for an ε far below the wanted eigenvalues,
// and may be called from several goroutines. Iteration by the inverse finds small values to nearly
// all their digits, however near to 0 they lie in units of Upper. It has converged when a step
// changes the sum of the values by less than 1e-10 of it, or by less than noise, which is what
// rounding makes of 0. Residual is not set, and signs are as they come.
func SmallestInverse(ctx context.Context, a Operator, solve func(v []float64), count int, known [][]float64, seed uint64, noise float64) (Result, error) {
	count = min(count, a.Dim()-len(known))
	b := newBlock(a, count, max(4, count), known, seed)
	b.project()
	before, converged := math.Inf(1), false
	for range maxSteps {
		sum := 0.0
		for _, v := range b.values[:count] {
			sum += v
		}
		if converged = math.Abs(before-sum) <= 1e-10*sum+noise; converged || math.IsNaN(sum) {
			break
		}
		before = sum
		// Vector by vector: on all processors, and with an end in sight for whoever cancels.
		err := parallel.For(ctx, b.width, 1, func(k, _, _ int) { solve(b.vectors[k]) })
		if err != nil {
			return Result{}, err
		}
		b.orthonormalize(seed)
		b.project()
	}
	return Result{Values: b.values[:count], Vectors: b.vectors[:count], Converged: converged}, ctx.Err()
}
