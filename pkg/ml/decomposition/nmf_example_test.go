package decomposition_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/decomposition"
	"gonum.org/v1/gonum/mat"
)

func ExampleNMF() {
	digits := datasets.Digits()
	m, err := decomposition.NMF{Components: 16}.Fit(context.Background(), digits.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	zeros := 0
	for _, v := range m.Components.RawMatrix().Data {
		if v == 0 {
			zeros++
		}
	}
	fmt.Printf("16 parts leave %.0f %% of the data's norm\n", 100*m.Error/mat.Norm(digits.X, 2))
	fmt.Printf("more than a third of their pixels are dark: %v\n", zeros > 16*64/3)
	// Output:
	// 16 parts leave 26 % of the data's norm
	// more than a third of their pixels are dark: true
}
