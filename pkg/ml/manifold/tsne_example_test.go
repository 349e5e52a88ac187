package manifold_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/manifold"
)

func ExampleTSNE() {
	iris := datasets.Iris()
	m, err := manifold.TSNE{Perplexity: 20}.Fit(context.Background(), iris.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	trust, err := evaluate.Trustworthiness(context.Background(), iris.X, m.Embedding, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("KL %.2f, trustworthiness %.2f\n", m.KL, trust)
	// Output: KL 0.19, trustworthiness 0.99
}
