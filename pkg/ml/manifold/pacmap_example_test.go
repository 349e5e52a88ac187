package manifold_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/manifold"
)

func ExamplePaCMAP() {
	x := datasets.Digits().X
	ctx := context.Background()
	m, err := manifold.PaCMAP{Seed: 1}.Fit(ctx, x)
	if err != nil {
		fmt.Println(err)
		return
	}
	trust, err := evaluate.Trustworthiness(ctx, x, m.Embedding, 12)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("trustworthiness above 0.98: %v\n", trust > 0.98)
	// Output: trustworthiness above 0.98: true
}
