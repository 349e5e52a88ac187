package plotting

import (
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// surface is what a figure is drawn on: gonum's canvas and what it lacks. One unit is one CSS
// pixel, the origin is bottom left.
type surface interface {
	vg.Canvas
	// marks draws many small shapes; edged gives each a thin line around it.
	marks(ms []mark, edged bool)
	// picture draws an image over rect; smooth says whether enlarged pixels may blend into each
	// other.
	picture(rect vg.Rectangle, img image.Image, smooth bool)
	// clip returns a surface on which only what lies in rect is seen, until unclip.
	clip(rect vg.Rectangle) surface
	unclip(surface)
}

// mark is one point of a scatter plot.
type mark struct {
	at    vg.Point
	shape shape
	r     float64 // radius in pixels
	fill  color.Color
	tip   string // what hovering shows
}

type shape int

const (
	circle shape = iota
	square
	triangle
	diamond
	triangleDown
	plus
	cross
	star
	shapes
)

// corners holds the outline of every shape but the circle, y upwards, scaled so that all look about
// as large as a circle of radius 1.
var corners = [shapes][][2]float64{
	square:       {{-.88, -.88}, {.88, -.88}, {.88, .88}, {-.88, .88}},
	triangle:     {{-1.1, -.75}, {1.1, -.75}, {0, 1.2}},
	diamond:      {{-1.15, 0}, {0, -1.3}, {1.15, 0}, {0, 1.3}},
	triangleDown: {{-1.1, .75}, {0, -1.2}, {1.1, .75}},
	plus:         cogs(0),
	cross:        cogs(math.Pi / 4),
	star:         starCorners(),
}

// cogs is a plus with thick arms, turned.
func cogs(angle float64) [][2]float64 {
	const arm, half = 1.25, .42
	sin, cos := math.Sincos(angle)
	var out [][2]float64
	for _, p := range [][2]float64{
		{half, half}, {half, arm}, {-half, arm}, {-half, half}, {-arm, half}, {-arm, -half},
		{-half, -half}, {-half, -arm}, {half, -arm}, {half, -half}, {arm, -half}, {arm, half},
	} {
		out = append(out, [2]float64{p[0]*cos - p[1]*sin, p[0]*sin + p[1]*cos})
	}
	return out
}

func starCorners() [][2]float64 {
	var out [][2]float64
	for i := range 10 {
		r := 1.4
		if i%2 == 1 {
			r = .62
		}
		sin, cos := math.Sincos(math.Pi/2 + float64(i)*math.Pi/5)
		out = append(out, [2]float64{r * cos, r * sin})
	}
	return out
}

// contains says whether (x, y) lies in the shape of radius 1.
func (s shape) contains(x, y float64) bool {
	if s == circle {
		return x*x+y*y <= 1
	}
	in := false
	c := corners[s]
	for i, p := range c {
		q := c[(i+1)%len(c)]
		if (p[1] > y) != (q[1] > y) && x < p[0]+(y-p[1])/(q[1]-p[1])*(q[0]-p[0]) {
			in = !in
		}
	}
	return in
}

func rectangle(x0, y0, x1, y1 float64) vg.Rectangle {
	return vg.Rectangle{Min: point(x0, y0), Max: point(x1, y1)}
}

func point(x, y float64) vg.Point { return vg.Point{X: vg.Length(x), Y: vg.Length(y)} }
