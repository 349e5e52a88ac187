// Package decomposition writes a matrix of data as a product of few factors: principal components,
// and what differs from them in what it asks of the factors.
//
// Observations are rows. A component is a direction in the space of the variables, a row of
// Components; a score is the coordinate of an observation along it.
package decomposition
