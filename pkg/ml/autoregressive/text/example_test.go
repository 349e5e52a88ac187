package text_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml/autoregressive/text"
	"github.com/golatent/latent/pkg/ml/neural"
)

// quick trains for a moment, on the pure-Go backend: an example must be quick.
var quick = neural.Train{Steps: 100, Batch: 16, LearningRate: 0.03, Schedule: neural.Cosine, EMA: 0.9, Backend: "go"}

// The network of a small WaveNet sees eight characters, more than the six after which tick becomes
// tock.
func ExampleWaveNet() {
	ctx := context.Background()
	rhythm := ""
	for range 100 {
		rhythm += "tick, tock, "
	}
	x, vocabulary, err := text.Numbers(rhythm, "")
	if err != nil {
		panic(err)
	}
	m, err := text.WaveNet{Channels: 8, Skip: 8, Dilations: []int{1, 2, 4}, Sequence: 24, Vocabulary: vocabulary, Train: quick}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	more, err := m.Write(ctx, text.Writing{Prompt: "tick, ", Length: 18, Temperature: -1})
	fmt.Printf("%q %v, from the last %d characters\n", more, err, m.Reach())
	// Output: "tock, tick, tock, " <nil>, from the last 8 characters
}
