package pictures

// gatedResidual adds to a sheet what two convolutions and a gate make of it, and of what is beside
// it.
func (c *canvas) gatedResidual(name string, in sheet, beside *sheet, taps []tap, dropout float64) sheet {
	n := in.channels
	f := c.convolve(name+"/in", c.elus(in), n, taps)
	if beside != nil {
		f = c.sum(f, c.project(name+"/beside", c.elus(*beside), n))
	}
	return c.sum(in, c.linearGate(c.convolve(name+"/gate", c.drop(c.elus(f), dropout), 2*n, taps)))
}

// twoStacks begins the vertical stack with the rows above a pixel and the horizontal one with what
// is left of it, of a kernel of size×size.
func (c *canvas) twoStacks(name string, in sheet, size, channels int) (vertical, horizontal sheet) {
	vertical = c.convolve(name+"/vertical", in, channels, aboveTaps(size/2, size, false))
	left := c.convolve(name+"/horizontal", in, channels, leftTaps(size/2, false))
	return vertical, c.sum(left, c.project(name+"/link", vertical, channels))
}

// gatedLayer takes both stacks one layer further. The horizontal stack sees the vertical one before
// its gate; what it computes is added to what it was.
func (c *canvas) gatedLayer(name string, vertical, horizontal sheet, size int, dropout float64) (v, h sheet) {
	n := horizontal.channels
	wide := c.convolve(name+"/vertical", c.drop(vertical, dropout), 2*n, aboveTaps(size/2, size, true))
	long := c.convolve(name+"/horizontal", c.drop(horizontal, dropout), 2*n, leftTaps(size/2, true))
	long = c.sum(long, c.project(name+"/link", wide, 2*n))
	v = c.tanhGate(c.label(name+"/above", wide))
	h = c.tanhGate(c.label(name+"/left", long))
	return v, c.sum(horizontal, c.project(name+"/mix", h, n))
}
