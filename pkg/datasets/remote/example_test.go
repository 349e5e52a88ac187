package remote_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/datasets/remote"
)

// MNIST whole where there is a network or the files are in the cache, and the embedded sample of it
// where there is neither.
func ExampleMNIST() {
	train, _, err := remote.MNIST(context.Background(), remote.Progress(func(done, total int64) {
		fmt.Printf("\r%d of %d bytes", done, total)
	}))
	if errors.Is(err, remote.ErrUnavailable) {
		train, _ = datasets.MNIST()
	}
	fmt.Println(train.Dims())
}

// CIFAR-10's first pictures: whole it is 1.5 GB of float64.
func ExampleCIFAR10() {
	train, test, err := remote.CIFAR10(context.Background(), remote.First(5000), remote.Dir("data"))
	if err != nil {
		fmt.Println(err) // says what was tried and what to do
		return
	}
	fmt.Println(train.Name, test.Name)
}
