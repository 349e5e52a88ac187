package pictures

import "github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"

// Alphabet returns the number of levels: with Order and Start, a model of pictures without classes
// drives the coders of package coding.
func (m *PictureModel[O]) Alphabet() int { return m.Options.frame().levels }

// Order returns the pixels in the order in which they are generated: row by row from the top.
func (m *PictureModel[O]) Order() []int {
	f := m.Options.frame()
	order := make([]int, f.height*f.width)
	for i := range order {
		order[i] = i
	}
	return order
}

// Start begins a picture; after its last pixel another one begins. See Walk, which it is. A model
// of classes that is given none, or one that was put together by hand with weights that do not fit,
// has a predictor whose Predict is an error.
func (m *PictureModel[O]) Start() symbol.Predictor {
	w, err := m.Walk()
	if err != nil {
		return symbol.Failing{Err: err}
	}
	return w
}
