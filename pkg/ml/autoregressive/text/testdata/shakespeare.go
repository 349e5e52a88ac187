// Shakespeare trains the recurrent network that ships with the library, in runs of a few minutes
// each, and goes on where the run before it stopped:
//
//	go run ./pkg/ml/autoregressive/text/testdata/shakespeare.go -for 5m -checkpoint /tmp/shakespeare -out /tmp/shakespeare-gru.zip
//
// It trains on the first 90 % of the text and validates on the next 5 %, which is how its settings
// were chosen. Then it goes on, for a fixed number of steps at a lower rate, on both of them: the
// first 95 %. The last 5 % are only for the numbers that it prints when the training has ended; it
// then writes the model, each weight rounded to 8 bits, to -out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/text"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

func main() {
	limit := flag.Duration("for", 5*time.Minute, "how long this run may take")
	checkpoint := flag.String("checkpoint", "", "where the state of the training is kept: the beginning of two files' names")
	out := flag.String("out", "", "where the model is written when it is trained")
	cell := flag.String("cell", "gru", "")
	hidden := flag.Int("hidden", 512, "")
	layers := flag.Int("layers", 1, "")
	sequence := flag.Int("sequence", 256, "")
	batch := flag.Int("batch", 16, "")
	steps := flag.Int("steps", 5500, "on the first 90 %")
	rate := flag.Float64("rate", 8e-3, "")
	more := flag.Int("more", 1000, "steps on the first 95 %")
	moreRate := flag.Float64("more-rate", 2e-3, "")
	dropout := flag.Float64("dropout", 0.25, "")
	recurrentDropout := flag.Float64("recurrent-dropout", 0.2, "")
	decay := flag.Float64("decay", 0, "")
	ema := flag.Float64("ema", 0.998, "")
	bits := flag.Int("bits", 8, "kept of each weight")
	report := flag.Int("report", 250, "")
	flag.Parse()

	plays := datasets.Shakespeare()
	n := len(plays)
	train, validation, test := plays[:n*9/10], plays[n*9/10:n*95/100], plays[n*95/100:]
	c := text.CharRNN{Cell: text.Cell(*cell), Hidden: *hidden, Layers: *layers, Sequence: *sequence, Dropout: *dropout, RecurrentDropout: *recurrentDropout, Vocabulary: alphabet(plays),
		Train: neural.Train{Steps: *steps, Batch: *batch, LearningRate: *rate, Schedule: neural.Cosine, Warmup: 100, ClipNorm: 1, WeightDecay: *decay, EMA: *ema, Report: *report,
			Backend: xlatest.Backend()}}
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	part := func(some, validation, file string) *text.CharRNNModel {
		if *checkpoint != "" {
			c.Train.Checkpoint = *checkpoint + file
		}
		return trained(ctx, c, some, validation)
	}
	model := part(train, validation, "-90.zip")
	if model == nil {
		return
	}
	show("validation", model, validation)
	c.Start, c.Train.Steps, c.Train.LearningRate = model, *more, *moreRate
	if model = part(train+validation, "", "-95.zip"); model == nil {
		return
	}
	for i, w := range model.Weights.Values {
		model.Weights.Values[i] = rounded(w, *bits)
	}
	show("the first 20,000 of the last 5 %", model, test[:20000])
	show("all of the last 5 %", model, test)
	if *out != "" {
		c.Train.Checkpoint, c.Train.Backend, c.Start.Backend, model.Backend = "", "", "xla", "xla" // no paths of this machine
		if err := ml.Save(*out, model, ml.Provenance{Method: c}); err != nil {
			log.Fatal(err)
		}
	}
}

// show prints what a text costs, read from its beginning to its end.
func show(name string, model *text.CharRNNModel, plays string) {
	bits, _, err := model.Bits(context.Background(), strings.NewReader(plays))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %.4f bits a character\n", name, bits)
}

// trained is the model when it has come to its last step, and nil where the time ended before.
func trained(ctx context.Context, c text.CharRNN, some, validation string) (model *text.CharRNNModel) {
	began := time.Now()
	c.Validation = validation
	for m, err := range c.Iterate(ctx, some) {
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Println("not at the end yet: run it again")
			return nil
		}
		if err != nil {
			log.Fatal(err)
		}
		h := m.History
		last := len(h.Steps) - 1
		fmt.Printf("%v step %d: train %.4f", time.Since(began).Round(time.Second), h.Steps[last], h.Loss[last]/math.Ln2)
		if validation != "" {
			fmt.Printf(", validation %.4f", h.Validation[last]/math.Ln2)
		}
		fmt.Println(" bits")
		model = m
	}
	return model
}

// alphabet is each character of a text once.
func alphabet(plays string) string {
	characters := []rune(plays)
	slices.Sort(characters)
	return string(slices.Compact(characters))
}

// rounded keeps some leading bits of each number, so that the file takes a fraction of the room.
func rounded(w *mat.Dense, bits int) *mat.Dense {
	out := mat.DenseCopyOf(w)
	out.Apply(func(_, _ int, v float64) float64 {
		fraction, exponent := math.Frexp(v)
		return math.Ldexp(math.RoundToEven(math.Ldexp(fraction, bits)), exponent-bits)
	}, out)
	return out
}
