//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/golatent/latent/pkg/ml/coding"
)

// Count, encode, decode, compare. Each side makes its own type of symbol of the input's numbers.
func init() {
	bits := []figure{{"bits a symbol", lower}}
	register(
		row{name: "coding-range", input: "letters2m", figures: bits, fit: rangeCoder},
		row{name: "coding-ans", input: "letters2m", figures: bits, fit: ans},
	)
}

var errOtherSymbols = errors.New("other symbols came back")

func rangeCoder(_ context.Context, p problem) (judge, error) {
	symbols, model, err := counted[byte](p)
	if err != nil {
		return nil, err
	}
	packed, err := model.Encode(symbols)
	if err != nil {
		return nil, err
	}
	back, err := model.Decode(packed)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(back, symbols) {
		return nil, errOtherSymbols
	}
	return known(float64(8*len(packed)) / float64(len(symbols))), nil
}

func ans(ctx context.Context, p problem) (judge, error) {
	symbols, model, err := counted[int](p)
	if err != nil {
		return nil, err
	}
	packed, err := coding.ANS{}.Encode(ctx, model, symbols)
	if err != nil {
		return nil, err
	}
	back, err := coding.ANS{}.Decode(ctx, model, packed)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(back, symbols) {
		return nil, errOtherSymbols
	}
	return known(float64(8*len(packed)) / float64(len(symbols))), nil
}

// counted is the sequence in a type of symbols, and the model of how often each occurs in it.
func counted[S byte | int](p problem) ([]S, *coding.Static, error) {
	numbers := p.X.RawMatrix().Data
	symbols, counts := make([]S, len(numbers)), make([]float64, 64)
	for i, v := range numbers {
		symbols[i] = S(v)
		counts[symbols[i]]++
	}
	model, err := coding.NewStatic(counts)
	return symbols, model, err
}
