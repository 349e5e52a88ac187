package neural

import (
	"context"
	"iter"
)

// Models is the Iterate of a family: state checks what a caller gave and says what is trained and how, when the iteration begins, and model makes the family's own of each result. An
// error of state is the only thing yielded then; one that ends the training comes with the model so far, or with nil where there is none.
func Models[M any](ctx context.Context, state func() (t Train, p Problem, model func(*Result) *M, err error)) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		t, p, model, err := state()
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range t.Iterate(ctx, p) {
			var m *M
			if r != nil {
				m = model(r)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
