package pictures_test

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml/autoregressive/pictures"
	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// quick trains for a moment, on the pure-Go backend: an example must be quick.
var quick = neural.Train{Steps: 100, Batch: 16, LearningRate: 0.03, Schedule: neural.Cosine, EMA: 0.9, Backend: "go"}

// bars are all pictures of 4×4 bits whose columns are 0 or 1 from top to bottom: four free bits in
// sixteen pixels. The number of a picture says which.
func bars() *mat.Dense {
	x := mat.NewDense(16, 16, nil)
	x.Apply(func(i, j int, _ float64) float64 { return float64(i >> (j % 4) & 1) }, x)
	return x
}

// nats says whether a model comes near the four bits that a bar needs, log 16 = 2.77 nats;
// independent pixels need 11.09.
func nats(logp []float64, err error) {
	if err != nil {
		panic(err)
	}
	mean := -stat.Mean(logp, nil)
	fmt.Printf("within 0.2 of log 16: %t\n", math.Abs(mean-math.Log(16)) < 0.2)
}

// A model of pictures says how likely one is, draws some, and completes those that are there in
// part: of a bar, the first row says it all.
func ExamplePixelCNN() {
	ctx := context.Background()
	ctx, x := context.Background(), bars()
	m, err := pictures.PixelCNN{First: 5, Channels: 8, Layers: 1, Dropout: -1, Train: quick}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	nats(m.LogProb(ctx, x))
	whole, err := m.Complete(ctx, x, 4, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println("completed from the first row:", mat.Equal(whole, x))
	// Output:
	// within 0.2 of log 16: true
	// completed from the first row: true
}

// With classes a model is one of pictures given what they show: here, the class is the first bar.
func ExamplePixelCNN_classes() {
	ctx := context.Background()
	x, labels := bars(), make([]int, 16)
	for i := range labels {
		labels[i] = i % 2 // column 0
	}
	m, err := pictures.PixelCNN{Gated: true, Classes: 2, First: 3, Channels: 8, Layers: 1, Dropout: -1, Labels: labels, Train: quick}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	s, err := m.Given(0, 1, 1, 0).Sample(ctx, 4, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(mat.Col(nil, 0, s))
	// Output: [0 1 1 0]
}

// Levels from 0 to 4 as a mixture of logistics, and a file of the pictures that takes what the
// model says.
func ExamplePixelCNNPP() {
	ctx := context.Background()
	ctx, x := context.Background(), bars()
	x.Scale(4, x)
	m, err := pictures.PixelCNNPP{Levels: 5, Components: 2, First: 5, Channels: 6, Dropout: -1, Train: quick}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	nats(m.LogProb(ctx, x))
	data, err := coding.Arithmetic{}.EncodeRows(ctx, m, x)
	if err != nil {
		panic(err)
	}
	back, err := coding.Arithmetic{}.DecodeRows(ctx, m, data)
	fmt.Println("fewer than 24 bytes:", len(data) < 24, "and the same pictures again:", mat.Equal(back, x), err)
	// Output:
	// within 0.2 of log 16: true
	// fewer than 24 bytes: true and the same pictures again: true <nil>
}

// Attention lets a pixel look at any before it: the heads' weights over the picture sum to 1.
func ExamplePixelSNAIL() {
	ctx := context.Background()
	x := bars()
	m, err := pictures.PixelSNAIL{Channels: 4, Blocks: 1, Layers: 1, Heads: 1, Keys: 2, Values: 4, Dropout: -1, Train: quick}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	nats(m.LogProb(ctx, x))
	heads, err := pictures.AttentionMaps(ctx, m, x, 0, 3, 2)
	if err != nil {
		panic(err)
	}
	fmt.Printf("the weights of the first head sum to %.3f\n", mat.Sum(heads[0].RowView(0)))
	// Output:
	// within 0.2 of log 16: true
	// the weights of the first head sum to 1.000
}

// Every other pixel of every other row is given, the rest is drawn: it holds what was given.
func ExampleSuperResolution() {
	ctx := context.Background()
	x := bars()
	o := pictures.SuperResolution{Network: pictures.PixelSNAIL{Channels: 4, Blocks: 1, Layers: 1, Heads: 1, Keys: 2, Values: 4, Dropout: -1, Train: quick}}
	m, err := o.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	low, err := o.Lower(x)
	if err != nil {
		panic(err)
	}
	high, err := m.Sample(ctx, low, 1)
	if err != nil {
		panic(err)
	}
	again, err := o.Lower(high)
	if err != nil {
		panic(err)
	}
	n, d := low.Dims()
	fmt.Println(n, "pictures of", d, "pixels, kept in those of 16:", mat.Equal(again, low))
	// Output: 16 pictures of 4 pixels, kept in those of 16: true
}

// A picture of 4×4 in seven passes of the network instead of sixteen.
func ExampleParallelMultiscale() {
	ctx := context.Background()
	x := bars()
	m, err := pictures.ParallelMultiscale{Channels: 5, Layers: 1, Dropout: -1, Train: quick}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	passes := 0
	for _, err := range m.Draw(context.Background(), 10, 1) {
		if err != nil {
			panic(err)
		}
		passes++
	}
	logp, err := m.LogProb(ctx, x)
	if err != nil {
		panic(err)
	}
	fmt.Println("passes:", passes, "— better than independent pixels by 6 nats or more:", stat.Mean(logp, nil) > -16*math.Ln2+6)
	// Output: passes: 7 — better than independent pixels by 6 nats or more: true
}
