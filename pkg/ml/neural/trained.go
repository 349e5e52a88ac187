package neural

import (
	"context"
	"iter"
	"sync"
)

// Trained is what every model of a neural family embeds: the weights, and how they came about. It
// is never changed once made.
type Trained struct {
	Weights Weights
	History History
	Steps   int    // that were taken; History.Best is the one of the weights where validation chose them
	Backend string // which backend trained it, and why
	Stopped string // why the training ended: "steps" or "patience"; "" before it did

	funcs *Funcs
}

var makingFuncs sync.Mutex

// Func returns a compiled function of the network, made when its name is first asked for: name must
// tell all that the graph depends on but the shapes of its inputs. It reads the weights under the
// given paths, all of them where there are none. It runs on the best backend there is, wherever the
// network was trained.
func (t *Trained) Func(name string, under []string, g Graph) (*Func, error) {
	w := t.Weights
	if len(under) > 0 {
		w = w.Under(under...)
	}
	return t.cache().Get(name, "", w, g)
}

func (t *Trained) cache() *Funcs {
	makingFuncs.Lock()
	defer makingFuncs.Unlock()
	if t.funcs == nil {
		t.funcs = &Funcs{}
	}
	return t.funcs
}

// Share returns the same training with the same compiled functions, for a model that is another
// view of this one: given classes, say.
func (t *Trained) Share() Trained {
	t.cache()
	return *t
}

// Models is the Iterate of a family: state checks what a caller gave and says what is trained and
// how, when the iteration begins, and model makes the family's own of each result. An error of
// state is the only thing yielded then; one that ends the training comes with the model so far, or
// with nil where there is none.
func Models[M any](ctx context.Context, state func() (t Train, p Problem, model func(Trained) *M, err error)) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		t, p, model, err := state()
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range t.Iterate(ctx, p) {
			var m *M
			if r != nil {
				m = model(*r)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
