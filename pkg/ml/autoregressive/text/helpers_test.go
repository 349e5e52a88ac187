package text

import (
	"context"
)

// withText is c with a text to validate on.
func withText(c CharRNN, validation string) CharRNN {
	c.Validation = validation
	return c
}

// onText fits a WaveNet to a text; validation may be "".
func onText(ctx context.Context, w WaveNet, text, validation string) (*WaveNetModel, error) {
	x, vocabulary, err := Numbers(text, w.Vocabulary)
	if err != nil {
		return nil, err
	}
	w.Vocabulary = vocabulary
	if validation != "" {
		if w.Train.Validation, _, err = Numbers(validation, vocabulary); err != nil {
			return nil, err
		}
	}
	return w.Fit(ctx, x)
}
