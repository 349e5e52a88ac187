package decomposition_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/decomposition"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Thirty variables in which five things happen now and then.
func ExampleSCA() {
	x, _, _ := datasets.Bursts(300, 30, 5, 0.3, 1)
	m, err := decomposition.SCA{Components: 5}.Fit(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := decomposition.PCA{Components: 5}.Fit(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("sparse components explain %.0f %% of the variance, principal ones %.0f %%\n", 100*m.Ratio, 100*floats.Sum(p.Ratio))
	for name, transform := range map[string]func(mat.Matrix) (*mat.Dense, error){"sparse": m.Transform, "principal": p.Transform} {
		z, err := transform(x)
		if err != nil {
			fmt.Println(err)
			return
		}
		quiet := 0
		for _, v := range z.RawMatrix().Data {
			if v > -0.5 && v < 0.5 {
				quiet++
			}
		}
		fmt.Printf("%s: %d %% of the scores are near zero\n", name, quiet/15)
	}
	// Unordered output:
	// sparse components explain 87 % of the variance, principal ones 87 %
	// sparse: 55 % of the scores are near zero
	// principal: 24 % of the scores are near zero
}
