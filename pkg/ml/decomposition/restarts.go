package decomposition

import (
	"context"
	"iter"

	"gonum.org/v1/gonum/mat"
)

// fitOf is a fit of which there are several starts: its state S after each iteration, and the model
// M of a state. A state may be written to again by the next iteration; a model is a fresh value.
type fitOf[S, M any] interface {
	iterate(ctx context.Context, restart int) iter.Seq2[*S, error]
	model(*S) (*M, error)
}

// bestOf returns the model of the least loss of several starts, and ctx.Err(), or beside an error
// of an iteration the best so far.
func bestOf[S, M any](ctx context.Context, f fitOf[S, M], restarts int, loss func(*M) float64) (best *M, err error) {
	for r := range max(restarts, 1) {
		var last *S
		for s, err := range f.iterate(ctx, r) {
			if err != nil {
				return best, err
			}
			last = s
		}
		if last == nil {
			break // ctx has ended
		}
		m, err := f.model(last)
		if err != nil {
			return nil, err
		}
		if best == nil || loss(m) < loss(best) {
			best = m
		}
	}
	return best, ctx.Err()
}

// modelsOf is the Iterate of such a fit: the models of its first start, after x was checked.
func modelsOf[S, M any, F fitOf[S, M]](ctx context.Context, check func(x mat.Matrix) (F, error), x mat.Matrix) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		f, err := check(x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *M
		for s, err := range f.iterate(ctx, 0) {
			var m *M
			if err == nil {
				m, err = f.model(s)
			}
			if err != nil {
				yield(last, err)
				return
			}
			if last = m; !yield(m, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}
