// Package ml holds what every method of the library shares: the errors they return and the checks
// of their input. The methods themselves live in the packages below it, one a family.
package ml

// Version is the version of the library. It is written into every saved model.
const Version = "0.1.0-dev"
