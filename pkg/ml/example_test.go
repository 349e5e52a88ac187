package ml_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/cluster"
)

// A model is saved with where it comes from, and read back with it.
func ExampleSave() {
	dir, err := os.MkdirTemp("", "models")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "iris.zip")

	x := datasets.Iris().X
	kmeans := cluster.KMeans{K: 3, Seed: 7}
	model, err := kmeans.Fit(context.Background(), x)
	if err != nil {
		log.Fatal(err)
	}
	if err := ml.Save(path, model, ml.Provenance{Method: kmeans, Data: x}); err != nil {
		log.Fatal(err)
	}

	again, err := ml.Load[cluster.KMeansModel](path)
	if err != nil {
		log.Fatal(err)
	}
	info, err := ml.Describe(path)
	if err != nil {
		log.Fatal(err)
	}
	var options cluster.KMeans
	if err := json.Unmarshal(info.Options, &options); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("inertia %.2f\n", again.Inertia)
	fmt.Println(info.Method, "K =", options.K, "seed", *info.Seed)
	fmt.Println("fitted on these data:", *info.Data == ml.FingerprintOf(x))
	// Output:
	// inertia 78.85
	// cluster.KMeans K = 3 seed 7
	// fitted on these data: true
}
