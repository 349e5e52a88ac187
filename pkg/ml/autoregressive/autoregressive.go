// Package autoregressive holds models that write the probability of a vector of symbols as a
// product of conditionals, one variable after another:
//
//	log p(x) = Σ_j log p(x_j | x_1 … x_{j−1})
//
// The likelihood is exact, sampling takes one step a variable. A variable takes values 0 to
// Levels−1, kept as numbers in a matrix, one observation a row. Table counts; MADE is a masked
// network; Fisher makes features of either by the gradient of its log-likelihood. Package text has
// the models of texts and other long sequences, package pictures those of pictures.
package autoregressive

import "github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"

// Predictor walks along one sequence: Predict fills p with the probabilities of the next symbol
// given all that were observed, Observe says what it was. It is what pkg/ml/coding drives its
// coders by. The probabilities are the same to the last bit on every machine and whatever trained
// the model.
type Predictor = symbol.Predictor
