package plotting

import (
	"image/color"
	"math"
)

// classColors is the palette of Okabe and Ito (2008), told apart with any of the common color
// deficiencies, but for black, which a dark page swallows, and three more. These were chosen for
// the largest least distance in Oklab from each other and from the seven, as seen with normal sight
// and simulated protanopia, deuteranopia and tritanopia (Machado et al., 2009), among colors that
// stand out from white and from black: no pair of the ten is nearer than the nearest of the seven.
// Yellow, faint on white, comes late.
var classColors = [...]color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0xf0, 0xe4, 0x42, 0xff}, // yellow
	{0x90, 0x1c, 0x60, 0xff}, // wine
	{0x66, 0x18, 0xf0, 0xff}, // indigo
	{0x60, 0x56, 0x00, 0xff}, // olive
}

var noiseColor = color.NRGBA{0x88, 0x88, 0x88, 0xff}

// ClassColor is the color of class k, one of ten, again from the first after them. A negative k, by
// which clustering methods mark noise, is gray.
func ClassColor(k int) color.NRGBA {
	if k < 0 {
		return noiseColor
	}
	return classColors[k%len(classColors)]
}

// classShape is the marker of class k. After ten classes the colors start again with the shapes
// moved on by one, so that 80 classes differ.
func classShape(k int) shape {
	if k < 0 {
		return cross
	}
	k %= len(classColors) * int(shapes)
	return shape((k + k/len(classColors)) % int(shapes))
}

// Ink is the color of the page's text: currentColor in SVG, so that one figure serves a light and a
// dark page, and a middle gray in PNG.
var Ink color.Color = ink{0xff}

// ink is the page's own color with an opacity.
type ink struct{ alpha uint8 }

// RGBA is what stands for the page's color where it can't be known, in pixels: a gray that is
// legible on white and on black.
func (i ink) RGBA() (r, g, b, a uint32) {
	return color.NRGBA{0x80, 0x80, 0x80, i.alpha}.RGBA()
}

// faded is c with its opacity multiplied.
func faded(c color.Color, opacity float64) color.Color {
	scale := func(a uint8) uint8 { return uint8(math.Round(float64(a) * min(max(opacity, 0), 1))) }
	if i, ok := c.(ink); ok {
		return ink{scale(i.alpha)}
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = scale(n.A)
	return n
}

// A ColorMap gives the color of a value between 0 and 1.
type ColorMap func(t float64) color.NRGBA

// Sequential runs from dark violet to yellow with a lightness that rises evenly, so that equal
// steps of a value look equal, in gray print and with a color deficiency too (anchors of the map of
// Smith and van der Walt, 2015, interpolated in Oklab).
var Sequential ColorMap = interpolate(0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6dcd59, 0xb4de2c, 0xfde725)

// Diverging runs from blue through near-white in the middle to red, both halves alike in lightness:
// for values on two sides of zero.
var Diverging ColorMap = interpolate(0x14448c, 0x4a86c5, 0xa6cbe6, 0xf6f6f6, 0xf0b49b, 0xcf6650, 0x8f1d2c)

// Grey runs from black to white.
var Grey ColorMap = func(t float64) color.NRGBA {
	v := uint8(math.Round(255 * unit(t)))
	return color.NRGBA{v, v, v, 0xff}
}

// InvertedGrey runs from white to black: ink on paper.
var InvertedGrey ColorMap = func(t float64) color.NRGBA { return Grey(1 - unit(t)) }

// unit brings t into [0, 1]; NaN becomes 0.
func unit(t float64) float64 {
	if !(t > 0) {
		return 0
	}
	return min(t, 1)
}

// interpolate returns the map through colors at equal distances, with straight lines between them
// in Oklab (Ottosson, 2020), a space in which equal distances look equal.
func interpolate(rgb ...uint32) ColorMap {
	anchors := make([][3]float64, len(rgb))
	for i, c := range rgb {
		anchors[i] = oklab(color.NRGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 0xff})
	}
	return func(t float64) color.NRGBA {
		at := unit(t) * float64(len(anchors)-1)
		i := min(int(at), len(anchors)-2)
		f := at - float64(i)
		var mixed [3]float64
		for k := range mixed {
			mixed[k] = anchors[i][k]*(1-f) + anchors[i+1][k]*f
		}
		return fromOklab(mixed)
	}
}

// oklab returns lightness and two opponent colors.
func oklab(c color.NRGBA) [3]float64 {
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

func fromOklab(c [3]float64) color.NRGBA {
	cube := func(v float64) float64 { return v * v * v }
	l := cube(c[0] + 0.3963377774*c[1] + 0.2158037573*c[2])
	m := cube(c[0] - 0.1055613458*c[1] - 0.0638541728*c[2])
	s := cube(c[0] - 0.0894841775*c[1] - 1.2914855480*c[2])
	return color.NRGBA{
		gamma(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		gamma(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		gamma(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
		0xff,
	}
}

// linear and gamma are sRGB's transfer function and its inverse.
func linear(v uint8) float64 {
	x := float64(v) / 255
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

func gamma(x float64) uint8 {
	if x = unit(x); x <= 0.0031308 {
		x *= 12.92
	} else {
		x = 1.055*math.Pow(x, 1/2.4) - 0.055
	}
	return uint8(math.Round(255 * x))
}
