// Package flow has normalizing flows: densities that are exact, made of maps that can be undone.
//
// A flow takes an observation x to z = f(x), step by step, where each step has an inverse and a
// log-determinant that cost little. With a simple density of z,
//
//	log p(x) = log p(z) + log|det ∂f/∂x|,
//
// and x = f⁻¹(z) of a z drawn from it is a sample. Flow composes any Layers; RealNVP, MAF, IAF,
// NeuralSpline and the others say which layers the method of that name has. All give a Model.
//
// Every layer keeps one contract: Forward and inverse undo each other, each with the
// log-determinant of its own direction for every row, and either may depend on variables that are
// given beside x.
package flow
