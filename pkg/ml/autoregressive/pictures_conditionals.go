package autoregressive

import "github.com/golatent/latent/pkg/ml"

// Alphabet returns the number of levels: with Order and Start, a model of pictures without classes drives the coders of package coding.
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

// Start begins a picture; after its last pixel another one begins. See Walk, which it is, and which a model of classes wants instead: here its Predict is an error, as that of a model
// that was put together by hand with weights that do not fit.
func (m *PictureModel[O]) Start() Predictor {
	if f := m.Options.frame(); f.classes > 0 {
		return failing{ml.BadParameter(f.method, "Classes", f.classes, "0, for pictures of no class in particular; Walk takes a class")}
	}
	w, err := m.Walk(0)
	if err != nil {
		return failing{err}
	}
	return w
}
