// Package ml holds what every method of the library shares: the errors they return and the checks
// of their input. The methods themselves live in the packages below it, one a family.
//
// # Options
//
// A method is a struct of options, and its zero value is ready to use but for what nobody else can
// know, such as a number of clusters. One convention holds for every option of every method:
//
//	what is said             what it means
//	0, "", nil               the default that the option's comment names
//	a negative number        none, off, or 0 itself, where the comment says so:
//	                         UMAP.MinDist, PaCMAP.MidNear, Bernoulli.Smoothing, Train.ClipNorm
//	a named value            this way: mixture.ConstantGating, manifold.Exact, neural.Constant,
//	                         distance.Precomputed{}
//	a value out of range     an error that wraps ErrParameter and says what would be in range
//
// So a default that turns something on can be turned off, and never by the zero value. Switches
// (bool) are named so that false is the default, and a Seed of 0 is a seed like any other. A count
// that is not given (MaxIter, Restarts) has a default too; a tolerance that never stops is a tiny
// positive one.
package ml

// Version is the version of the library. It is written into every saved model.
const Version = "0.1.0-dev"
