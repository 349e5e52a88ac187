// Package figure holds what a figure is, so that pkg/plotting can draw one and pkg/nb can show one
// without either importing the other: a cell that shows a table must not pay for linking
// gonum/plot.
package figure

// Figure is a picture that can be rendered: a plot, a grid of images, an animation.
type Figure interface {
	Render() (Rendering, error)
}

// Rendering is a figure drawn: one document of one MIME type and, in words, what it shows.
type Rendering struct {
	MIME          string // "image/svg+xml", "image/png" or "text/html"
	Data          []byte
	Alt           string // the alternative text: what a reader who can't see the picture should know
	Width, Height int    // CSS pixels
}
