package neural

import (
	"slices"

	"gonum.org/v1/gonum/mat"
)

// History is how a training went: one entry a report, each number the mean over the steps since the
// report before.
type History struct {
	Steps      []int      // how many steps had been taken
	Loss       []float64  // on minibatches, with the weights as they were then
	PartNames  []string   // the parts of the loss that the method names
	Parts      *mat.Dense // one row a report, one column a part
	Validation []float64  // on the validation data, with the weights (or their moving average) at the report; nil without such data
	Rate       []float64  // the learning rate of the last step before the report
	Gradient   []float64  // the norm of the gradient before any clipping, of the first player where there are several
	Best       int        // the step of the lowest validation loss; 0 without validation data
}

// Part returns the curve of one part of the loss, or nil where the method has none of that name.
func (h History) Part(name string) []float64 {
	i := slices.Index(h.PartNames, name)
	if i < 0 || h.Parts == nil {
		return nil
	}
	return mat.Col(nil, i, h.Parts)
}

// At returns the steps as numbers, for the axis of a plot.
func (h History) At() []float64 {
	out := make([]float64, len(h.Steps))
	for i, s := range h.Steps {
		out[i] = float64(s)
	}
	return out
}

// add returns a history with one more entry; the old one is left as it is.
func (h History) add(step int, loss, norm float64, names []string, parts []float64, rate float64) History {
	h.Steps = append(slices.Clip(h.Steps), step)
	h.Loss = append(slices.Clip(h.Loss), loss)
	h.Rate = append(slices.Clip(h.Rate), rate)
	h.Gradient = append(slices.Clip(h.Gradient), norm)
	if h.PartNames = names; len(names) > 0 {
		rows := mat.NewDense(len(h.Steps), len(names), nil)
		if h.Parts != nil {
			rows.Copy(h.Parts)
		}
		rows.SetRow(len(h.Steps)-1, parts)
		h.Parts = rows
	}
	return h
}
