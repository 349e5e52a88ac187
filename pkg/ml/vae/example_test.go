package vae_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/vae"
)

func Example() {
	ctx := context.Background()
	train, validation, test := datasets.BinaryDigits()
	// A small model and few steps, on the pure-Go backend: an example must be quick.
	m, err := vae.VAE{Latents: 4, Hidden: []int{32}, Train: neural.Train{Steps: 300, LearningRate: 5e-3, Backend: "go", Validation: validation.X}}.Fit(ctx, train.X)
	if err != nil {
		panic(err)
	}
	bound, err := m.ELBO(ctx, test.X, nil, 16, 1)
	if err != nil {
		panic(err)
	}
	elbo, _, kl := bound.Mean()
	fmt.Printf("the ELBO is above %d nats, where independent bits have -25.1: %t; the latents carry between 2 and 8 nats: %t\n", -22, elbo > -22, kl > 2 && kl < 8)
	x, err := m.Sample(ctx, 3, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(x.Dims())
	// Output:
	// the ELBO is above -22 nats, where independent bits have -25.1: true; the latents carry between 2 and 8 nats: true
	// 3 64
}
