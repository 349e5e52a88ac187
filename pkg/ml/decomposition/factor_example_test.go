package decomposition_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/decomposition"
)

func ExampleFactorAnalysis() {
	wine := datasets.Wine()
	f := decomposition.FactorAnalysis{Factors: 2, Rotation: decomposition.Varimax}
	m, err := f.Fit(context.Background(), wine.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("the factors explain %.0f %% and %.0f %% of the variables\n", 100*m.Ratio[0], 100*m.Ratio[1])
	fmt.Printf("%.0f %% of column 6 is common, %.0f %% of column 2\n", 100*m.Communality[6], 100*m.Communality[2])
	// Output:
	// the factors explain 33 % and 16 % of the variables
	// 92 % of column 6 is common, 10 % of column 2
}
