package manifold_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
)

// A map of the digits, and three new ones placed on it.
func ExampleUMAP() {
	x := datasets.Digits().X
	ctx := context.Background()
	m, err := manifold.UMAP{Neighbors: 15, MinDist: 0.1, Seed: 1}.Fit(ctx, x.Slice(0, 1000, 0, 64))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Embedding.Dims())
	placed, err := m.Transform(ctx, x.Slice(1000, 1003, 0, 64))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(placed.Dims())
	// Output:
	// 1000 2
	// 3 2
}

// A film of the optimization: the map every hundredth epoch.
func ExampleUMAP_Iterate() {
	x := datasets.Digits().X
	var frames []*mat.Dense
	for m, err := range (manifold.UMAP{Epochs: 300}).Iterate(context.Background(), x.Slice(0, 500, 0, 64)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if m.Epoch%100 == 0 {
			frames = append(frames, m.Embedding)
		}
	}
	fmt.Println(len(frames), "frames")
	// Output: 4 frames
}
