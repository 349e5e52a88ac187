package decomposition_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/decomposition"
)

// A hundred neurons, trials under six stimuli with two decisions: how much of what the neurons do
// goes with which of them.
func ExampleDPCA() {
	population := datasets.Demixed{}.Draw()
	m, err := decomposition.DPCA{Components: 2}.Fit(context.Background(), population.Trials)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, name := range m.Marginals {
		first := m.ComponentsOf(name)[0]
		fmt.Printf("%s: %.0f %% of the variance, %.0f %% in its first component\n", name, 100*m.Share[i], 100*m.Explained.At(first, i))
	}
	// Output:
	// time: 46 % of the variance, 34 % in its first component
	// stimulus: 25 % of the variance, 16 % in its first component
	// decision: 22 % of the variance, 21 % in its first component
	// stimulus × decision: 7 % of the variance, 2 % in its first component
}
