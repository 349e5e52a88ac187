package topic_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml/topic"
	"gonum.org/v1/gonum/floats"
)

func ExampleGibbs() {
	ctx := context.Background()
	texts := []string{
		"the cat chased the dog", "a dog and a cat", "cat dog cat",
		"stocks fell as bonds rose", "bonds and stocks", "stocks bonds stocks",
	}
	words, err := topic.Vectorizer{}.Fit(ctx, texts)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := words.Counts(ctx, texts)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := topic.Gibbs{Topics: 2, Alpha: 0.1, Eta: 0.1}.Fit(ctx, x)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 2 {
		k := floats.MaxIdx(m.Documents.RawRowView(3 * i))
		fmt.Printf("%q is about %v\n", texts[3*i], words.Names(m.Top(k, 2)))
	}
	// Output:
	// "the cat chased the dog" is about [cat dog]
	// "stocks fell as bonds rose" is about [stocks bonds]
}
