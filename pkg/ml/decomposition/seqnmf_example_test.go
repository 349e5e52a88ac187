package decomposition_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml/decomposition"
	"gonum.org/v1/gonum/mat"
)

func ExampleSeqNMF() {
	// Three variables fire one after the other, again and again.
	x := mat.NewDense(60, 3, nil)
	for _, t := range []int{3, 11, 22, 30, 43, 51} {
		for j := range 3 {
			x.Set(t+2*j, j, 1)
		}
	}
	m, err := decomposition.SeqNMF{Sequences: 2, Length: 7, Lambda: 0.01}.Fit(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("one sequence explains more than 95 %%: %v; the other less than 5 %%: %v\n", m.Share[0] > 0.95, m.Share[1] < 0.05)
	// Output:
	// one sequence explains more than 95 %: true; the other less than 5 %: true
}
