// Package loop has what runs many times: a recurrence along a sequence inside one graph (Scan),
// ordinary differential equations inside a graph (Integrate) and beside it (DormandPrince), and
// samplers, which call one compiled function step after step (Sampler) with the rules of Langevin
// and of diffusion (Langevin, DDIM).
package loop
