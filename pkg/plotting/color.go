package plotting

import (
	"image/color"
	"math"
)

// Classes are the colors of classes, Okabe and Ito's palette (2008), which readers with any of the common color deficiencies can tell
// apart. Black is left out, being invisible on a dark page; from the eighth class on, colors return with other markers.
var Classes = []color.Color{
	color.NRGBA{0x00, 0x72, 0xb2, 0xff}, // blue
	color.NRGBA{0xe6, 0x9f, 0x00, 0xff}, // orange
	color.NRGBA{0x00, 0x9e, 0x73, 0xff}, // bluish green
	color.NRGBA{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	color.NRGBA{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	color.NRGBA{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	color.NRGBA{0xc9, 0xbb, 0x1f, 0xff}, // yellow, darkened for white pages
}

// ClassColor is the color of class i; noise and other negative labels are grey.
func ClassColor(i int) color.Color {
	if i < 0 {
		return color.NRGBA{0x99, 0x99, 0x99, 0xff}
	}
	return Classes[i%len(Classes)]
}

// ColorMap maps [0, 1] to colors.
type ColorMap func(t float64) color.Color

// Sequential is the color map for values from little to much. It is made in OKLab (Ottosson, 2020), a space in which equal steps look
// equal: lightness rises evenly from 0.25 to 0.93 while the hue turns from blue through green to yellow, so that it reads in grey too.
func Sequential(t float64) color.Color {
	t = clamp(t)
	hue := (275 - 170*t) * math.Pi / 180
	chroma := 0.09 + 0.06*math.Sin(math.Pi*t)
	return oklch(0.25+0.68*t, chroma, hue)
}

// Diverging is the color map for values on two sides of a middle: blue below, orange above, light in between, equally far on both sides.
func Diverging(t float64) color.Color {
	t = 2*clamp(t) - 1
	hue := 255.0
	if t > 0 {
		hue = 50
	}
	return oklch(0.95-0.45*math.Abs(t), 0.15*math.Abs(t), hue*math.Pi/180)
}

// Grey maps 0 to black and 1 to white.
func Grey(t float64) color.Color { return color.Gray{uint8(math.Round(255 * clamp(t)))} }

// InvertedGrey maps 0 to white and 1 to black: ink on paper.
func InvertedGrey(t float64) color.Color { return Grey(1 - clamp(t)) }

func clamp(t float64) float64 {
	if !(t > 0) { // a NaN is 0
		return 0
	}
	return min(t, 1)
}

// oklch converts lightness, chroma and hue of OKLab to sRGB, reducing chroma until the color can be shown.
func oklch(l, c, h float64) color.Color {
	for ; ; c *= 0.97 {
		r, g, b := oklab(l, c*math.Cos(h), c*math.Sin(h))
		if inGamut(r) && inGamut(g) && inGamut(b) || c < 1e-4 {
			return color.NRGBA{encode(r), encode(g), encode(b), 255}
		}
	}
}

func inGamut(v float64) bool { return v >= -1e-4 && v <= 1+1e-4 }

// oklab converts to linear sRGB.
func oklab(l, a, b float64) (r, g, bl float64) {
	lc := l + 0.3963377774*a + 0.2158037573*b
	m := l - 0.1055613458*a - 0.0638541728*b
	s := l - 0.0894841775*a - 1.2914855480*b
	lc, m, s = lc*lc*lc, m*m*m, s*s*s
	return 4.0767416621*lc - 3.3077115913*m + 0.2309699292*s,
		-1.2684380046*lc + 2.6097574011*m - 0.3413193965*s,
		-0.0041960863*lc - 0.7034186147*m + 1.7076147010*s
}

// encode applies sRGB's transfer function.
func encode(v float64) uint8 {
	v = clamp(v)
	if v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return uint8(math.Round(255 * v))
}

// translucent returns c with the given opacity.
func translucent(c color.Color, opacity float64) color.Color {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = uint8(math.Round(float64(n.A) * opacity))
	return n
}
