package coding_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/coding"
	"gonum.org/v1/gonum/mat"
)

func ExampleHuffman() {
	code, err := coding.Huffman([]float64{45, 13, 12, 16, 9, 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	bits, _ := code.Bits([]int{0, 2, 0, 5})
	mean, _ := code.MeanLength([]float64{45, 13, 12, 16, 9, 5})
	fmt.Println(code.Words, bits, mean, coding.Kraft(code.Lengths()))
	// Output: [0 100 101 110 1110 1111] 010101111 2.24 1
}

// The model learns from the message itself: there is nothing to agree on beforehand.
func ExampleArithmetic() {
	ctx := context.Background()
	message := coding.Bytes("the cat sat on the mat with the rat and that was that and that was that")
	model, err := coding.NGram{Order: 3, Learn: true}.Fit(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := coding.Arithmetic{}.Encode(ctx, model, message)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := coding.Arithmetic{}.Decode(ctx, model, data)
	fmt.Println(len(message), "bytes became", len(data), "and", len(back), "again", err)
	// Output: 71 bytes became 43 and 71 again <nil>
}

// A model is two methods, and its predictor two more: here, a coin that remembers.
func ExampleModel() {
	ctx := context.Background()
	tosses := []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}
	bits, err := coding.CrossEntropy(ctx, lazyCoin{}, tosses)
	fmt.Printf("%.2f bits %v\n", bits, err)
	data, _ := coding.ANS{}.Encode(ctx, lazyCoin{}, tosses)
	back, err := coding.ANS{}.Decode(ctx, lazyCoin{}, data)
	fmt.Println(back, err)
	// Output:
	// 9.99 bits <nil>
	// [0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1 0 0 0 0 0] <nil>
}

type lazyCoin struct{}

func (lazyCoin) Alphabet() int           { return 2 }
func (lazyCoin) Start() coding.Predictor { return &lazyPredictor{} }

type lazyPredictor struct{ last int }

func (c *lazyPredictor) Predict(p []float64) error {
	p[c.last], p[1-c.last] = 0.9, 0.1
	return nil
}

func (c *lazyPredictor) Observe(symbol int) { c.last = symbol }

func ExampleNGram() {
	ctx := context.Background()
	text := coding.Bytes(datasets.Shakespeare())
	train, test := text[:1_000_000], text[1_000_000:1_010_000]
	for _, order := range []int{1, 3, 5} {
		m, err := coding.NGram{Order: order}.Fit(ctx, train)
		if err != nil {
			fmt.Println(err)
			return
		}
		bits, _ := coding.CrossEntropy(ctx, m, test)
		fmt.Printf("order %d: %.2f bits a character\n", order, bits/float64(len(test)))
	}
	// Output:
	// order 1: 4.75 bits a character
	// order 3: 2.81 bits a character
	// order 5: 2.08 bits a character
}

func ExamplePictures() {
	ctx := context.Background()
	train, _, test := datasets.BinaryDigits()
	m, err := coding.Pictures{Height: 8, Width: 8}.Fit(ctx, train.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	pixels, _ := m.Symbols(test.X)
	data, err := coding.Arithmetic{}.Encode(ctx, m, pixels)
	fmt.Printf("%.2f bits a pixel %v\n", float64(8*len(data))/float64(len(pixels)), err)
	// Output: 0.43 bits a pixel <nil>
}

func ExampleStatic() {
	st, err := coding.NewStatic([]float64{900, 90, 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	message := make([]byte, 1000)
	for i := range 10 {
		message[100*i] = byte(1 + i%2)
	}
	data, _ := st.Encode(message)
	back, err := st.Decode(data)
	fmt.Println(len(message), "symbols in", len(data), "bytes,", len(back), "back", err)
	// Output: 1000 symbols in 38 bytes, 1000 back <nil>
}

func ExampleArithmetic_EncodeRows() {
	train, _, test := datasets.BinaryDigits()
	m, err := coding.Pictures{Height: 8, Width: 8}.Fit(context.Background(), train.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := coding.Arithmetic{}.EncodeRows(context.Background(), m, test.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := coding.Arithmetic{}.DecodeRows(context.Background(), m, data)
	fmt.Println(len(data), "bytes for 400 pictures of 64 bits;", mat.Equal(back, test.X), err)
	// Output: 1376 bytes for 400 pictures of 64 bits; true <nil>
}
