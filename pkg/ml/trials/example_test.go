package trials_test

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// Four trials of one neuron under two stimuli: what depends on the stimulus, and what on time
// alone.
func ExampleTrials_Average() {
	data, err := trials.New([]mat.Matrix{
		mat.NewDense(2, 1, []float64{1, 3}), mat.NewDense(2, 1, []float64{1, 5}),
		mat.NewDense(2, 1, []float64{5, 8}), mat.NewDense(2, 1, []float64{5, 8}),
	}, trials.NewFactor("stimulus", []string{"grating", "grating", "face", "face"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	means, err := data.Average("stimulus")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("means by stimulus and step:", means.Mean.RawMatrix().Data)
	for _, of := range []string{"stimulus", trials.Time} {
		part, err := means.Marginal(of)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %v\n", of, part.RawMatrix().Data)
	}
	// Output:
	// means by stimulus and step: [1 4 5 8]
	// stimulus: [-2 -2 2 2]
	// time: [-1.5 1.5 -1.5 1.5]
}
