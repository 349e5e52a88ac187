package ml_test

import (
	"errors"
	"testing"

	"github.com/golatent/latent/pkg/ml"
)

func TestLast(t *testing.T) {
	stop := errors.New("stop")
	models := func(yield func(*int, error) bool) {
		for i := range 3 {
			if !yield(&i, nil) {
				return
			}
		}
	}
	if m, err := ml.Last(models); err != nil || *m != 2 {
		t.Errorf("%v, %v, want the model 2", m, err)
	}
	ended := func(yield func(*int, error) bool) {
		models(func(m *int, err error) bool { return *m < 2 && yield(m, err) })
		yield(nil, stop)
	}
	if m, err := ml.Last(ended); err != stop || m == nil || *m != 1 {
		t.Errorf("%v, %v, want the model 1 beside the error", m, err)
	}
	if m, err := ml.Last(func(yield func(*int, error) bool) { yield(nil, stop) }); err != stop || m != nil {
		t.Errorf("%v, %v, want no model", m, err)
	}
}
